"""``pneumoscreen evaluate --modality cxr --cases TABLE``: disease told within one source, group by group."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import RESEARCH_USE_ONLY
from ..cxr.figures.film_figures import SICK, FilmOutcome, figures_by_group, figures_to_text
from ..cxr.figures.film_places import peak_lies_in, read_opacity
from ..cxr.screening import CxrScreener
from ..errors import PneumoScreenError
from ..evaluation.site_cases import SiteCase, check_classes, parse_conditions, read_table
from ..images.radiograph_reader import read_radiograph_file
from ..models.store import ModelStore
from .device import pick_device
from .folders import prepare_folder, write_evaluation
from .screen import STATUS_OK
from .terminal import progress_of


def evaluate_films(
    table: Path,
    out: Path,
    *,
    where: Sequence[str] = (),
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
) -> int:
    """Screen the X-rays of a table that meet the conditions, print the figures of each group and write them.

    Args:
        table: CSV of the X-rays; see ``evaluation.site_cases``. Films of one source share a ``group``.
        out: folder for ``evaluation.json`` and ``evaluation.txt``; made where missing.
        where: ``column=value`` conditions on the rows that are screened.
        model_dir: root of the model store; None takes the project's own.
        device: as of the other commands.
        as_json: print the JSON instead of the text.

    Returns:
        The exit status: 0, also where X-rays were refused.

    Raises:
        PneumoScreenError: if table, options, models or folder cannot be used.
    """
    conditions = parse_conditions(where)
    rows = [row for row in read_table(table, conditions) if row.counted]
    check_classes(table, rows, SICK)
    out = prepare_folder(out)
    print(RESEARCH_USE_ONLY, file=sys.stderr)
    screener = CxrScreener.from_store(ModelStore(model_dir), pick_device(device))
    progress = progress_of(len(rows))
    outcomes = []
    for done, row in enumerate(rows, start=1):
        outcomes.append(_outcome(row, screener))
        progress(done, row.path)
    groups = figures_by_group(outcomes)
    document: dict[str, Any] = {
        "table": table.name,
        "where": [str(condition) for condition in conditions],
        "models": {name: vars(info) for name, info in screener.models.items()},
        "groups": [group.to_dict() for group in groups],
        "films": [outcome.to_dict() for outcome in outcomes],
    }
    text = figures_to_text(groups)
    write_evaluation(out, document, text)
    print((out / "evaluation.json").read_text(encoding="utf-8") if as_json else text, end="")
    return STATUS_OK


def _outcome(row: SiteCase, screener: CxrScreener) -> FilmOutcome:
    """What an X-ray was taken for; a refusal is an outcome too."""
    try:
        radiograph = read_radiograph_file(row.file)
        drawn = None if row.opacity is None else read_opacity(row.opacity, radiograph.pixels.shape)
        screening = screener.screen(radiograph)
        return FilmOutcome.of(row, screening.case, None if drawn is None else peak_lies_in(screening.gradcam, drawn))
    except PneumoScreenError as error:
        return FilmOutcome(row, reason=" ".join(str(error).split()).replace(str(row.file), row.path))
