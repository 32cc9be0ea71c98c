"""How well the X-ray method tells disease within one source, with intervals over patients (ours).

Where the source of a picture differs with its class, a network can tell the source instead of the disease. So films
are judged group by group, each group being of one source: whether there is an opacity at all, in which lung, and
COVID-19 against other pneumonia.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...case import CXR_CLASSES, CXR_HEALTHY, CXR_POSITIVE, SIDES, Case
from ...evaluation.figures import Share
from ...evaluation.site_cases import CLEAR, INFECTED, SiteCase
from ...metrics.bootstrap import Interval, bootstrap_of_sums
from ...metrics.curves import draw_curves
from .film_extent import EXTENTS, ExtentFigures, ScoredLung, extent_figures, lung_score

SICK = tuple(name for name in CXR_CLASSES if name != CXR_HEALTHY)
"""Classes of a table that are pneumonia; every other class is none."""


@dataclass(frozen=True)
class FilmOutcome:
    """A row of the table beside what its X-ray was taken for.

    Attributes:
        case: the row.
        infection: probability of an infection at all; one less that of the class healthy where none is calibrated.
        flagged: whether the verdict is a class of pneumonia.
        decided: whether its type could be told.
        covid19: probability of COVID-19 if it is pneumonia.
        lungs: probability of infection, by side; empty where no lung was looked at.
        flagged_lungs: whether the verdict calls the lung infected, by side.
        scores: severity of each lung, the sum of its zones; empty where it was not measured.
        peak_in_opacity: whether the peak of Grad-CAM lies where a reader drew an opacity; None where none was drawn.
        reason: why it was not screened.
    """

    case: SiteCase
    infection: float | None = None
    flagged: bool = False
    decided: bool = True
    covid19: float | None = None
    lungs: Mapping[str, float] = field(default_factory=dict)
    flagged_lungs: Mapping[str, bool] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    peak_in_opacity: bool | None = None
    reason: str | None = None

    @classmethod
    def of(cls, row: SiteCase, case: Case, peak_in_opacity: bool | None = None) -> "FilmOutcome":
        """What a document, and the peak of Grad-CAM, say of a row."""
        assert case.verdict is not None
        assert case.cxr is not None
        classes, infection = case.cxr.probabilities, case.verdict.infection
        sick = sum(classes[name] for name in SICK)
        return cls(
            row,
            infection=1.0 - classes[CXR_HEALTHY] if infection is None else infection.probability,
            flagged=case.verdict.label in SICK,
            decided=case.verdict.decided,
            covid19=classes[CXR_POSITIVE] / sick if sick > 0.0 else 0.5,
            lungs=dict(case.cxr.sides),
            flagged_lungs={side: case.cxr.location in (side, "bipulmonary") for side in SIDES},
            scores={side: found for side in SIDES if (found := lung_score(case.cxr.severity or {}, side)) is not None},
            peak_in_opacity=peak_in_opacity,
        )

    def to_dict(self) -> dict[str, Any]:
        """The outcome as plain JSON types."""
        return {
            "path": self.case.path,
            "group": self.case.group,
            "class": self.case.label,
            "counted": self.case.counted,
            "infection": self.infection,
            "flagged": self.flagged,
            "decided": self.decided,
            "covid19": self.covid19,
            "lungs": {
                side: {
                    "truth": self.case.lungs.get(side),
                    "probability": self.lungs.get(side),
                    "flagged": self.flagged_lungs.get(side),
                    "score": self.scores.get(side),
                    "score_of_reader": self.case.scores.get(side),
                }
                for side in SIDES
            },
            "peak_in_opacity": self.peak_in_opacity,
            "refused": self.reason,
        }


@dataclass(frozen=True)
class Told:
    """How well one thing is told from another.

    Attributes:
        with_it: how many show it.
        without: how many do not.
        auc: NaN where there is only one kind.
        found: share of those with it that are flagged.
        false: share of those without it that are flagged.
        accuracy: share that is right.
        over_commonest: accuracy less that of always giving the commonest answer.
    """

    with_it: int
    without: int
    auc: Interval
    found: Share
    false: Share
    accuracy: Interval
    over_commonest: Interval

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types."""
        return {
            "with": self.with_it,
            "without": self.without,
            "auc": self.auc.to_dict(),
            "found": self.found.to_dict(),
            "false": self.false.to_dict(),
            "accuracy": self.accuracy.to_dict(),
            "over_commonest": self.over_commonest.to_dict(),
        }


