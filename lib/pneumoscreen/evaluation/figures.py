"""What the figures of every method are made of: numbers with their intervals as pages and texts show them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..metrics.agreement import MODEL, Agreement
from ..metrics.bootstrap import Interval
from ..metrics.confusion import figure


class LeftOut(NamedTuple):
    """A case whose scan or labels cannot be used; it counts for nothing."""

    case_id: str
    reason: str


def interval(value: Interval) -> str:
    """An estimate with its interval; dashes where they are not defined."""
    if np.isnan(value.low):
        return figure(value.estimate)
    return str(value)


MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Figure:
    """A number as the page shows it: the estimate, its interval as text, and where both lie from 0 to 100."""

    estimate: str
    interval: str
    at: float
    low: float
    high: float

    @classmethod
    def of(cls, value: Interval) -> "Figure":
        """The figure of an interval; dashes where it is not defined."""
        known = not np.isnan(value.low)
        return cls(
            estimate=_signed(figure(value.estimate)),
            interval=_signed(f"{value.low:.3f} to {value.high:.3f}") if known else "no interval",
            at=100.0 * float(np.clip(np.nan_to_num(value.estimate), 0.0, 1.0)),
            low=100.0 * float(np.clip(value.low, 0.0, 1.0)) if known else 0.0,
            high=100.0 * float(np.clip(value.high, 0.0, 1.0)) if known else 0.0,
        )


def agreement_view(found: Agreement) -> dict[str, Any]:
    """What a page shows of an agreement."""
    return {
        "first": found.first,
        "second": "the model" if found.second == MODEL else found.second,
        "level": found.level,
        "count": found.matrix.total,
        "cases": found.cases,
        "patients": found.patients,
        "alone": found.alone,
        "kappa": Figure.of(found.kappa),
        "observed": Figure.of(found.observed),
    }


def _signed(text: str) -> str:
    return text.replace("-", MINUS) if text != "-" else "\N{EN DASH}"


@dataclass(frozen=True)
class Share:
    """``part`` of ``whole``, or a mean: a sum over a number; with its interval over patients."""

    part: int
    whole: int
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """The share as plain JSON types."""
        return {"part": self.part, "of": self.whole, **self.interval.to_dict()}
