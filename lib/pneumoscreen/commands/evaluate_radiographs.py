"""``pneumoscreen evaluate --modality cxr``: the figures of the X-ray method on labelled studies or synthetic X-rays."""

from pathlib import Path

from ..ct.figures.cases import studies_of_side, trained_otherwise
from ..cxr.figures.cases import phantom_radiographs, radiograph_cases
from ..cxr.figures.cohort import KeptOutcomes, evaluate_radiographs
from ..cxr.figures.files import write_summary
from ..cxr.figures.readers import operating_points, read_readers
from ..cxr.figures.summary import RadiographPopulation, summarize_radiographs
from ..cxr.figures.text import radiographs_to_text
from ..cxr.screening import CxrScreener
from ..errors import ConfigError
from ..models.store import ModelStore
from ..studies.folder_split import source_in_words
from ..studies.split import Side
from .device import pick_device
from .folders import prepare_folder
from .terminal import complain, progress_of

ALL_SIDES = "all"
PHANTOMS = 90
FIRST_SEED = 900_000
"""Far from the seeds of the starter weights and of trainings: no phantom of a cohort has been seen."""


def evaluate_radiograph_models(
    out: Path,
    *,
    studies: Path | None = None,
    side: str | None = None,
    calibrate: bool = False,
    cases: int | None = None,
    seed: int | None = None,
    readers: Path | None = None,
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
) -> None:
    """Screen labelled X-rays, print the figures and write ``evaluation.json``, ``.txt`` and ``.html`` into ``out``.

    Args:
        out: folder for the figures; made where missing.
        studies: studies folder with labels; None takes phantoms.
        side: of the split by patient, or ``all``; the test side by default.
        calibrate: refused: a training of X-ray networks fits its temperature itself.
        cases: number of phantoms.
        seed: of the first phantom.
        readers: CSV of what readers said (case, reader, label).
        model_dir: root of the model store; None takes the project's own.
        device: as of the other commands.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if options, models, studies or folders cannot be used.
    """
    _check_options(studies, side, calibrate, cases, seed)
    # Before the screening, not after it.
    readings = read_readers(readers) if readers is not None else {}
    out = prepare_folder(out)
    store = ModelStore(model_dir)
    screener = CxrScreener.from_store(store, pick_device(device))
    if studies is None:
        count, first = cases or PHANTOMS, FIRST_SEED if seed is None else seed
        chosen = phantom_radiographs(count, first)
        source, how = f"synthetic X-rays, seeds {first} to {first + count - 1}", None
    else:
        which = side or Side.TEST.value
        chosen = radiograph_cases(
            studies_of_side(studies, None if which == ALL_SIDES else Side(which), complain, "CXR")
        )
        for sentence in trained_otherwise(studies, store, screener.models) if which != ALL_SIDES else ():
            complain(sentence)
        source, how = source_in_words(studies, which), f"{which} side of the split"
    cohort = evaluate_radiographs(chosen, screener, progress_of(len(chosen)), KeptOutcomes(out / "outcomes", screener))
    summary = summarize_radiographs(
        cohort.outcomes,
        RadiographPopulation.of(cohort.outcomes, source, how, screener.models),
        cohort.left_out,
        operating_points(readings, cohort.outcomes),
    )
    write_summary(out, summary)
    if as_json:
        print((out / "evaluation.json").read_text(encoding="utf-8"), end="")
    else:
        print(radiographs_to_text(summary), end="")


def _check_options(
    studies: Path | None, side: str | None, calibrate: bool, cases: int | None, seed: int | None
) -> None:
    if calibrate:
        raise ConfigError("--calibrate is for CT: a training of X-ray networks fits its temperature itself")
    if studies is None and side is not None:
        raise ConfigError("--side needs --studies: phantoms have no sides")
    if studies is not None and (cases is not None or seed is not None):
        raise ConfigError(
            f"{'--cases' if cases is not None else '--seed'} is for phantoms; leave it out with --studies"
        )
