"""``pneumoscreen evaluate``: the paper's tables, curves and calibration on labelled studies or synthetic cases."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..ct.classifier import MODEL_NAME
from ..ct.figures.cases import LabelledCase, labelled_cases, phantom_cases, studies_of_side, trained_otherwise
from ..ct.figures.cohort import CohortResult, evaluate_cases
from ..ct.figures.outcome_folder import OutcomeFolder
from ..ct.figures.page import render_page
from ..ct.figures.recalibration import fit_heads, publish_temperatures
from ..ct.figures.summary import Population, Summary, summarize
from ..ct.figures.text import to_text
from ..ct.screening import Screener
from ..errors import ConfigError
from ..evaluation.readers import read_cases
from ..metrics.agreement import ReadCase
from ..models.store import ModelStore
from ..studies.cases import Study
from ..studies.folder_split import folder_split, source_in_words
from ..studies.split import Side
from .device import pick_device
from .folders import prepare_folder, write_evaluation
from .terminal import complain, progress_of

ALL_SIDES = "all"
PHANTOMS = 90
FIRST_SEED = 100_000
"""Far from the seeds of training: no phantom of a cohort has been seen."""


def evaluate_models(
    out: Path,
    *,
    studies: Path | None = None,
    side: str | None = None,
    calibrate: bool = False,
    cases: int | None = None,
    seed: int | None = None,
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
) -> None:
    """Screen labelled cases, print the figures and write ``evaluation.json``, ``.txt`` and ``.html`` into ``out``.

    Outcomes are kept in ``out/outcomes`` as they come, so that an interrupted evaluation goes on where it stopped.

    Args:
        out: folder for the figures; made where missing.
        studies: studies folder with labels; None takes phantoms.
        side: of the split by patient, or ``all``; the test side by default.
        calibrate: fit temperatures on the validation side and publish them as a new version of the classifier.
        cases: number of phantoms.
        seed: of the first phantom.
        model_dir: root of the model store; None takes the project's own.
        device: as of the other commands.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if options, models, studies or folders cannot be used.
    """
    _check_options(studies, side, calibrate, cases, seed)
    out = prepare_folder(out)
    store = ModelStore(model_dir)
    screener = Screener.from_store(store, pick_device(device))
    kept = OutcomeFolder(out / "outcomes", screener)
    if studies is None:
        count, first = cases or PHANTOMS, FIRST_SEED if seed is None else seed
        result = _screen(phantom_cases(count, first, screener.classes), screener, kept)
        source = f"synthetic cases, seeds {first} to {first + count - 1}"
        summary = summarize(result, Population.of(result, source, None, screener.models))
    else:
        summary = _evaluate_studies(studies, side or Side.TEST, calibrate, store, screener, kept)
    write_evaluation(out, summary.to_dict(), to_text(summary), render_page(summary))
    print((out / "evaluation.json").read_text(encoding="utf-8") if as_json else to_text(summary), end="")


def _evaluate_studies(
    folder: Path, side: str, calibrate: bool, store: ModelStore, screener: Screener, kept: OutcomeFolder
) -> Summary:
    chosen = studies_of_side(folder, None if side == ALL_SIDES else Side(side), complain)
    if side != ALL_SIDES:
        for sentence in trained_otherwise(folder, store, screener.models):
            complain(sentence)
    # Before hours of screening, not after them.
    held = studies_of_side(folder, Side.VALIDATION) if calibrate else []
    models = dict(screener.models)
    validation = _screen(labelled_cases(held, screener.classes), screener, kept, "validation ") if calibrate else None
    result = _screen(labelled_cases(chosen, screener.classes), screener, kept)
    if validation is not None:
        temperatures = fit_heads(validation)
        result = result.under(temperatures)
        version = _publish(folder, store, screener, validation, temperatures)
        if version is not None:
            models[MODEL_NAME] = replace(models[MODEL_NAME], version=version)
    population = Population.of(result, source_in_words(folder, side), side, models)
    return summarize(result, population, _read(folder, chosen, result))


def _read(folder: Path, studies: Sequence[Study], result: CohortResult) -> list[ReadCase]:
    screened = {outcome.case_id for outcome in result.outcomes}
    return read_cases(folder, [study for study in studies if study.case_id in screened], result.classes)


def _publish(
    folder: Path, store: ModelStore, screener: Screener, validation: CohortResult, temperatures: Mapping[str, float]
) -> int | None:
    """Store the temperatures and say so; None where the weights have them already."""
    found = ", ".join(f"{head.upper()} {value:.3f}" for head, value in sorted(temperatures.items()))
    fitted = f"temperatures fitted on {len(validation.patients)} validation patients: {found}"
    weights = store.load(MODEL_NAME, screener.models[MODEL_NAME].version)
    command = f"pneumoscreen evaluate --studies {folder} --calibrate"
    split = folder_split(folder).model_dump()
    version = publish_temperatures(store, weights, temperatures, validation, command, split)
    if version is None:
        complain(f"{fitted}; {MODEL_NAME} version {weights.version} has them already")
    else:
        complain(f"{fitted}; {MODEL_NAME} version {version} published in {store.root}")
    return version


def _screen(cases: Sequence[LabelledCase], screener: Screener, kept: OutcomeFolder, what: str = "") -> CohortResult:
    return evaluate_cases(cases, screener, progress_of(len(cases), what), kept)


def _check_options(
    studies: Path | None, side: str | None, calibrate: bool, cases: int | None, seed: int | None
) -> None:
    if studies is None and (calibrate or side is not None):
        raise ConfigError(f"{'--calibrate' if calibrate else '--side'} needs --studies: phantoms have no sides")
    if studies is not None and (cases is not None or seed is not None):
        raise ConfigError(
            f"{'--cases' if cases is not None else '--seed'} is for phantoms; leave it out with --studies"
        )
    if calibrate and side not in (None, Side.TEST):
        raise ConfigError(f"--calibrate reports on the test side; leave out --side {side}")
