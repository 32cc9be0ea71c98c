"""``pneumoscreen evaluate`` and ``crossvalidate``: figures of a method, and of its readers."""

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..errors import ConfigError
from ..evaluation.reader_page import render_reader_page
from ..evaluation.reader_study import readings_of
from ..evaluation.reader_summary import summarize_readers
from ..evaluation.reader_text import readers_to_text
from ..evaluation.request import CohortRequest, CrossRequest, Evaluation, TableRequest
from ..evaluation.site_cases import parse_conditions, read_table
from ..images.inputs import Modality
from ..method import Method
from ..methods import METHODS
from ..models.store import ModelStore
from ..output import prepare_folder, write_evaluation
from ..server.store.studies_source import labelled_at_hand
from ..studies.cases import find_scans
from ..studies.folder_split import folder_split
from ..studies.split import Side
from ..workers.asked import UNASKED, Workers
from .device import pick_device
from .screen import STATUS_FAULT, STATUS_OK
from .terminal import complain, progress_of

_NUMBER = re.compile(r"[+-]?\d+")


def evaluate_models(
    method: Method,
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
    workers: Workers = UNASKED,
) -> None:
    """Screen labelled cases, print the figures and write ``evaluation.json``, ``.txt`` and ``.html`` into ``out``.

    Args:
        method: whose figures.
        out: folder for the figures; made where missing.
        studies: studies folder with labels; None takes synthetic cases.
        side: of the split by patient, or ``all``; the test side by default.
        calibrate: fit temperatures on the validation side and publish them as a new version.
        cases: number of synthetic cases.
        seed: of the first one.
        readers: CSV of what readers said (case, reader, label).
        model_dir: root of the model store; None takes the project's own.
        device: as of the other commands.
        as_json: print the JSON instead of the text.
        workers: who screens.

    Raises:
        PneumoScreenError: if options, models, studies or folders cannot be used.
    """
    _check_options(method, studies, side, calibrate, cases, seed)
    request = CohortRequest(
        prepare_folder(out),
        ModelStore(model_dir),
        pick_device(workers.device_here(device)),
        complain,
        progress_of,
        studies=studies,
        side=side or Side.TEST.value,
        calibrate=calibrate,
        cases=cases,
        seed=seed,
        readers=readers,
        workers=workers,
    )
    with nullcontext() if studies is None else labelled_at_hand(studies, method.modality, complain):
        figures = method.evaluate(request)
    _tell(request.out, figures, as_json)


def evaluate_table(
    method: Method,
    table: Path,
    out: Path,
    *,
    where: Sequence[str] = (),
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
    workers: Workers = UNASKED,
) -> int:
    """Screen a site's own images, print the figures and write them into ``out``.

    Args:
        method: whose figures.
        table: CSV of the images; see ``evaluation.site_cases``.
        out: folder for everything; made where missing.
        where: ``column=value`` conditions on the rows that count.
        model_dir: root of the model store; None takes the project's own.
        device: as of the other commands.
        as_json: print the JSON instead of the text.
        workers: who screens.

    Returns:
        The exit status: 0, also where images were refused; 1 where the program failed on one.

    Raises:
        PneumoScreenError: if table, options, models or folder cannot be used.
    """
    conditions = parse_conditions(where)
    rows = read_table(table, conditions)
    out = prepare_folder(out)
    print(RESEARCH_USE_ONLY, file=sys.stderr)
    request = TableRequest(
        out,
        ModelStore(model_dir),
        pick_device(workers.device_here(device)),
        complain,
        progress_of,
        table=table,
        conditions=conditions,
        rows=rows,
        workers=workers,
    )
    figures = method.evaluate_table(request)
    _tell(out, figures, as_json)
    if figures.page is not None:
        complain(f"page: {out / 'evaluation.html'}")
    return STATUS_FAULT if figures.faults else STATUS_OK


def evaluate_reader_study(studies: Path | None, out: Path, *, modality: Modality = "CT", as_json: bool = False) -> None:
    """Print the figures of a reader study and write ``evaluation.json``, ``.txt`` and ``.html`` into ``out``.

    No network is asked: readings are compared with what the model said when they were made.

    Args:
        studies: studies folder with submissions.
        out: folder for the figures; made where missing.
        modality: of the cases.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if options, studies or folders cannot be used.
    """
    if studies is None:
        raise ConfigError("--reader-study needs --studies: the folder in which readers submitted")
    out = prepare_folder(out)
    with labelled_at_hand(studies, modality, complain):
        scans = [study for study in find_scans(studies, complain) if study.scan.modality == modality]
        found = readings_of(studies, scans, modality)
    source = f"studies folder {studies.resolve().name}"
    summary = summarize_readers(found, source, modality, folder_split(studies))
    _tell(out, Evaluation(summary.to_dict(), readers_to_text(summary), render_reader_page(summary)), as_json)
    complain(f"page: {out / 'evaluation.html'}")


def crossvalidate(request: CrossRequest, *, as_json: bool = False) -> None:
    """Cross-validate a network, print the tables, and leave them in the folder as JSON, text and HTML.

    Args:
        request: what is asked for.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if options, images, models or folders cannot be used.
    """
    task = request.set_up.get("task")
    able = [method for method in METHODS if method.cross_tasks]
    method = next((method for method in able if task in method.cross_tasks), able[0])
    with labelled_at_hand(request.studies, method.modality, complain):
        written = method.crossvalidate(request)
    print(written.with_suffix(".json" if as_json else ".txt").read_text(encoding="utf-8"), end="")


def table_of_cases(cases: str | None, where: Sequence[str], others: Mapping[str, bool]) -> Path | None:
    """The table that the option names; None where it is absent or a whole number.

    Args:
        cases: the option's value.
        where: conditions on the table's rows.
        others: options that do not go with a table, and whether each is given.

    Raises:
        ConfigError: if an option does not go with the others.
    """
    if cases is None or _NUMBER.fullmatch(cases):
        if where:
            raise ConfigError(f"--where {where[0]} needs --cases TABLE: synthetic cases have no columns")
        return None
    for option, given in others.items():
        if given:
            raise ConfigError(f"{option} does not go with --cases {cases}: the table names scans and their truth")
    return Path(cases)


def number_of_cases(cases: str | None) -> int | None:
    """How many synthetic cases the option asks for; None where it is absent.

    Raises:
        ConfigError: if it is below 1.
    """
    if cases is None:
        return None
    number = int(cases)
    if number < 1:
        raise ConfigError(f"--cases {cases}: at least 1 synthetic case is needed; for a table give its path")
    return number


def _tell(out: Path, figures: Evaluation, as_json: bool) -> None:
    write_evaluation(out, figures.document, figures.text, figures.page)
    print((out / "evaluation.json").read_text(encoding="utf-8") if as_json else figures.text, end="")


def _check_options(
    method: Method, studies: Path | None, side: str | None, calibrate: bool, cases: int | None, seed: int | None
) -> None:
    if calibrate and method.calibrates_itself:
        raise ConfigError(f"--calibrate {method.calibrates_itself}")
    if studies is None and (calibrate or side is not None):
        raise ConfigError(f"{'--calibrate' if calibrate else '--side'} needs --studies: phantoms have no sides")
    if studies is not None and (cases is not None or seed is not None):
        raise ConfigError(
            f"{'--cases' if cases is not None else '--seed'} is for phantoms; leave it out with --studies"
        )
    if calibrate and side not in (None, Side.TEST):
        raise ConfigError(f"--calibrate reports on the test side; leave out --side {side}")
