"""Everything that an evaluation measures, computed once: what the text, the JSON file and the page show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ... import RESEARCH_USE_ONLY, __version__
from ...case import ModelInfo
from ...evaluation.plots import ANY_INFECTION
from ...metrics.agreement import Agreement, ReadCase, model_agreements, reader_agreements
from ...metrics.bootstrap import LEVEL, RESAMPLES, Interval
from ...metrics.calibration import Judged, ReliabilityBin
from ...metrics.confusion import ConfusionMatrix
from ...metrics.curves import Curves, draw_curves, one_against_rest
from ...metrics.detection import FROC_RATES, FrocPoint, recall_at_rates
from ...metrics.tables import TableFigures
from ...verdict import DEFAULT_CLASSES
from .cohort import LEVELS, CohortResult
from .outcome import Level


@dataclass(frozen=True)
class Population:
    """On whom the figures were measured.

    Attributes:
        source: where the cases come from.
        side: of the split by patient; None for phantoms.
        patients: number of patients, those of failed cases included.
        cases: number of cases, those that could not be screened included.
        regions: number of candidate regions.
        patches: number of their patches.
        lesions: number of true infection lesions.
        diagnoses: number of cases by diagnosis, those that could not be screened included.
        models: versions of the networks.
    """

    source: str
    side: str | None
    patients: int
    cases: int
    regions: int
    patches: int
    lesions: int
    diagnoses: dict[str, int]
    models: Mapping[str, ModelInfo]

    @classmethod
    def of(cls, result: CohortResult, source: str, side: str | None, models: Mapping[str, ModelInfo]) -> "Population":
        """The population of a cohort."""
        outcomes = result.outcomes
        return cls(
            source=source,
            side=side,
            patients=len(result.patients),
            cases=len(outcomes) + len(result.failures),
            regions=sum(len(outcome.true_regions) for outcome in outcomes),
            patches=sum(len(outcome.true_patches) for outcome in outcomes),
            lesions=sum(len(outcome.detection.first_hits) for outcome in outcomes),
            diagnoses={
                name: sum(o.diagnosis == name for o in outcomes) + sum(f.diagnosis == name for f in result.failures)
                for name in result.classes.case_labels
            },
            models=models,
        )

    def to_dict(self) -> dict[str, Any]:
        """The population as plain JSON types."""
        return {**vars(self), "models": {name: vars(model) for name, model in self.models.items()}}


CalibrationLevel = Literal["patches", "cases", "infection"]
"""What is claimed."""


@dataclass(frozen=True)
class CalibrationAt:
    """How far the probabilities of one classifier mean what they say, under one temperature.

    Attributes:
        head: the classifier.
        level: ``patches``: the confidence in the likeliest class; ``cases``: the Noisy-OR P of every infection type
            as a statement on the diagnosis; ``infection``: the calibrated probability of an infection of any type.
        temperature: that divides the logits.
        items: number of statements.
        figures: ``calibration.FIGURES`` with intervals.
        bins: of the reliability diagram.
    """

    head: str
    level: CalibrationLevel
    temperature: float
    items: int
    figures: dict[str, Interval]
    bins: tuple[ReliabilityBin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Figures and bins as plain JSON types."""
        return {
            "head": self.head,
            "level": self.level,
            "temperature": self.temperature,
            "items": self.items,
            **{name: interval.to_dict() for name, interval in self.figures.items()},
            "bins": [{k: None if np.isnan(v) else v for k, v in vars(b).items()} for b in self.bins],
        }


