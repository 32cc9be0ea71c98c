"""``pneumoscreen evaluate``: figures of a method on labelled studies, synthetic cases or a site's own images."""

import sys
from collections.abc import Sequence
from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..errors import ConfigError
from ..evaluation.request import CohortRequest, Evaluation, TableRequest
from ..evaluation.site_cases import parse_conditions, read_table
from ..method import Method
from ..models.store import ModelStore
from ..output import prepare_folder, write_evaluation
from ..studies.split import Side
from .device import pick_device
from .screen import STATUS_FAULT, STATUS_OK
from .terminal import complain, progress_of


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

    Raises:
        PneumoScreenError: if options, models, studies or folders cannot be used.
    """
    _check_options(method, studies, side, calibrate, cases, seed)
    request = CohortRequest(
        prepare_folder(out),
        ModelStore(model_dir),
        pick_device(device),
        complain,
        progress_of,
        studies=studies,
        side=side or Side.TEST.value,
        calibrate=calibrate,
        cases=cases,
        seed=seed,
        readers=readers,
    )
    _tell(request.out, method.evaluate(request), as_json)


def evaluate_table(
    method: Method,
    table: Path,
    out: Path,
    *,
    where: Sequence[str] = (),
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
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
        pick_device(device),
        complain,
        progress_of,
        table=table,
        conditions=conditions,
        rows=rows,
    )
    figures = method.evaluate_table(request)
    _tell(out, figures, as_json)
    if figures.page is not None:
        complain(f"page: {out / 'evaluation.html'}")
    return STATUS_FAULT if figures.faults else STATUS_OK


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
