"""Learning curves as a figure of the page: one line a strategy, labels along, a figure of the test cases up."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..evaluation.plots import ACCENT, INK, QUIET
from ..evaluation.plots import _axes as new_axes
from ..evaluation.plots import _svg as page_svg
from ..report.wording import PALETTE
from .curves import BASELINE, Curves

_DASHED = (0, (4, 2))


def colours(strategies: Sequence[str], default: str) -> dict[str, str]:
    """A colour for each strategy: the page's accent for the default one, grey for random choice."""
    # Last the blue, which is nearest to the accent.
    others = iter([*(PALETTE[i][0] for i in (0, 2, 3, 1)), INK])
    fixed = {default: ACCENT, BASELINE: QUIET}
    return {name: fixed.get(name) or next(others) for name in strategies}


def curves_figure(curves: Curves, figure: str, default: str) -> str:
    """The means of all strategies; the band is the interval of the default strategy and of random choice.

    The dotted line is what random choice has at the end, the tick on it where the default strategy reaches it.
    """
    picture, axes = new_axes("Labelled cases", curves.subject.figures[figure].capitalize(), square=False)
    labels = np.array(curves.plan.labels, dtype=np.float64)
    colour_of = colours(list(curves.values), default)
    everything: list[float] = []
    for name, colour in colour_of.items():
        means = curves.mean(name, figure)
        middle, low, high = (np.array([getattr(m, part) for m in means]) for part in ("estimate", "low", "high"))
        if name in (default, BASELINE) and not np.isnan(low).any():
            axes.fill_between(labels, low, high, color=colour, alpha=0.13, linewidth=0)
            everything += [*low, *high]
        main = name == default
        axes.plot(
            labels,
            middle,
            color=colour,
            linewidth=2.2 if main else 1.6,
            linestyle=_DASHED if name == BASELINE else "-",
            marker="o",
            markersize=4.5 if main else 3.0,
            zorder=4 if main else 3,
        )
        everything += [*middle]
    _scale(axes, labels, everything)
    _arrival(axes, curves, figure, default)
    return page_svg(picture, f"curves-{figure}")


def _scale(axes: Axes, labels: NDArray[np.float64], values: Sequence[float]) -> None:
    margin = 0.06 * (max(values) - min(values)) + 1e-6
    axes.set_ylim(min(values) - margin, max(values) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlim(labels[0] - 1, labels[-1] + 1)
    axes.set_xticks(labels)


def _arrival(axes: Axes, curves: Curves, figure: str, default: str) -> None:
    """Where the default strategy has what random choice has at the end."""
    if BASELINE not in curves.values:
        return
    final = curves.mean(BASELINE, figure)[-1].estimate
    axes.axhline(final, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    reached = curves.reached(default, figure) if default in curves.values else None
    if reached is not None and math.isfinite(reached.labels.estimate):
        axes.plot([reached.labels.estimate], [final], marker="|", markersize=14, color=ACCENT, markeredgewidth=1.6)
