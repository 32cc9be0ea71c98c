"""Disease told within one source: the figures of the X-ray method on a site's films, group by group."""

from typing import Any

from ...errors import PneumoScreenError
from ...evaluation.request import Evaluation, TableRequest
from ...evaluation.site_cases import SiteCase, check_classes
from ...images.radiograph_reader import read_radiograph_file
from ..screening import CxrScreener
from .film_figures import SICK, FilmOutcome, figures_by_group, figures_to_text


def evaluate_films(request: TableRequest) -> Evaluation:
    """Screen the X-rays of a table that meet the conditions and compute the figures of each group.

    Films of one source share a ``group``.

    Raises:
        PneumoScreenError: if table or models cannot be used.
    """
    rows = [row for row in request.rows if row.counted]
    check_classes(request.table, rows, SICK)
    screener = CxrScreener.from_store(request.store, request.device)
    progress = request.counting(len(rows), "")
    outcomes = []
    for done, row in enumerate(rows, start=1):
        outcomes.append(_outcome(row, screener))
        progress(done, row.path)
    groups = figures_by_group(outcomes)
    document: dict[str, Any] = {
        "table": request.table.name,
        "where": [str(condition) for condition in request.conditions],
        "models": {name: vars(info) for name, info in screener.models.items()},
        "groups": [group.to_dict() for group in groups],
        "films": [outcome.to_dict() for outcome in outcomes],
    }
    return Evaluation(document, figures_to_text(groups))


def _outcome(row: SiteCase, screener: CxrScreener) -> FilmOutcome:
    """What an X-ray was taken for; a refusal is an outcome too."""
    try:
        radiograph = read_radiograph_file(row.file)
        return FilmOutcome.of(row, screener.screen(radiograph).case)
    except PneumoScreenError as error:
        return FilmOutcome(row, reason=" ".join(str(error).split()).replace(str(row.file), row.path))
