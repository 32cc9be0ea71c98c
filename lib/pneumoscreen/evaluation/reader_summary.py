"""Everything that a reader study measures, computed once: for text, JSON file and page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import RESEARCH_USE_ONLY, __version__
from ..metrics.agreement import Agreement
from ..metrics.bootstrap import LEVEL, RESAMPLES
from ..report.wording import plural
from ..studies.split import Side, SplitSettings, side_of
from .cautions import few_patients
from .reader_figures import (
    Between,
    Difference,
    ReaderRow,
    between_readers,
    differences,
    reader_rows,
    regions_with_model,
)
from .reader_study import Condition, ReadingsFound, StudyReading

HOW = (
    "Of each reader the first submission of a case counts in each condition. What a reader says of a case is the "
    "diagnosis, where one was given, else the verdict by the marked regions."
)


@dataclass(frozen=True)
class ReaderPopulation:
    """On whom a reader study was measured.

    Attributes:
        source: where the cases come from.
        modality: ``CT`` or ``CXR``.
        patients: number of patients.
        cases: number of cases that somebody read.
        readings: number of readings.
        readers: number of readings by reader.
        conditions: number of readings by condition.
        truths: number of cases by their true label; those without a known one are not among them.
        settled: cases whose truth an adjudication settled.
        imported: cases whose truth was there before any reader.
        sides: number of cases by the side of the folder's split.
    """

    source: str
    modality: str
    patients: int
    cases: int
    readings: int
    readers: Mapping[str, int]
    conditions: Mapping[str, int]
    truths: Mapping[str, int]
    settled: int
    imported: int
    sides: Mapping[str, int]

    def in_words(self) -> str:
        """The population in a sentence."""
        readers = ", ".join(f"{name} {count}" for name, count in self.readers.items())
        return (
            f"{plural(self.readings, 'reading')} of {plural(self.cases, 'case')} ({self.modality}) of "
            f"{plural(self.patients, 'patient')} by {plural(len(self.readers), 'reader')} ({readers}); {self.source}"
        )


@dataclass(frozen=True)
class ReaderSummary:
    """A reader study.

    Attributes:
        population: on whom.
        found: the readings.
        rows: by reader and condition.
        differences: with the model less without it.
        between: readers with each other.
        regions: readers' marks beside the model's votes.
    """

    population: ReaderPopulation
    found: ReadingsFound
    rows: list[ReaderRow]
    differences: list[Difference]
    between: list[Between]
    regions: list[Agreement]

    def to_dict(self) -> dict[str, Any]:
        """Every figure and every reading as plain JSON types."""
        return {
            "notice": RESEARCH_USE_ONLY,
            "program": __version__,
            "intervals": f"{LEVEL:.0%}, percentile bootstrap, {RESAMPLES} draws of whole patients",
            "how": HOW,
            "population": vars(self.population),
            "cautions": self.cautions(),
            "readers": [row.to_dict() for row in self.rows],
            "with_less_without": [row.to_dict() for row in self.differences],
            "between_readers": [row.to_dict() for row in self.between],
            "regions_with_model": [row.to_dict() for row in self.regions],
            "readings": [_plain(reading) for reading in self.found.readings],
        }

    def cautions(self) -> list[str]:
        """Sentences on what the figures cannot say, the weightiest first."""
        people = self.population
        found = few_patients(people.patients)
        learnt = people.cases - people.sides.get(Side.TEST, 0)
        if learnt and any(row.with_model for row in self.rows):
            found.append(
                f"{plural(learnt, 'case')} of {people.cases} are not of the test patients: the model may have learnt "
                "from what these readers said, and agreement with it is then too good."
            )
        if people.settled:
            found.append(
                f"The truth of {plural(people.settled, 'case')} is what was settled after the readings, often by one "
                "of them: agreement with it is better than with a truth from elsewhere."
            )
        without = people.cases - people.settled - people.imported
        if without:
            found.append(f"Of {plural(without, 'case')} the truth is not known; they enter times and agreement only.")
        not_told = people.conditions.get(Condition.NOT_TOLD, 0)
        if not_told:
            found.append(f"Whether the model was shown is not told of {plural(not_told, 'reading')}.")
        pairs = sum(row.pairs for row in self.differences if row.reader in people.readers)
        if pairs:
            found.append(
                f"The same reader reads the same case a second time in {plural(pairs, 'reading')}: the case is known "
                "then, and the order of the two is not corrected for."
            )
        if self.found.left_out:
            found.append(f"Left out for another list of classes: {plural(self.found.left_out, 'submission')}.")
        return [*found, "The seconds are what the reader's program measured; breaks that it did not see are in them."]


def summarize_readers(found: ReadingsFound, source: str, modality: str, shares: SplitSettings) -> ReaderSummary:
    """Compute every figure of a reader study.

    Args:
        found: the readings.
        source: where the cases come from, in words.
        modality: ``CT`` or ``CXR``.
        shares: the folder's split.
    """
    return ReaderSummary(
        population=_population(found, source, modality, shares),
        found=found,
        rows=reader_rows(found),
        differences=differences(found),
        between=between_readers(found),
        regions=regions_with_model(found),
    )


def _population(found: ReadingsFound, source: str, modality: str, shares: SplitSettings) -> ReaderPopulation:
    cases = {reading.case_id: reading for reading in found.readings}
    return ReaderPopulation(
        source=source,
        modality=modality,
        patients=len({reading.patient for reading in found.readings}),
        cases=len(cases),
        readings=len(found.readings),
        readers=_counts([reading.reader for reading in found.readings]),
        conditions=_counts([reading.condition.value for reading in found.readings]),
        truths=_counts([reading.truth for reading in cases.values() if reading.truth is not None]),
        settled=found.settled,
        imported=found.imported,
        sides=_counts([side_of(reading.patient, shares).value for reading in cases.values()]),
    )


def _counts(names: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _plain(reading: StudyReading) -> dict[str, Any]:
    return {name: value for name, value in vars(reading).items() if name not in ("document", "patient")}
