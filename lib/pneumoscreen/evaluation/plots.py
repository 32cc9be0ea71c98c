"""Curves of an evaluation as SVG that is set into the page: its text is text, its colours are those of the page.

Matplotlib draws with the page's light colours; these are then exchanged for the page's own CSS variables, so that a
figure follows a dark screen and prints in ink.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..metrics.calibration import ReliabilityBin
from ..metrics.curves import Curves
from ..metrics.detection import FrocPoint
from ..report.wording import IRRELEVANT_COLOUR, PALETTE
from ..verdict import Classes

INK, QUIET, LINE, ACCENT, SURFACE = "#17202b", "#56626f", "#dbe1e7", "#1f6f78", "#ffffff"
SIZE_INCHES = (4.7, 3.9)
BINS_OF_A_CURVE = 6

_VARIABLES = {
    INK: "--ink",
    QUIET: "--quiet",
    LINE: "--line",
    ACCENT: "--accent",
    SURFACE: "--surface",
    IRRELEVANT_COLOUR[0]: "--irrelevant",
    **{light: f"--type-{i}" for i, (light, _) in enumerate(PALETTE)},
}


@dataclass(frozen=True)
class Line:
    """A curve to draw: points [n, 2], colour, and whether it is that of the classifier in the background."""

    points: NDArray[np.float64]
    colour: str
    behind: bool


def class_colour(label: str, classes: Classes) -> str:
    """The colour of a class in every figure; that of the page's own chips."""
    if label == ANY_INFECTION:
        return INK
    if label in classes.infections:
        return PALETTE[classes.infections.index(label) % len(PALETTE)][0]
    return IRRELEVANT_COLOUR[0]


def roc_figure(name: str, curves: dict[str, list[Curves]], head: str, classes: Classes) -> str:
    """ROC curves: those of ``head`` drawn through, those of another classifier dashed.

    Args:
        name: of the figure, unique in the page.
        curves: by classifier.
        head: the classifier in front.
        classes: the class list.
    """
    figure, axes = _axes("False positive rate", "Recall")
    _diagonal(axes)
    _draw(axes, _lines(curves, head, classes, "roc"))
    return _svg(figure, f"roc-{name}")


def precision_recall_figure(name: str, curves: dict[str, list[Curves]], head: str, classes: Classes) -> str:
    """Precision-recall curves, as ``roc_figure``."""
    figure, axes = _axes("Recall", "Precision")
    _draw(axes, _lines(curves, head, classes, "precision_recall"))
    return _svg(figure, f"precision-recall-{name}")


def froc_figure(points: Sequence[FrocPoint]) -> str:
    """Lesion recall against false regions a case; the dot is the threshold in use."""
    figure, axes = _axes("False regions a case", "Lesion recall", square=False)
    false = np.array([0.0, *(point.false_regions_per_case for point in points)])
    recall = np.array([0.0, *(point.recall for point in points)])
    axes.step(false, recall, where="post", color=ACCENT, linewidth=1.8)
    axes.plot(false[-1:], recall[-1:], "o", color=ACCENT, markersize=6, clip_on=False, zorder=5)
    axes.set_xlim(0.0, max(1.0, float(false[-1]) * 1.05))
    axes.set_xticks(_round_ticks(float(axes.get_xlim()[1])))
    return _svg(figure, "froc")


def reliability_figure(
    name: str, before: Sequence[ReliabilityBin], after: Sequence[ReliabilityBin] | None, claimed: str
) -> str:
    """What was claimed against what came true: hollow at temperature 1, filled at the stored one where there is one.

    Args:
        name: of the figure, unique in the page.
        before: bins at temperature 1.
        after: bins at the stored temperature; None where there is none.
        claimed: name of the horizontal axis.
    """
    figure, axes = _axes(claimed, "Share that came true")
    _diagonal(axes)
    _bins(axes, before, QUIET if after else ACCENT, filled=after is None)
    if after:
        _bins(axes, after, ACCENT, filled=True)
    return _svg(figure, f"reliability-{name}")


def _lines(
    curves: dict[str, list[Curves]], head: str, classes: Classes, kind: Literal["roc", "precision_recall"]
) -> list[Line]:
    return [
        Line(getattr(c, kind), class_colour(c.label, classes), other != head)
        for other, found in curves.items()
        for c in found
        if c.defined
    ]


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, alpha=0.6, linewidth=1.2, linestyle=(0, (1, 2.5)))


def _bins(axes: Axes, bins: Sequence[ReliabilityBin], colour: str, filled: bool) -> None:
    """Dots whose area follows the number of items; a line joins them where they are many enough to be a curve."""
    shown = [b for b in bins if b.count]
    most = max((b.count for b in shown), default=1)
    x, y = [b.confidence for b in shown], [b.accuracy for b in shown]
    if len(shown) >= BINS_OF_A_CURVE:
        axes.plot(x, y, color=colour, linewidth=1.0, alpha=0.55)
    sizes = [14.0 + 110.0 * b.count / most for b in shown]
    axes.scatter(
        x, y, s=sizes, facecolor=colour if filled else SURFACE, edgecolor=colour, linewidth=1.2, clip_on=False, zorder=4
    )


def _draw(axes: Axes, lines: Sequence[Line]) -> None:
    for line in sorted(lines, key=lambda line: not line.behind):
        style = {"linestyle": (0, (4, 2)), "linewidth": 1.1, "alpha": 0.75} if line.behind else {"linewidth": 1.9}
        axes.plot(line.points[:, 0], line.points[:, 1], color=line.colour, clip_on=False, **style)


def _axes(x: str, y: str, square: bool = True) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES)
    axes = figure.add_axes((0.115, 0.135, 0.86, 0.845))
    axes.set_xlabel(x, color=QUIET, fontsize=10)
    axes.set_ylabel(y, color=QUIET, fontsize=10)
    axes.tick_params(colors=QUIET, labelsize=9, length=0, pad=5)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(LINE)
    ticks = np.linspace(0.0, 1.0, 6)
    axes.set_ylim(0.0, 1.02)
    axes.set_yticks(ticks)
    if square:
        axes.set_xlim(0.0, 1.02)
        axes.set_xticks(ticks)
    return figure, axes


def _round_ticks(largest: float) -> list[float]:
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if largest / step <= 7 or step == 1000)
    return list(np.arange(0.0, largest, step))


def _svg(figure: Figure, name: str) -> str:
    """The figure as an ``svg`` element without a size of its own, in the page's font and colours."""
    out = io.StringIO()
    # Text as text: it can be read out, searched and set in the page's font.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    # A style inside would hold for the whole page.
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg)
    # Clip paths of several figures in one page must not share their names.
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


ANY_INFECTION = "any_infection"
"""Curve of the question that screening asks first: is there an infection of any type?"""
