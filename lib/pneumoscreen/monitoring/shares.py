"""Shares with intervals that respect that the cases of one patient are not independent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ..evaluation.figures import Share
from ..metrics.bootstrap import LEVEL, Interval, bootstrap_of_sums, ratio

NAN = float("nan")
_SMALLEST = 1e-4


def p_text(p: float) -> str:
    """A probability of chance as sentences tell it."""
    return f"p below {_SMALLEST:.4f}" if p < _SMALLEST else f"p = {p:.2g}"


def shares_of(counts: NDArray[np.int64], patients: Sequence[str]) -> list[Share]:
    """Shares of counted items.

    Wilson's interval where every patient adds one item at most; else draws of whole patients. Ours: where all items or
    none are of the kind, every draw is the same, and Wilson's interval of the number of patients stands in.

    Args:
        counts: int64 [n, kinds, 2], what each record adds to the part and to the whole. A part that is larger than its
            whole makes a mean, which has no interval of Wilson.
        patients: [n], whose each record is.
    """
    kinds = counts.shape[1]
    if not len(counts):
        return [Share(0, 0, Interval(NAN, NAN, NAN)) for _ in range(kinds)]
    order = {patient: place for place, patient in enumerate(dict.fromkeys(patients))}
    sums = np.zeros((len(order), kinds, 2), dtype=np.int64)
    np.add.at(sums, [order[patient] for patient in patients], counts)
    drawn = bootstrap_of_sums(sums, lambda total: ratio(total[..., 0], total[..., 1]))
    return [_share(sums[:, kind], drawn[kind]) for kind in range(kinds)]


def _share(sums: NDArray[np.int64], drawn: Interval) -> Share:
    part, whole = (int(value) for value in sums.sum(axis=0))
    is_share = bool((sums[:, 0] <= sums[:, 1]).all())
    if whole and is_share and sums[:, 1].max() <= 1:
        return Share(part, whole, _wilson(part, whole))
    if whole and is_share and part in (0, whole):
        patients = int((sums[:, 1] > 0).sum())
        return Share(part, whole, _wilson(patients if part else 0, patients))
    return Share(part, whole, drawn)


def _wilson(part: int, whole: int) -> Interval:
    found = binomtest(part, whole).proportion_ci(LEVEL, method="wilson")
    return Interval(part / whole, float(found.low), float(found.high))
