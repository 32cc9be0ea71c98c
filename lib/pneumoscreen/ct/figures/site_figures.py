"""How well the scans of a site's table are told apart, per case and per lung, with intervals over patients.

A scan is flagged where its verdict is other than no infection found, a lung where it holds an infection region. A scan
that was refused is not flagged, its lungs hold no region, and its probability of infection is 0 (ours: that is what
the user of a refused scan knows of it). Only counted rows enter.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...case import SIDES
from ...evaluation.figures import Share
from ...evaluation.plots import ANY_INFECTION
from ...evaluation.site_cases import CLEAR, INFECTED, STATES, pneumonias
from ...metrics.bootstrap import bootstrap_of_sums, ratio
from ...metrics.curves import Curves, draw_curves
from ...verdict import Classes
from .site_outcome import SiteOutcome
from .summary import spread

UNDECIDED = "undecided"
REFUSED = "refused"
UNKNOWN = "not known"


@dataclass(frozen=True)
class LungRow:
    """The lungs of one state.

    Attributes:
        state: of the table, or ``UNKNOWN``.
        lungs: how many.
        flagged: how many of them hold an infection region.
        regions: infection regions in all of them.
        affected: mean, median, lowest and highest affected share in percent, of the lungs that were measured.
    """

    state: str
    lungs: int
    flagged: int
    regions: int
    affected: dict[str, float]


@dataclass(frozen=True)
class SiteFigures:
    """The figures of the counted scans.

    Attributes:
        scans: number of them.
        patients: number of their patients.
        refused: number of scans that were refused.
        sensitivity: flagged ones of the pneumonias.
        specificity: scans that are not flagged, of those without pneumonia.
        curves: of the calibrated probability; None where a screened scan has none, so that nothing is calibrated.
        types: right ones of the scans whose class is a type of infection; an undecided one is not right.
        decided_types: the same of those that are flagged and decided.
        undecided: scans of a type that were flagged without a type.
        taken_for: how often each class (of the table) was taken for what.
        lung_sensitivity: infected lungs with an infection region.
        lung_specificity: clear lungs without one.
        lungs: by state; every state that occurs.
        regions: infection regions a pneumonia scan.
        candidates: all regions a pneumonia scan.
        false_regions: infection regions in clear lungs, a scan that has such a lung.
        overlaps: pairs of infection regions that overlap by more than half of the smaller.
        overlapping: scans with such a pair.
        candidate_overlaps: such pairs among all regions, the irrelevant ones included.
        seconds: mean, median, lowest and highest of a screening.
    """

    scans: int
    patients: int
    refused: int
    sensitivity: Share
    specificity: Share
    curves: Curves | None
    types: Share
    decided_types: Share
    undecided: int
    taken_for: dict[str, dict[str, int]]
    lung_sensitivity: Share
    lung_specificity: Share
    lungs: tuple[LungRow, ...]
    regions: Share
    candidates: Share
    false_regions: Share
    overlaps: int
    overlapping: int
    candidate_overlaps: int
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types."""
        shares = {name: value.to_dict() for name, value in vars(self).items() if isinstance(value, Share)}
        return {
            **vars(self),
            **shares,
            "curves": self.curves.to_dict() if self.curves else None,
            "lungs": [dict(vars(row)) for row in self.lungs],
        }


def site_figures(outcomes: Sequence[SiteOutcome], classes: Classes) -> SiteFigures:
    """The figures of the counted outcomes.

    Raises:
        ValueError: if none is counted.
    """
    counted = [outcome for outcome in outcomes if outcome.case.counted]
    of_patient = _Patients(counted)
    sick = pneumonias(classes)
    ill = [outcome.case.label in sick for outcome in counted]
    typed = [outcome.case.label in classes.infections for outcome in counted]
    right = [outcome.flagged and outcome.decided and outcome.verdict == outcome.case.label for outcome in counted]
    settled = [is_typed and o.flagged and o.decided for is_typed, o in zip(typed, counted, strict=True)]
    with_clear = [CLEAR in outcome.case.lungs.values() for outcome in counted]
    return SiteFigures(
        scans=len(counted),
        patients=of_patient.count,
        refused=sum(outcome.reason is not None for outcome in counted),
        sensitivity=of_patient.share([outcome.flagged for outcome in counted], ill),
        specificity=of_patient.share([not outcome.flagged for outcome in counted], [not one for one in ill]),
        curves=_curves(counted, ill, of_patient.places),
        types=of_patient.share(right, typed),
        decided_types=of_patient.share(right, settled),
        undecided=sum(is_typed and o.flagged and not o.decided for is_typed, o in zip(typed, counted, strict=True)),
        taken_for=_taken_for(counted, sick),
        lung_sensitivity=of_patient.lungs(counted, INFECTED, flagged=True),
        lung_specificity=of_patient.lungs(counted, CLEAR, flagged=False),
        lungs=tuple(row for state in (*STATES, UNKNOWN) if (row := _lung_row(state, counted)).lungs),
        regions=of_patient.share([outcome.found for outcome in counted], ill),
        candidates=of_patient.share([outcome.candidates for outcome in counted], ill),
        false_regions=of_patient.share([outcome.false_regions for outcome in counted], with_clear),
        overlaps=sum(outcome.overlaps for outcome in counted),
        overlapping=sum(outcome.overlaps > 0 for outcome in counted),
        candidate_overlaps=sum(outcome.candidate_overlaps for outcome in counted),
        seconds=spread([outcome.seconds for outcome in counted if outcome.seconds is not None]),
    )