@dataclass(frozen=True)
class GroupFigures:
    """The figures of the films of one source.

    Attributes:
        name: of the group.
        films: how many count.
        patients: of how many.
        refused: films that were not screened; they enter no figure.
        undecided: flagged films without a type.
        infection: pneumonia against none; None where the films are of one kind only.
        lungs: infected lungs against clear ones; likewise.
        types: COVID-19 against other pneumonia; likewise. Flagged is what is likelier COVID-19.
        extent: agreement with readers' scores of severity; None where the table has none.
        by_extent: infected lungs of a range of readers' scores against all clear ones, by range.
        peaks: films whose Grad-CAM has its peak where a reader drew an opacity; None where none was drawn.
    """

    name: str
    films: int
    patients: int
    refused: int
    undecided: int
    infection: Told | None
    lungs: Told | None
    types: Told | None
    extent: ExtentFigures | None = None
    by_extent: Mapping[str, Told] = field(default_factory=dict)
    peaks: Share | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types."""
        told = {name: getattr(self, name) for name in ("infection", "lungs", "types", "extent", "peaks")}
        plain = {name: value.to_dict() if value else None for name, value in told.items()}
        return {**vars(self), **plain, "by_extent": {name: value.to_dict() for name, value in self.by_extent.items()}}


def figures_by_group(outcomes: Sequence[FilmOutcome]) -> list[GroupFigures]:
    """The figures of each group of the counted films, in the order of the table."""
    counted = [outcome for outcome in outcomes if outcome.case.counted]
    names = dict.fromkeys(outcome.case.group for outcome in counted)
    return [_group(name, [outcome for outcome in counted if outcome.case.group == name]) for name in names]


def _group(name: str, outcomes: Sequence[FilmOutcome]) -> GroupFigures:
    seen = [outcome for outcome in outcomes if outcome.reason is None]
    typed = [outcome for outcome in seen if outcome.case.label in SICK]
    lungs = [
        (outcome, side)
        for outcome in seen
        for side in SIDES
        if outcome.case.lungs.get(side) in (INFECTED, CLEAR) and side in outcome.lungs
    ]
    return GroupFigures(
        name=name,
        films=len(outcomes),
        patients=len({outcome.case.patient for outcome in outcomes}),
        refused=len(outcomes) - len(seen),
        undecided=sum(outcome.flagged and not outcome.decided for outcome in seen),
        infection=_told(
            [outcome.case.label in SICK for outcome in seen],
            [outcome.infection for outcome in seen],
            [outcome.flagged for outcome in seen],
            [outcome.case.patient for outcome in seen],
        ),
        lungs=_told_of_lungs(lungs),
        types=_told(
            [outcome.case.label == CXR_POSITIVE for outcome in typed],
            [outcome.covid19 for outcome in typed],
            [(outcome.covid19 or 0.0) > 0.5 for outcome in typed],
            [outcome.case.patient for outcome in typed],
        ),
        extent=extent_figures(
            [
                ScoredLung(outcome.case.patient, outcome.case.scores[side], outcome.scores[side])
                for outcome in seen
                for side in SIDES
                if side in outcome.case.scores and side in outcome.scores
            ]
        ),
        by_extent={name: told for name, limits in EXTENTS.items() if (told := _told_of_lungs(lungs, limits))},
        peaks=_share_of_peaks(seen),
    )


def _told_of_lungs(lungs: Sequence[tuple[FilmOutcome, str]], extent: tuple[float, float] | None = None) -> Told | None:
    """Infected lungs, all or those whose reader's score lies in a range, against clear ones."""
    if extent is not None:
        low, high = extent
        lungs = [
            (outcome, side)
            for outcome, side in lungs
            if outcome.case.lungs[side] == CLEAR or low < outcome.case.scores.get(side, 0.0) <= high
        ]
    return _told(
        [outcome.case.lungs[side] == INFECTED for outcome, side in lungs],
        [outcome.lungs[side] for outcome, side in lungs],
        [outcome.flagged_lungs[side] for outcome, side in lungs],
        [outcome.case.patient for outcome, _ in lungs],
    )


