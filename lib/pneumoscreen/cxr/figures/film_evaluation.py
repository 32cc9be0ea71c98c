"""The X-rays of a table screened and set beside what the table says of them."""

from pathlib import Path
from typing import Any

from ...errors import PneumoScreenError
from ...evaluation.request import Evaluation, TableRequest
from ...evaluation.screener_work import ScreenerWork
from ...evaluation.site_cases import SiteCase, check_classes
from ...images.radiograph_reader import read_radiograph_file
from ...workers.results import results_of
from ..screening import CxrScreener
from .film_figures import SICK, FilmOutcome, figures_by_group, figures_to_text
from .film_places import peak_lies_in, read_opacity


def evaluate_films(request: TableRequest) -> Evaluation:
    """Screen the X-rays of a table that meet the conditions and compute the figures of each group.

    Films of one source share a ``group``.

    Raises:
        PneumoScreenError: if table or models cannot be used.
    """
    rows = [row for row in request.rows if row.counted]
    check_classes(request.table, rows, SICK)
    screener = CxrScreener.from_store(request.store, request.device_here)
    progress = request.counting(len(rows), "")
    pool = request.pool(_FilmWork(screener, CxrScreener.from_store, request.store))
    outcomes = results_of(rows, pool, lambda done, found: progress(done, found.case.path))
    groups = figures_by_group(outcomes)
    document: dict[str, Any] = {
        "table": request.table.name,
        "where": [str(condition) for condition in request.conditions],
        "models": {name: vars(info) for name, info in screener.models.items()},
        "groups": [group.to_dict() for group in groups],
        "films": [outcome.to_dict() for outcome in outcomes],
    }
    return Evaluation(document, figures_to_text(groups))


class _FilmWork(ScreenerWork[CxrScreener, SiteCase, FilmOutcome]):
    """Screens an X-ray; a refusal is an outcome too."""

    def __call__(self, row: SiteCase, out: Path) -> FilmOutcome:
        del out
        try:
            radiograph = read_radiograph_file(row.file)
            drawn = None if row.opacity is None else read_opacity(row.opacity, radiograph.pixels.shape)
            screening = self.screener.screen(radiograph)
            peak = None if drawn is None else peak_lies_in(screening.gradcam, drawn)
            return FilmOutcome.of(row, screening.case, peak)
        except PneumoScreenError as error:
            return FilmOutcome(row, reason=" ".join(str(error).split()).replace(str(row.file), row.path))

    def name(self, job: SiteCase) -> str:
        return job.path
