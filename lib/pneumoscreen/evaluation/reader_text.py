"""The figures of a reader study as plain text."""

import numpy as np

from ..metrics.agreement import MODEL, Agreement
from ..metrics.bootstrap import Interval
from ..report.wording import plural
from .figures import interval
from .reader_figures import Between, Difference, ReaderRow, ReadingTime
from .reader_study import CONDITION_NAMES
from .reader_summary import HOW, ReaderSummary

FIRST_READINGS = "first readings"


def readers_to_text(summary: ReaderSummary) -> str:
    """A paragraph a subject: whom, time, truth, model, each other, what to be careful about."""
    rows = summary.rows
    parts = [
        f"Reader study: {summary.population.in_words()}; intervals: 95 %, bootstrap over patients",
        HOW,
        "\n".join(["Seconds a case, median (quartiles)", *(f"{_who(row)}: {time_text(row.time)}" for row in rows)]),
        _agreements("Agreement with the truth, by case (Cohen's kappa)", rows, "with_truth"),
        _agreements("Agreement with the model's verdict, by case", rows, "with_model"),
        *(
            ["\n".join(["Regions that were marked, beside the model's votes", *map(_pair, summary.regions)])]
            if summary.regions
            else []
        ),
        *(["\n".join(["Between readers", *map(_between, summary.between)])] if summary.between else []),
        *(
            ["\n".join(["With the model less without it", *map(_difference, summary.differences)])]
            if summary.differences
            else []
        ),
        "\n".join(["Be careful", *(f"- {sentence}" for sentence in summary.cautions())]),
    ]
    return "\n\n".join(parts) + "\n"


def time_text(time: ReadingTime | None) -> str:
    """``41 [35, 52] (30 to 60), 20 readings``; a dash where no reading says it."""
    if time is None:
        return "-"
    median = seconds_text(time.median)
    return f"{median} ({time.first_quartile:.0f} to {time.third_quartile:.0f}), {plural(time.count, 'reading')}"


def seconds_text(value: Interval) -> str:
    """Seconds with their interval."""
    if np.isnan(value.low):
        return f"{value.estimate:.0f}"
    return f"{value.estimate:.0f} [{value.low:.0f}, {value.high:.0f}]"


def _who(row: ReaderRow) -> str:
    return f"{row.reader}, {CONDITION_NAMES[row.condition]}"


def _agreements(title: str, rows: list[ReaderRow], name: str) -> str:
    lines = [f"{_who(row)}: {_kappa(getattr(row, name))}" for row in rows]
    return "\n".join([title, *lines])


def _kappa(found: Agreement | None) -> str:
    if found is None:
        return "- (not known)"
    return f"kappa {interval(found.kappa)}, the same label in {interval(found.observed)} of {found.matrix.total}"


def _pair(found: Agreement) -> str:
    second = "the model" if found.second == MODEL else found.second
    return f"{found.first} and {second}, {found.level}: {_kappa(found)}"


def _between(row: Between) -> str:
    condition = FIRST_READINGS if row.condition is None else CONDITION_NAMES[row.condition]
    alone = f"; {plural(row.agreement.alone, 'region')} only one of them has" if row.agreement.alone else ""
    return f"{_pair(row.agreement)} ({condition}){alone}"


def _difference(row: Difference) -> str:
    seconds = "-" if row.seconds is None else f"{seconds_text(row.seconds)} s"
    truth = "-" if row.truth is None else interval(row.truth)
    return f"{row.reader}: median {seconds}, share that agrees with the truth {truth}; read twice {row.pairs}"