@dataclass(frozen=True)
class Summary:
    """The figures of an evaluation.

    Attributes:
        population: on whom they were measured.
        result: the outcomes, under the temperatures in use.
        tables: confusion and its figures by level and classifier.
        gains: mean f1 of M2 less that of M1 by level; None where there is one classifier.
        accuracy: share of right verdicts by classifier.
        sensitivity: for an infection of any type, by classifier.
        specificity: the same.
        lesion_recall: of the candidate regions.
        held_once: share of the lesions that exactly one region holds.
        froc: their free-response curve.
        recall_at: lesion recall at ``FROC_RATES`` false regions a case; empty without lesions.
        patch_curves: one class against the others, by classifier.
        case_curves: each infection type, and any infection, by classifier.
        calibration: by classifier, level and temperature; temperature 1 first. The probability of an infection stands
            last, where the weights give one.
        with_model: readers against the model.
        between_readers: readers against each other.
    """

    population: Population
    result: CohortResult
    tables: dict[Level, dict[str, TableFigures]]
    gains: dict[Level, Interval | None]
    accuracy: dict[str, Interval]
    sensitivity: dict[str, Interval]
    specificity: dict[str, Interval]
    lesion_recall: Interval
    held_once: Interval
    froc: list[FrocPoint]
    recall_at: list[Interval]
    patch_curves: dict[str, list[Curves]]
    case_curves: dict[str, list[Curves]]
    calibration: list[CalibrationAt]
    with_model: list[Agreement]
    between_readers: list[Agreement]

    @property
    def temperatures(self) -> dict[str, float]:
        """The temperature in use, by classifier."""
        return {name: head.temperature for name, head in self.result.outcomes[0].heads.items()}

    def to_dict(self) -> dict[str, Any]:
        """Every figure and every outcome as plain JSON types; each block names its population."""
        result = self.result
        return {
            "notice": RESEARCH_USE_ONLY,
            "program": __version__,
            "intervals": f"{LEVEL:.0%}, percentile bootstrap, {RESAMPLES} draws of whole patients",
            "population": self.population.to_dict(),
            "head": result.head,
            "temperatures": self.temperatures,
            "failures": [failure._asdict() for failure in result.failures],
            "left_out": [case._asdict() for case in result.left_out],
            "candidates": {
                "population": self._block(self.population.lesions),
                "lesion_recall": self.lesion_recall.to_dict(),
                "lesions_held_by_one_region": self.held_once.to_dict(),
                "regions_per_case": spread([float(len(outcome.true_regions)) for outcome in result.outcomes]),
                "recall_at_false_regions_per_case": {
                    f"{rate:g}": recall.to_dict() for rate, recall in zip(FROC_RATES, self.recall_at, strict=False)
                },
                "froc": [vars(point) for point in self.froc],
            },
            **{level: self._level(level) for level in LEVELS},
            "verdicts": {
                "population": self._block(self.population.cases),
                "accuracy": _all(self.accuracy),
                "sensitivity_any_infection": _all(self.sensitivity),
                "specificity": _all(self.specificity),
            },
            "curves": {
                "patches": {head: [c.to_dict() for c in curves] for head, curves in self.patch_curves.items()},
                "cases": {head: [c.to_dict() for c in curves] for head, curves in self.case_curves.items()},
                "population": self._block(self.population.patches),
            },
            "calibration": {
                "population": self._block(self.population.patches),
                "figures": [at.to_dict() for at in self.calibration],
            },
            "agreement": {
                "with_model": [agreement.to_dict() for agreement in self.with_model],
                "between_readers": [agreement.to_dict() for agreement in self.between_readers],
            },
            "lung_dice": spread([outcome.lung_dice for outcome in result.outcomes]),
            "affected_error": spread([outcome.affected_error for outcome in result.outcomes]),
            "seconds": {
                stage: spread([o.timings_s[stage] for o in result.outcomes if stage in o.timings_s])
                for stage in result.outcomes[0].timings_s
            },
            "outcomes": [outcome.to_dict() for outcome in result.outcomes],
        }

    def _level(self, level: Level) -> dict[str, Any]:
        gain = self.gains[level]
        return {
            "population": self._block(next(iter(self.tables[level].values())).matrix.total),
            **{head: figures.to_dict() for head, figures in self.tables[level].items()},
            "mean_f1_gain": gain.to_dict() if gain else None,
        }

    def _block(self, items: int) -> dict[str, Any]:
        """On whom a block of figures was measured, so that it can be quoted without the rest of the file."""
        people = self.population
        models = {name: vars(model) for name, model in people.models.items()}
        return {
            "side": people.side,
            "patients": people.patients,
            "cases": people.cases,
            "items": items,
            "models": models,
        }


