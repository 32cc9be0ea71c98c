"""The sheet of a case: one page with its picture and what the report says, as PDF and as pixels."""

import base64
import io
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image

from .. import RESEARCH_USE_ONLY
from ..case import SIDES, Case
from ..verdict import Classes
from . import wording
from .drawing import Drawing

_A4_INCHES = (8.27, 11.69)
_OVERVIEW_INCHES, _OVERVIEW_DPI = (9.0, 9.0), 100
# Of a page's height or width, from its foot and its left side.
_LEFT, _FOOT, _PICTURE, _LINE, _ROW = 0.07, 0.06, 0.32, 0.0145, 0.0165
_SIGNS = 118
"""Of a line."""
_MOST_LINES = 17
"""On the first page; what is more follows at the end."""
_LINES_A_PAGE, _ROWS_A_PAGE = 55, 48
_GREY = "#5f6b7a"
_OUTLINE = [withStroke(linewidth=2.0, foreground="black")]
"""Lungs are dark and what lies below them is bright: a text on either is to be read."""
_OPPOSITE = {"L": "R", "R": "L"}
"""Of the side to which a picture's rows run."""
_NAMES = ("Region", "Side", "Label", "Confidence", "By", "Infected", "Box (mm)")
_PLACES = (0.07, 0.16, 0.25, 0.42, 0.55, 0.65, 0.77)
"""Of the table's columns."""


def overview(case: Case, drawing: Drawing) -> NDArray[np.uint8]:
    """The picture of a case with its boxes and its verdict, RGB [row, column, 3]."""
    figure = Figure(figsize=_OVERVIEW_INCHES, dpi=_OVERVIEW_DPI, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    said = [_verdict(case), f"{drawing.title}. {RESEARCH_USE_ONLY}"]
    for line, (text, size) in enumerate(zip(said, (15, 10), strict=True)):
        figure.text(0.03, 0.955 - 0.03 * line, text, color="white", fontsize=size)
    _draw(figure.add_axes((0.02, 0.02, 0.96, 0.88)), drawing, 9.0)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def pdf(case: Case, drawing: Drawing, classes: Classes, study_uid: str) -> bytes:
    """The pages of a case as PDF; it holds nobody's name and no date, and is the same each time."""
    buffer = io.BytesIO()
    with PdfPages(buffer, metadata={"Title": "PneumoScreen", "CreationDate": None}) as file:
        for page in pages_of(case, drawing, classes, study_uid):
            file.savefig(page)
    return buffer.getvalue()


def pages_of(case: Case, drawing: Drawing, classes: Classes, study_uid: str) -> list[Figure]:
    """The first page with the picture, and as many more as regions and notes need."""
    said = (*wording.in_sentences(case, classes)[2:], *_lung_lines(case))
    lines = [line for text in said for line in textwrap.wrap(text, _SIGNS)]
    first = _page()
    first.text(_LEFT, 0.915, _verdict(case), fontsize=18, weight="bold")
    first.text(_LEFT, 0.03, f"Study {study_uid}", fontsize=6, color=_GREY)
    top = _text(first, lines[:_MOST_LINES], 0.885) - _PICTURE
    _draw(first.add_axes((_LEFT, top, 1 - 2 * _LEFT, _PICTURE)), drawing, 6.0)
    rows, pages = list(_rows(case)), [first]
    fit = int((top - _FOOT) / _ROW) - 2
    if rows:
        _table(first, rows[:fit], top - 0.03)
    for start in range(fit, len(rows), _ROWS_A_PAGE):
        pages.append(_page())
        _table(pages[-1], rows[start : start + _ROWS_A_PAGE], 0.92)
    for start in range(_MOST_LINES, len(lines), _LINES_A_PAGE):
        pages.append(_page())
        _text(pages[-1], lines[start : start + _LINES_A_PAGE], 0.92)
    return pages


def _page() -> Figure:
    figure = Figure(figsize=_A4_INCHES)
    FigureCanvasPdf(figure)
    figure.text(_LEFT, 0.955, "PneumoScreen", fontsize=9, color=_GREY)
    figure.text(1 - _LEFT, 0.955, RESEARCH_USE_ONLY, fontsize=9, color=_GREY, ha="right")
    return figure


def _text(figure: Figure, lines: Sequence[str], top: float) -> float:
    """Lines from a height downwards; returns the height below them."""
    for number, line in enumerate(lines):
        figure.text(_LEFT, top - _LINE * number, line, fontsize=8)
    return top - _LINE * len(lines)


def _verdict(case: Case) -> str:
    return wording.capital(wording.case_verdict_name(case))


def _lung_lines(case: Case) -> Iterator[str]:
    for side in SIDES:
        if side in case.lungs:
            lung = case.lungs[side]
            yield f"{side.capitalize()} lung: {lung.volume_ml:.0f} ml, {lung.affected_percent:.1f} % affected."
        if case.cxr is not None and side in case.cxr.sides:
            likely = wording.plain(wording.percent(case.cxr.sides[side]))
            yield f"{side.capitalize()} lung: probability of an opacity {likely}."


def _rows(case: Case) -> Iterator[list[str]]:
    for region in case.regions:
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


def _table(figure: Figure, rows: Sequence[Sequence[str]], top: float) -> None:
    for line, row in enumerate([_NAMES, *rows]):
        weight: Any = "bold" if line == 0 else "normal"
        for place, text in zip(_PLACES, row, strict=True):
            figure.text(place, top - _ROW * line, text, fontsize=7.5, weight=weight)


def _draw(axes: Axes, drawing: Drawing, letters: float) -> None:
    """The picture with its boxes; their numbers stand above them, as in the report."""
    axes.axis("off")
    place: dict[str, Any] = {"extent": (0, drawing.width, drawing.height, 0), "aspect": "equal"}
    for layer in filter(None, (drawing.picture, drawing.overlay)):
        axes.imshow(_pixels(layer), cmap="gray", vmin=0, vmax=255, **place)
    colours = {f"type-{i}": pair for i, pair in enumerate(wording.PALETTE)}
    for box in drawing.boxes:
        # Pictures are dark on either ground.
        colour = colours.get(box.key, wording.IRRELEVANT_COLOUR)[1]
        axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, fill=False, edgecolor=colour, linewidth=1.2))
        axes.text(box.x, box.y, box.text, color=colour, fontsize=letters, va="bottom", path_effects=_OUTLINE)
    _letter_sides(axes, drawing, letters)
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)


def _letter_sides(axes: Axes, drawing: Drawing, size: float) -> None:
    """R and L at the sides of the patient."""
    towards = drawing.orientation[0]
    for letter, place, alignment in ((_OPPOSITE[towards], 0.01, "left"), (towards, 0.99, "right")):
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": alignment, "va": "center"}
        axes.text(place, 0.5, letter, color="white", fontsize=1.5 * size, weight="bold", path_effects=_OUTLINE, **where)


def _pixels(data_uri: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2]))) as picture:
        return np.asarray(picture if picture.mode != "P" else picture.convert("RGBA"))
