"""The results of a simulation as tables on a terminal."""

import io
import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..metrics.bootstrap import Interval
from .curves import BASELINE, Curves

_WIDTH = 240


def to_text(curves: Curves) -> str:
    """Tables of every figure, and how soon each strategy has what random choice has at the end."""
    plan = curves.plan
    parts = [
        f"{plan.test} test cases, a pool of {plan.pool}, mean of {plan.seeds} seeds; brackets: 95 % over the seeds. "
        "Phantoms, not patients."
    ]
    for figure in curves.subject.figures:
        parts.append(_figures(curves, figure))
        if BASELINE in curves.values:
            parts.append(_reaching(curves, figure))
    return "\n\n".join(parts) + "\n"


def count_text(interval: Interval, digits: int = 1) -> str:
    """A number of labels, or a share of them, with its interval; one that is never reached says so."""

    def text(value: float) -> str:
        return "never" if math.isinf(value) else f"{value:.{digits}f}"

    if math.isnan(interval.low):
        return text(interval.estimate)
    return f"{text(interval.estimate)} [{text(interval.low)}, {text(interval.high)}]"


def mean_text(interval: Interval, sign: str = "") -> str:
    """A mean with its interval, where there is one; ``sign`` may be ``+``."""
    mean, low, high = (format(value, f"{sign}.3f") for value in vars(interval).values())
    return mean if math.isnan(interval.low) else f"{mean} [{low}, {high}]"


def _figures(curves: Curves, figure: str) -> str:
    title = curves.subject.figures[figure] + (", lower is better" if figure in curves.subject.lower_is_better else "")
    columns = [curves.mean(name, figure) for name in curves.values]
    rows = [[str(labels), *(mean_text(column[i]) for column in columns)] for i, labels in enumerate(curves.plan.labels)]
    gains = ["gain", *(mean_text(curves.gain(name, figure), "+") for name in curves.values)]
    return _table(title, ["labels", *curves.values], [*rows, gains])


def _reaching(curves: Curves, figure: str) -> str:
    last, chosen = curves.plan.labels[-1], curves.plan.labels[-1] - curves.plan.start
    rows = []
    for name in curves.values:
        reached, lead = curves.reached(name, figure), curves.lead(name, figure)
        assert reached is not None
        shares = [count_text(share, 2) for share in (reached.share_of_all, reached.share_of_new)]
        rows.append([name, count_text(reached.labels), *shares, mean_text(lead, "+") if lead else ""])
    header = ["strategy", "labels", f"share of {last}", f"share of the {chosen} chosen", "lead over all rounds"]
    return _table(f"when it has the {curves.subject.figures[figure]} that random choice has at the end", header, rows)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    out = io.StringIO()
    Console(file=out, width=_WIDTH, no_color=True, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").splitlines())
