"""The page of a reader study: one HTML file with every figure inside, readable without a network and on paper."""

import datetime
from typing import Any

import numpy as np

from ..metrics.bootstrap import Interval
from ..report import wording
from ..report.page import environment
from .figures import MINUS, Figure, agreement_view
from .reader_figures import EVERYBODY, Difference, ReaderRow, ReadingTime
from .reader_study import CONDITION_NAMES, Condition, StudyReading
from .reader_summary import HOW, ReaderSummary
from .reader_text import FIRST_READINGS


def render_reader_page(summary: ReaderSummary) -> str:
    """The HTML of a reader study."""
    longest = max((row.time.third_quartile for row in summary.rows if row.time is not None), default=0.0)
    return (
        environment()
        .get_template("readers.html.j2")
        .render(
            people=summary.population,
            how=HOW,
            truths=[
                (_key(label, summary), wording.capital(wording.display_name(label)), count)
                for label, count in summary.population.truths.items()
            ],
            conditions=[(CONDITION_NAMES[Condition(name)], n) for name, n in summary.population.conditions.items()],
            headline=_headline(summary),
            cautions=summary.cautions(),
            rows=[_row(row, longest) for row in summary.rows],
            differences=[_difference(row) for row in summary.differences],
            between=[
                {
                    "condition": FIRST_READINGS if row.condition is None else CONDITION_NAMES[row.condition],
                    **agreement_view(row.agreement),
                }
                for row in summary.between
            ],
            regions=[agreement_view(found) for found in summary.regions],
            readings=[_reading(reading, summary) for reading in summary.found.readings],
            written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )


def _headline(summary: ReaderSummary) -> list[dict[str, Any]]:
    """Time and truth, without the model and with it, of everybody or of the one reader."""
    whose = EVERYBODY if len(summary.population.readers) > 1 else next(iter(summary.population.readers), "")
    rows = {row.condition: row for row in summary.rows if row.reader == whose}
    cards: list[dict[str, Any]] = []
    for condition in (Condition.WITHOUT, Condition.WITH):
        row = rows.get(condition)
        name = CONDITION_NAMES[condition]
        time = None if row is None else row.time
        shown = _time(time, 0.0)
        cards.append({"name": f"Time {name}", "what": "median of a case", "time": shown, "truth": None})
    for condition in (Condition.WITHOUT, Condition.WITH):
        row = rows.get(condition)
        truth = None if row is None else row.with_truth
        right = None if truth is None else agreement_view(truth)
        name = f"Right {CONDITION_NAMES[condition]}"
        cards.append({"name": name, "what": "labels that agree with the truth", "time": None, "truth": right})
    return cards


def _row(row: ReaderRow, longest: float) -> dict[str, Any]:
    return {
        "reader": row.reader,
        "is_all": row.reader == EVERYBODY,
        "condition": CONDITION_NAMES[row.condition],
        "readings": row.readings,
        "cases": row.cases,
        "time": _time(row.time, longest),
        "truth": None if row.with_truth is None else agreement_view(row.with_truth),
        "model": None if row.with_model is None else agreement_view(row.with_model),
    }


def _time(time: ReadingTime | None, longest: float) -> dict[str, Any] | None:
    if time is None:
        return None
    share = 100.0 / longest if longest else 0.0
    return {
        "median": f"{time.median.estimate:.0f} s",
        "interval": _seconds_interval(time.median),
        "quartiles": f"{time.first_quartile:.0f} to {time.third_quartile:.0f} s",
        "count": time.count,
        "low": share * time.first_quartile,
        "high": share * time.third_quartile,
        "at": share * time.median.estimate,
    }


def _seconds_interval(value: Interval) -> str:
    return "no interval" if np.isnan(value.low) else f"{_signed(value.low)} to {_signed(value.high)} s"


def _signed(seconds: float) -> str:
    return f"{seconds:.0f}".replace("-", MINUS)


def _difference(row: Difference) -> dict[str, Any]:
    return {
        "reader": row.reader,
        "pairs": row.pairs,
        "seconds": None
        if row.seconds is None
        else {"estimate": f"{_signed(row.seconds.estimate)} s", "interval": _seconds_interval(row.seconds)},
        "truth": None if row.truth is None else Figure.of(row.truth),
    }


def _reading(reading: StudyReading, summary: ReaderSummary) -> dict[str, Any]:
    def chip(label: str | None) -> tuple[str, str] | None:
        return None if label is None else (_key(label, summary), wording.capital(wording.display_name(label)))

    return {
        "case": reading.case_id,
        "reader": reading.reader,
        "condition": CONDITION_NAMES[reading.condition],
        "seconds": "–" if reading.seconds is None else f"{reading.seconds:.0f} s",
        "said": chip(reading.said),
        "model": chip(reading.model),
        "truth": chip(reading.truth),
        "wrong": reading.truth is not None and reading.said != reading.truth,
    }


def _key(label: str, summary: ReaderSummary) -> str:
    return "none" if label == "healthy" else wording.label_key(label, summary.found.classes)