def summarize(result: CohortResult, population: Population, read: Sequence[ReadCase] = ()) -> Summary:
    """Compute every figure of a cohort.

    Args:
        result: the outcomes, under the temperatures in use.
        population: on whom.
        read: the same cases as their readers signed them; may be empty.
    """
    heads = result.heads
    froc = result.froc()
    places = result.case_items(result.head).patients
    return Summary(
        population=population,
        result=result,
        tables={level: {head: result.table(level, head) for head in heads} for level in LEVELS},
        gains={level: result.gain(level) for level in LEVELS},
        accuracy={head: result.accuracy(head) for head in heads},
        sensitivity={head: result.sensitivity(head) for head in heads},
        specificity={head: result.specificity(head) for head in heads},
        lesion_recall=result.lesion_recall(),
        held_once=result.held_once(),
        froc=froc,
        recall_at=recall_at_rates([outcome.detection for outcome in result.outcomes], places) if froc else [],
        patch_curves={head: _patch_curves(result, head) for head in heads},
        case_curves={head: _case_curves(result, head) for head in heads},
        calibration=[*(at for head in heads for at in _calibration(result, head)), *_of_infection(result)],
        with_model=model_agreements(read, result.classes),
        between_readers=reader_agreements(read, result.classes),
    )


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, median, lowest and highest of some values; empty for none."""
    if not values:
        return {}
    array = np.asarray(values, dtype=np.float64)
    return {
        "mean": float(array.mean()),
        "median": float(np.median(array)),
        "min": float(array.min()),
        "max": float(array.max()),
    }


def _patch_curves(result: CohortResult, head: str) -> list[Curves]:
    items = result.patch_items(head)
    return one_against_rest(result.classes.patch_labels, items.probabilities, items.labels, items.patients)


def _case_curves(result: CohortResult, head: str) -> list[Curves]:
    items = result.case_items(head)
    types = result.classes.infections
    infected = items.labels < len(types)
    return [
        draw_curves(ANY_INFECTION, items.any_infection, infected, items.patients),
        *one_against_rest(types, items.noisy_or, items.labels, items.patients),
    ]


def _calibration(result: CohortResult, head: str) -> list[CalibrationAt]:
    """Patches and cases at temperature 1 and, where another is stored, at that one."""
    stored = result.outcomes[0].heads[head].temperature
    found = []
    for temperature in dict.fromkeys((1.0, stored)):
        cohort = result.under({head: temperature})
        patches = cohort.patch_items(head)
        if len(patches.labels):
            judged = Judged.of_classes(patches.probabilities, patches.labels)
            found.append(_at(head, "patches", temperature, judged, patches.patients))
        cases = cohort.case_items(head)
        types = cases.noisy_or.shape[1]
        happened = cases.labels[:, None] == np.arange(types)
        judged = Judged.of_events(cases.noisy_or.ravel(), happened.ravel())
        found.append(_at(head, "cases", temperature, judged, np.repeat(cases.patients, types)))
    return found


def _of_infection(result: CohortResult) -> list[CalibrationAt]:
    items = result.infection_items()
    if not len(items.probability):
        return []
    temperature = result.outcomes[0].heads[result.head].temperature
    judged = Judged.of_events(items.probability, items.infected)
    return [_at(result.head, "infection", temperature, judged, items.patients)]


def _at(
    head: str, level: CalibrationLevel, temperature: float, judged: Judged, patients: NDArray[np.int64]
) -> CalibrationAt:
    bins = tuple(judged.reliability())
    return CalibrationAt(head, level, temperature, len(judged), judged.intervals(patients), bins)


def _all(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    return {head: interval.to_dict() for head, interval in intervals.items()}


PATCHES_M1 = ConfusionMatrix.from_counts(DEFAULT_CLASSES.patch_labels, [[260, 47, 50], [55, 276, 59], [75, 81, 807]])
"""Table 1, ResNet-18 alone."""

PATCHES_M2 = ConfusionMatrix.from_counts(DEFAULT_CLASSES.patch_labels, [[273, 32, 52], [46, 280, 64], [77, 82, 804]])
"""Table 1, with location attention."""

REGIONS = ConfusionMatrix.from_counts(DEFAULT_CLASSES.patch_labels, [[97, 15, 7], [18, 98, 14], [5, 2, 314]])
"""Table 3, after the vote, M2."""

CASES = ConfusionMatrix.from_counts(DEFAULT_CLASSES.case_labels, [[26, 3, 1], [4, 25, 1], [2, 1, 27]])
"""Table 5, after Noisy-OR, M2."""
