"""Curves of an evaluation of the X-ray method, drawn as those of the CT evaluation are."""

from collections.abc import Sequence

from ...case import SIDES
from ...evaluation.plots import ACCENT, INK, _axes, _bins, _diagonal, _svg
from ...metrics.calibration import ReliabilityBin
from ...metrics.curves import Curves
from ...report.wording import CXR_KEYS, NONE_FOUND_COLOUR, PALETTE
from .lungs import BOTH
from .readers import OperatingPoint

COLOURS = {
    **{
        label: NONE_FOUND_COLOUR[0] if key == "none" else PALETTE[int(key.removeprefix("type-"))][0]
        for label, key in CXR_KEYS.items()
    },
    **{side: PALETTE[2 * i][0] for i, side in enumerate(SIDES)},
    BOTH: INK,
}
"""Of each class and lung; those of the classes are the page's own chips."""


def roc_of(name: str, curves: Sequence[Curves], readers: Sequence[OperatingPoint] = ()) -> str:
    """ROC curves, with the readers' operating points on the curve of their class.

    Args:
        name: of the figure, unique in the page.
        curves: to draw; those that are not defined are left out.
        readers: points; those without sensitivity or specificity are left out.
    """
    figure, axes = _axes("False positive rate", "Sensitivity")
    _diagonal(axes)
    for curve in curves:
        if curve.defined:
            axes.plot(curve.roc[:, 0], curve.roc[:, 1], color=COLOURS[curve.label], linewidth=1.9, clip_on=False)
    for point in readers:
        if point.sensitivity is not None and point.specificity is not None:
            axes.plot(
                [1.0 - point.specificity],
                [point.sensitivity],
                marker="X",
                markersize=8,
                color=COLOURS[point.label],
                markeredgecolor=INK,
                markeredgewidth=0.8,
                clip_on=False,
                zorder=5,
            )
    return _coloured(_svg(figure, f"roc-{name}"))


def reliability_of(name: str, bins: Sequence[ReliabilityBin]) -> str:
    """Confidence in the likeliest class against the share that was right."""
    figure, axes = _axes("Probability of the likeliest class", "Share that was right")
    _diagonal(axes)
    _bins(axes, bins, ACCENT, filled=True)
    return _coloured(_svg(figure, f"reliability-{name}"))


def _coloured(svg: str) -> str:
    """With the page's own colour for the healthy, which follows a dark screen."""
    return svg.replace(NONE_FOUND_COLOUR[0], "var(--healthy)")
