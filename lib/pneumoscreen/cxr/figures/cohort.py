"""The X-ray method on a cohort of radiographs with known truth.

The networks are judged one by one, on what each of them is for: the boxes, the class, and on radiographs that truly
show COVID-19 the affected side, whatever class the networks gave them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...case import SIDES
from ...errors import NoLungsError, PneumoScreenError
from ...evaluation.figures import LeftOut
from ...evaluation.kept import KeptRecords
from ...evaluation.screener_work import ScreenerWork
from ...workers.pool import Pool
from ...workers.results import results_of
from ..discrimination import channels_of, grey_of
from ..localization import lung_of
from ..lung_boxes import find_lung_boxes
from ..screening import CxrScreener
from ..truth import LabelledRadiograph
from .cases import RadiographCase
from .outcome import RadiographOutcome

FORMAT = 1

Progress = Callable[[int, str], None]
"""Told of each radiograph done: how many so far, and a line on it."""


@dataclass(frozen=True)
class RadiographCohort:
    """What came of a cohort.

    Attributes:
        outcomes: one a radiograph; those that could not be screened hold the reason and count as wrong.
        left_out: radiographs whose picture or label cannot be used; they count for nothing.
    """

    outcomes: tuple[RadiographOutcome, ...]
    left_out: tuple[LeftOut, ...] = ()


def judge_radiograph(case_id: str, labelled: LabelledRadiograph, screener: CxrScreener) -> RadiographOutcome:
    """What the networks make of a radiograph, beside its truth."""
    radiograph = labelled.radiograph
    known = (case_id, labelled.patient, labelled.label)
    try:
        boxes = find_lung_boxes(radiograph, screener.boxes).by_side()
    except NoLungsError as error:
        return RadiographOutcome(*known, reason=str(error))
    settings = screener.discriminator.settings
    picture = channels_of(grey_of(radiograph, boxes, settings), settings)
    sides: dict[str, float] = {}
    if labelled.sides:
        lungs = np.stack([lung_of(radiograph, boxes[side], side, screener.localiser.settings) for side in SIDES])
        sides = dict(zip(SIDES, screener.localiser.localise(lungs).probabilities.tolist(), strict=True))
    return RadiographOutcome(
        *known,
        probabilities=tuple(screener.discriminator.discriminate(picture[None])[0].tolist()),
        true_sides=labelled.sides,
        side_probabilities=sides,
        true_boxes=labelled.lung_boxes,
        found_boxes=boxes,
    )


class KeptOutcomes:
    """Finished outcomes under one folder: an interrupted evaluation goes on where it stopped.

    Args:
        folder: made by the first outcome that is kept.
        screener: the networks; outcomes of others are not used.
    """

    def __init__(self, folder: Path, screener: CxrScreener) -> None:
        parts = (screener.boxes, screener.discriminator, screener.localiser)
        settings = [part.settings.model_dump(mode="json") for part in parts]
        weights = {name: model.sha256 for name, model in screener.models.items()}
        self._records = KeptRecords(folder, FORMAT, [settings, weights])

    def find(self, case: RadiographCase) -> RadiographOutcome | None:
        """The outcome of a radiograph, if it was judged before under the same conditions."""
        record = self._records.find(case.case_id, case.patient, case.origin)
        try:
            return None if record is None else RadiographOutcome.from_dict(record["outcome"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, case: RadiographCase, outcome: RadiographOutcome) -> None:
        """Keep the outcome of a radiograph.

        Raises:
            OSError: if the folder cannot be written.
        """
        self._records.keep(case.case_id, case.patient, case.origin, content={"outcome": outcome.to_dict()})


Judged = RadiographOutcome | LeftOut


class JudgeWork(ScreenerWork[CxrScreener, RadiographCase, Judged]):
    """Judges a radiograph."""

    def __call__(self, case: RadiographCase, out: Path) -> Judged:
        """What came of a radiograph."""
        del out
        try:
            return judge_radiograph(case.case_id, case.load(), self.screener)
        except PneumoScreenError as error:
            return LeftOut(case.case_id, str(error))

    def name(self, job: RadiographCase) -> str:
        """The radiograph's name."""
        return job.case_id


def evaluate_radiographs(
    cases: Sequence[RadiographCase],
    pool: Pool[RadiographCase, Judged],
    progress: Progress,
    kept: KeptOutcomes,
) -> RadiographCohort:
    """Judge every radiograph of a cohort.

    Args:
        cases: radiographs with their truth.
        pool: who works, with a ``JudgeWork``.
        progress: told of each radiograph done.
        kept: outcomes of an evaluation that was interrupted; those of this one are added.

    Raises:
        PneumoScreenError: if not a single radiograph could be screened.
    """

    def keep(case: RadiographCase, found: Judged) -> None:
        if isinstance(found, RadiographOutcome):
            kept.keep(case, found)

    judged = results_of(cases, pool, lambda done, found: progress(done, _line(found)), kept.find, keep)
    outcomes = [found for found in judged if isinstance(found, RadiographOutcome)]
    left_out = [found for found in judged if isinstance(found, LeftOut)]
    if not any(outcome.probabilities for outcome in outcomes):
        reasons = [outcome.reason for outcome in outcomes] + [case.reason for case in left_out]
        raise PneumoScreenError(f"no X-ray of the cohort could be screened: {reasons[0] if reasons else 'no X-ray'}")
    return RadiographCohort(tuple(outcomes), tuple(left_out))


def _line(found: Judged) -> str:
    if isinstance(found, LeftOut):
        return f"{found.case_id}: left out: {found.reason}"
    if found.verdict is None:
        return f"{found.case_id}: not screened: {found.reason}"
    return f"{found.case_id}: {found.label} taken for {found.verdict}"