def verdict_word(outcome: SiteOutcome) -> str:
    """What a scan was taken for: a label, ``UNDECIDED`` for an infection without a type, or ``REFUSED``."""
    if outcome.verdict is None:
        return REFUSED
    return UNDECIDED if outcome.flagged and not outcome.decided else outcome.verdict


class _Patients:
    """Sums by patient and the shares that follow from them."""

    def __init__(self, outcomes: Sequence[SiteOutcome]) -> None:
        order = {patient: i for i, patient in enumerate(dict.fromkeys(o.case.patient for o in outcomes))}
        self.count = len(order)
        self.places = np.array([order[outcome.case.patient] for outcome in outcomes], dtype=np.int64)

    def share(self, parts: Sequence[int], wholes: Sequence[bool]) -> Share:
        """The sum of the parts whose whole is counted, over the number of these."""
        whole = np.array(wholes, dtype=np.float64)
        return self._share(np.stack([np.array(parts, dtype=np.float64) * whole, whole], axis=1))

    def lungs(self, outcomes: Sequence[SiteOutcome], state: str, flagged: bool) -> Share:
        """Of the lungs in a state, the share of those that hold an infection region, or hold none."""
        rows = np.zeros((len(outcomes), 2))
        for row, outcome in zip(rows, outcomes, strict=True):
            sides = [side for side in SIDES if outcome.case.lungs.get(side) == state]
            row[:] = sum((outcome.regions[side] > 0) == flagged for side in sides), len(sides)
        return self._share(rows)

    def _share(self, rows: NDArray[np.float64]) -> Share:
        sums = np.zeros((self.count, 2))
        np.add.at(sums, self.places, rows)
        part, whole = sums.sum(axis=0)
        interval = bootstrap_of_sums(sums, lambda drawn: ratio(drawn[:, :1], drawn[:, 1:]))[0]
        return Share(round(part), round(whole), interval)


def _curves(outcomes: Sequence[SiteOutcome], ill: Sequence[bool], places: NDArray[np.int64]) -> Curves | None:
    screened = [outcome for outcome in outcomes if outcome.reason is None]
    if not screened or any(outcome.infection is None for outcome in screened):
        return None
    scores = np.array([outcome.infection or 0.0 for outcome in outcomes], dtype=np.float64)
    return draw_curves(ANY_INFECTION, scores, np.array(ill, dtype=bool), places)


def _taken_for(outcomes: Sequence[SiteOutcome], sick: Sequence[str]) -> dict[str, dict[str, int]]:
    """Classes of pneumonia first, then the others, each in the order in which they come."""
    labels = dict.fromkeys(outcome.case.label for outcome in outcomes)
    ordered = [*(name for name in sick if name in labels), *(name for name in labels if name not in sick)]
    return {
        name: dict(Counter(verdict_word(outcome) for outcome in outcomes if outcome.case.label == name))
        for name in ordered
    }


def _lung_row(state: str, outcomes: Sequence[SiteOutcome]) -> LungRow:
    lungs = [(o, side) for o in outcomes for side in SIDES if o.case.lungs.get(side, UNKNOWN) == state]
    regions = [outcome.regions[side] for outcome, side in lungs]
    affected = [outcome.affected[side] for outcome, side in lungs if side in outcome.affected]
    return LungRow(state, len(lungs), sum(count > 0 for count in regions), sum(regions), spread(affected))
