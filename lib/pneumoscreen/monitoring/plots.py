"""The pictures of the monitoring page: agreement over time, and each figure of the images in the order they came."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from ..evaluation.plots import ACCENT, QUIET
from ..evaluation.plots import _axes as new_axes
from ..evaluation.plots import _svg as page_svg
from ..report.wording import PALETTE
from .agreement import INFECTION, VERDICT, AgreementRow
from .drift import Drift

_GROUPS = 12
"""Ours: points of a history, so that each stands for several images."""
_MOST_NAMES = 12


def agreement_figure(name: str, rows: list[AgreementRow]) -> str:
    """Share of cases with the model's label and with its yes or no to an infection, by period, with intervals."""
    figure, axes = new_axes("Period", "Share that agrees", square=False)
    places = np.arange(len(rows), dtype=np.float64)
    for kind, colour, shift in ((VERDICT, ACCENT, -0.06), (INFECTION, PALETTE[0][0], 0.06)):
        shares = [row.shares[kind].interval for row in rows]
        middle = np.array([share.estimate for share in shares])
        low, high = (np.array([getattr(share, end) for share in shares]) for end in ("low", "high"))
        axes.vlines(places + shift, low, high, color=colour, alpha=0.4, linewidth=2.0)
        axes.plot(places + shift, middle, color=colour, linewidth=1.6, marker="o", markersize=5.0, clip_on=False)
    step = -(-len(rows) // _MOST_NAMES)
    axes.set_xticks(places[::step], [row.name for row in rows[::step]], rotation=30, ha="right")
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.set_position((0.115, 0.2, 0.86, 0.78))
    axes.set_xlabel("")
    return page_svg(figure, f"agreement-{name}")


def history_figure(name: str, drift: Drift) -> str:
    """The first and the newest values, oldest first: median and middle half of groups, over the reference's band."""
    label = drift.feature.name + (f", {drift.feature.unit}" if drift.feature.unit else "")
    figure, axes = new_axes("", label, square=False)
    figure.set_size_inches(4.7, 2.3)
    axes.set_position((0.16, 0.17, 0.82, 0.78))
    low, middle, high = np.quantile(drift.first, (0.25, 0.5, 0.75))
    axes.axhspan(low, high, color=QUIET, alpha=0.14, linewidth=0)
    axes.axhline(middle, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
    start = 0.0
    for values, colour in ((drift.first, QUIET), (drift.newest, PALETTE[0][0] if drift.is_alarm else ACCENT)):
        groups = np.array_split(values, min(_GROUPS, max(len(values) // 5, 1)))
        quartiles = np.array([np.quantile(group, (0.25, 0.5, 0.75)) for group in groups])
        places = start + np.arange(len(groups))
        axes.vlines(places, quartiles[:, 0], quartiles[:, 2], color=colour, alpha=0.4, linewidth=2.0)
        axes.plot(places, quartiles[:, 1], color=colour, linewidth=1.4, marker="o", markersize=4.0)
        axes.text(float(places.mean()), -0.07, "first" if start == 0.0 else "newest", color=QUIET, fontsize=10,
                  transform=axes.get_xaxis_transform(), ha="center", va="top")  # fmt: skip
        start = float(places[-1]) + 2.0
    axes.set_xticks([])
    everything = np.concatenate([drift.first, drift.newest])
    ends = np.quantile(everything, (0.02, 0.98))
    margin = max(0.08 * float(ends[1] - ends[0]), 10.0**-drift.feature.digits)
    axes.set_ylim(float(ends[0]) - margin, float(ends[1]) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.ticklabel_format(axis="y", useOffset=False)
    return page_svg(figure, f"history-{name}")
