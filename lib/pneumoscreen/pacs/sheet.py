"""The sheet of a case: one page with its picture and what the report says, as PDF and as pixels."""

import base64
import io
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from .. import RESEARCH_USE_ONLY
from ..case import SIDES
from ..method import Drawing
from ..report import wording
from .about import About
from .structured_report import sentences

_A4_INCHES = (8.27, 11.69)
_ROWS_A_PAGE = 24
_OVERVIEW_INCHES, _OVERVIEW_DPI = (9.0, 9.0), 100
_LINE = 118
"""Signs of a line of a page."""
_COLUMNS = ("Region", "Side", "Label", "Confidence", "By", "Infected", "Box (mm)")


def overview(about: About) -> NDArray[np.uint8]:
    """The picture of a case with its boxes and its verdict, RGB [row, column, 3]."""
    figure = Figure(figsize=_OVERVIEW_INCHES, dpi=_OVERVIEW_DPI, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    said = [_verdict(about), f"{about.drawing.title}. {RESEARCH_USE_ONLY}"]
    for line, (text, size) in enumerate(zip(said, (15, 10), strict=True)):
        figure.text(0.03, 0.955 - 0.03 * line, text, color="white", fontsize=size)
    _draw(figure.add_axes((0.02, 0.02, 0.96, 0.88)), about.drawing, on_dark=True)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def pdf(about: About) -> bytes:
    """The pages of a case as PDF; it holds nobody's name and no date, and is the same each time."""
    buffer = io.BytesIO()
    rows = list(_rows(about))
    with PdfPages(buffer, metadata={"Title": "PneumoScreen", "CreationDate": None}) as pages:
        pages.savefig(_first_page(about, rows[:_ROWS_A_PAGE]))
        for start in range(_ROWS_A_PAGE, len(rows), 2 * _ROWS_A_PAGE):
            figure = _page()
            _table(figure, rows[start : start + 2 * _ROWS_A_PAGE], 0.92)
            pages.savefig(figure)
    return buffer.getvalue()


def _page() -> Figure:
    figure = Figure(figsize=_A4_INCHES)
    FigureCanvasPdf(figure)
    figure.text(0.07, 0.955, "PneumoScreen", fontsize=9, color="#5f6b7a")
    figure.text(0.93, 0.955, RESEARCH_USE_ONLY, fontsize=9, color="#5f6b7a", ha="right")
    return figure


def _first_page(about: About, rows: list[list[str]]) -> Figure:
    figure = _page()
    figure.text(0.07, 0.915, _verdict(about), fontsize=18, weight="bold")
    top = 0.885
    for text in (*sentences(about)[2:], *_lung_lines(about)):
        for line in textwrap.wrap(text, _LINE):
            figure.text(0.07, top, line, fontsize=8)
            top -= 0.0145
    top = max(top, 0.60)
    height = min(0.36, max(top - 0.12 - 0.02 * len(rows), 0.2))
    _draw(figure.add_axes((0.07, top - height, 0.86, height)), about.drawing, on_dark=False)
    if rows:
        _table(figure, rows, top - height - 0.03)
    figure.text(0.07, 0.03, f"Study {about.source.study_uid}", fontsize=6, color="#5f6b7a")
    return figure


def _verdict(about: About) -> str:
    return wording.capital(wording.case_verdict_name(about.case))


def _lung_lines(about: About) -> Iterator[str]:
    case = about.case
    for side in SIDES:
        if side in case.lungs:
            lung = case.lungs[side]
            yield f"{side.capitalize()} lung: {lung.volume_ml:.0f} ml, {lung.affected_percent:.1f} % affected."
        if case.cxr is not None and side in case.cxr.sides:
            likely = wording.plain(wording.percent(case.cxr.sides[side]))
            yield f"{side.capitalize()} lung: probability of an opacity {likely}."


def _rows(about: About) -> Iterator[list[str]]:
    for region in about.case.regions:
        label, confidence = region.opinion or ("unknown", 0.0)
        yield [
            region.id,
            region.side,
            wording.display_name(label),
            wording.plain(wording.percent(confidence)),
            "algorithm" if region.reader is None else "reader",
            "not measured" if region.infected_ml is None else f"{region.infected_ml:.1f} ml",
            " \u00d7 ".join(f"{mm:.0f}" for mm in region.size_mm),
        ]


def _table(figure: Figure, rows: list[list[str]], top: float) -> None:
    places = (0.07, 0.16, 0.25, 0.42, 0.55, 0.65, 0.77)
    for line, row in enumerate([list(_COLUMNS), *rows]):
        for place, text in zip(places, row, strict=True):
            weight: Any = "bold" if line == 0 else "normal"
            figure.text(place, top - 0.0165 * line, text, fontsize=7.5, weight=weight)


def _draw(axes: Axes, drawing: Drawing, *, on_dark: bool) -> None:
    """The picture with its boxes; their numbers stand above them, as in the report."""
    axes.axis("off")
    axes.imshow(_pixels(drawing.picture), cmap="gray", extent=(0, drawing.width, drawing.height, 0), aspect="equal")
    colours = {f"type-{i}": pair for i, pair in enumerate(wording.PALETTE)}
    for box in drawing.boxes:
        # Pictures are dark on either ground.
        colour = colours.get(box.key, wording.IRRELEVANT_COLOUR)[1]
        axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, fill=False, edgecolor=colour, linewidth=1.2))
        axes.text(box.x, box.y, box.text, color=colour, fontsize=9 if on_dark else 6, va="bottom")
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)


def _pixels(data_uri: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2]))) as picture:
        return np.asarray(picture)
