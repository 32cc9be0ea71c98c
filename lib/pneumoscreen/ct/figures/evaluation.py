"""The figures of the CT method: the paper's tables, curves and calibration on labelled studies or synthetic cases."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...evaluation.readers import read_cases
from ...evaluation.request import ALL_SIDES, CohortRequest, Evaluation
from ...evaluation.sides import studies_of_side, trained_otherwise
from ...metrics.agreement import ReadCase
from ...studies.cases import Study
from ...studies.folder_split import folder_split, source_in_words
from ...studies.split import Side
from ..classifier import MODEL_NAME
from ..screening import Screener
from .cases import LabelledCase, labelled_cases, phantom_cases
from .cohort import CohortResult, JudgeWork, evaluate_cases
from .outcome_folder import OutcomeFolder
from .page import render_page
from .recalibration import fit_heads, publish_temperatures
from .summary import Population, Summary, summarize
from .text import to_text

PHANTOMS = 90
FIRST_SEED = 100_000
"""Far from the seeds of training: no phantom of a cohort has been seen."""


def evaluate(request: CohortRequest) -> Evaluation:
    """Screen labelled CTs and compute the figures.

    Outcomes are kept in ``outcomes`` as they come, so that an interrupted evaluation goes on where it stopped.

    Raises:
        PneumoScreenError: if models, studies or folders cannot be used.
    """
    summary = _Evaluation(request).summary()
    return Evaluation(summary.to_dict(), to_text(summary), render_page(summary))


class _Evaluation:
    """One evaluation with its networks and the outcomes that are there."""

    def __init__(self, request: CohortRequest) -> None:
        self._request = request
        self._screener = Screener.from_store(request.store, request.device_here)
        self._kept = OutcomeFolder(request.out / "outcomes", self._screener)

    def summary(self) -> Summary:
        """All figures."""
        request, screener = self._request, self._screener
        if request.studies is not None:
            return self._of_studies(request.studies)
        count, first = request.cases or PHANTOMS, FIRST_SEED if request.seed is None else request.seed
        result = self._screen(phantom_cases(count, first, screener.classes))
        source = f"synthetic cases, seeds {first} to {first + count - 1}"
        return summarize(result, Population.of(result, source, None, screener.models))

    def _of_studies(self, folder: Path) -> Summary:
        request, screener, side = self._request, self._screener, self._request.side
        chosen = studies_of_side(folder, None if side == ALL_SIDES else Side(side), request.say)
        if side != ALL_SIDES:
            for sentence in trained_otherwise(folder, request.store, screener.models):
                request.say(sentence)
        # Before hours of screening, not after them.
        held = studies_of_side(folder, Side.VALIDATION) if request.calibrate else []
        models = dict(screener.models)
        validation = self._screen(labelled_cases(held, screener.classes), "validation ") if request.calibrate else None
        result = self._screen(labelled_cases(chosen, screener.classes))
        if validation is not None:
            temperatures = fit_heads(validation)
            result = result.under(temperatures)
            version = self._publish(folder, validation, temperatures)
            if version is not None:
                models[MODEL_NAME] = replace(models[MODEL_NAME], version=version)
        population = Population.of(result, source_in_words(folder, side), side, models)
        return summarize(result, population, _read(folder, chosen, result))

    def _publish(self, folder: Path, validation: CohortResult, temperatures: Mapping[str, float]) -> int | None:
        """Store the temperatures and say so; None where the weights have them already."""
        store, say = self._request.store, self._request.say
        found = ", ".join(f"{head.upper()} {value:.3f}" for head, value in sorted(temperatures.items()))
        fitted = f"temperatures fitted on {len(validation.patients)} validation patients: {found}"
        weights = store.load(MODEL_NAME, self._screener.models[MODEL_NAME].version)
        command = f"pneumoscreen evaluate --studies {folder} --calibrate"
        split = folder_split(folder).model_dump()
        version = publish_temperatures(store, weights, temperatures, validation, command, split)
        if version is None:
            say(f"{fitted}; {MODEL_NAME} version {weights.version} has them already")
        else:
            say(f"{fitted}; {MODEL_NAME} version {version} published in {store.root}")
        return version

    def _screen(self, cases: Sequence[LabelledCase], what: str = "") -> CohortResult:
        request, screener = self._request, self._screener
        pool = request.pool(JudgeWork(screener, Screener.from_store, request.store))
        return evaluate_cases(cases, screener, request.counting(len(cases), what), self._kept, pool)


def _read(folder: Path, studies: Sequence[Study], result: CohortResult) -> list[ReadCase]:
    screened = {outcome.case_id for outcome in result.outcomes}
    return read_cases(folder, [study for study in studies if study.case_id in screened], result.classes)