def _share_of_peaks(outcomes: Sequence[FilmOutcome]) -> Share | None:
    drawn = [outcome for outcome in outcomes if outcome.peak_in_opacity is not None]
    if not drawn:
        return None
    inside = np.array([outcome.peak_in_opacity for outcome in drawn], dtype=np.float64)
    owner = np.unique([outcome.case.patient for outcome in drawn], return_inverse=True)[1]
    sums = np.zeros((int(owner.max()) + 1, 2))
    np.add.at(sums, owner, np.stack([inside, np.ones_like(inside)], axis=1))
    (interval,) = bootstrap_of_sums(sums, lambda drawn_sums: drawn_sums[:, :1] / drawn_sums[:, 1:])
    return Share(int(inside.sum()), len(drawn), interval)


def _told(
    truth: Sequence[bool], scores: Sequence[float | None], flagged: Sequence[bool], patients: Sequence[str]
) -> Told | None:
    if all(truth) or not any(truth):
        return None
    is_true, said = np.array(truth), np.array(flagged)
    owner = np.unique(np.array(patients), return_inverse=True)[1].astype(np.int64)
    columns = np.stack([is_true & said, is_true, ~is_true & said, ~is_true], axis=1).astype(np.float64)
    sums = np.zeros((int(owner.max()) + 1, 4))
    np.add.at(sums, owner, columns)
    found, false, accuracy, over = bootstrap_of_sums(sums, _shares)
    hits, positives, alarms, negatives = (int(value) for value in columns.sum(axis=0))
    return Told(
        positives,
        negatives,
        draw_curves("", np.array(scores, dtype=np.float64), is_true, owner).auc,
        Share(hits, positives, found),
        Share(alarms, negatives, false),
        accuracy,
        over,
    )


def _shares(sums: NDArray[Any]) -> NDArray[np.float64]:
    """Found, false, accuracy and accuracy over the commonest answer [draws, 4] of sums [draws, 4]."""
    hits, positives, alarms, negatives = sums.T
    total = positives + negatives
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = (hits + negatives - alarms) / total
        commonest = np.maximum(positives, negatives) / total
        return np.stack([hits / positives, alarms / negatives, accuracy, accuracy - commonest], axis=1)


def figures_to_text(groups: Sequence[GroupFigures]) -> str:
    """The figures as lines of text."""
    lines = []
    for group in groups:
        refused = f", {group.refused} refused" if group.refused else ""
        lines.append(
            f"{group.name or 'all films'}: {group.films} films of {group.patients} patients{refused}; "
            f"{group.undecided} flagged without a type"
        )
        by_extent = {f"lungs with a reader's score {name} of 9": told for name, told in group.by_extent.items()}
        every = {"opacity": group.infection, "lungs": group.lungs, **by_extent, "COVID-19 or other": group.types}
        for what, told in every.items():
            if told is not None:
                lines.append(
                    f"  {what} ({told.with_it} with, {told.without} without): AUC {told.auc}; "
                    f"found {told.found.interval}; false {told.false.interval}; accuracy {told.accuracy}, "
                    f"over the commonest answer {told.over_commonest}"
                )
        if group.extent is not None:
            lines.append(f"  extent against readers' scores, {group.extent}")
        if group.peaks is not None:
            inside = f"{group.peaks.part} of {group.peaks.whole}"
            lines.append(f"  peak of Grad-CAM within the drawn opacity: {inside} films, {group.peaks.interval}")
    return "\n".join(lines) + "\n"
