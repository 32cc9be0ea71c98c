"""Whether the newest images are others than the first ones: two-sample tests, corrected for their number.

Ours: which images are compared, and when a difference is an alarm. The reference are the first images of the site;
``training_inputs`` compares with the images that the networks in use have learnt from. Each patient counts once on a
side, and no patient on both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, ks_2samp

from ..case_kinds import KINDS
from ..metrics.inputs import Feature, features_of
from ..report.wording import plural
from .records import Records, Scan
from .shares import p_text

LEAST = 30
"""Ours: patients that each side needs; with fewer only the coarsest shift can be told from chance."""
LEVEL = 0.01
"""Ours: of a hundred looks at images that have not changed, about one may raise an alarm, over all figures together."""
DISTANCE = 0.25
"""Ours: a smaller distance of the two distributions is no alarm, however certain it is."""


@dataclass(frozen=True)
class Drift:
    """One figure in the newest images beside the first ones.

    Attributes:
        feature: the figure.
        first: its values in the first images.
        newest: its values in the newest images.
        distance: Kolmogorov's and Smirnov's, 0 to 1; None where a side has fewer than ``LEAST``.
        p: corrected for the number of figures (Benjamini and Yekutieli 2001); likewise.
    """

    feature: Feature
    first: NDArray[np.float64]
    newest: NDArray[np.float64]
    distance: float | None = None
    p: float | None = None

    @property
    def is_alarm(self) -> bool:
        """Whether the figure has changed for certain and by much."""
        return self.distance is not None and self.p is not None and self.p < LEVEL and self.distance >= DISTANCE

    def sentence(self, modality: str) -> str:
        """The alarm in words: the figure, both values, the counts, and what to do."""
        first, newest = (self.feature.text(float(np.median(values))) for values in (self.first, self.newest))
        p = p_text(1.0 if self.p is None else self.p)
        images = f"{KINDS[modality].image}s"
        return (
            f"{self.feature.name}: the median is {newest} in the newest {len(self.newest)} {images} and was {first} in "
            f"the first {len(self.first)} (distance of the distributions {self.distance:.2f}, {p} after correction). "
            f"{self.feature.advice}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        sides = {"first": self.first, "newest": self.newest}
        quartiles = {
            name: {"count": len(values), "quartiles": np.quantile(values, (0.25, 0.5, 0.75)).tolist()}
            if len(values)
            else {"count": 0, "quartiles": None}
            for name, values in sides.items()
        }
        return {
            "figure": self.feature.key,
            "unit": self.feature.unit,
            "of_the_model": self.feature.is_output,
            **quartiles,
            "distance": self.distance,
            "p": self.p,
            "alarm": self.is_alarm,
        }


def drifts_of(records: Records, reference: int, newest: int) -> list[Drift]:
    """Each figure of a modality, tested where there are enough images.

    Args:
        records: of the modality.
        reference: patients of the reference, at most; never more than half of all.
        newest: patients that count as the newest, at most.
    """
    in_use = [scan for scan in records.scans if scan.models == records.models]
    sides = {False: _sides(records.scans, reference, newest), True: _sides(in_use, reference, newest)}
    drifts = []
    for feature in features_of(KINDS[records.modality].dimensions):
        first, last = sides[feature.is_output]
        drifts.append(Drift(feature, values_of(first, feature.value), values_of(last, feature.value)))
    return compared(drifts)


def compared(drifts: Sequence[Drift]) -> list[Drift]:
    """The figures with distance and corrected probability, where there are enough values."""
    able = [place for place, drift in enumerate(drifts) if min(len(drift.first), len(drift.newest)) >= LEAST]
    if not able:
        return list(drifts)
    found = [ks_2samp(drifts[place].first, drifts[place].newest, method="asymp") for place in able]
    corrected = false_discovery_control([test.pvalue for test in found], method="by")
    result = list(drifts)
    for place, test, p in zip(able, found, corrected, strict=True):
        drift = drifts[place]
        result[place] = Drift(drift.feature, drift.first, drift.newest, float(test.statistic), float(p))
    return result


def too_few(records: Records, drifts: Sequence[Drift]) -> list[str]:
    """In sentences, why no figure, or none of the model's, was tested."""

    def untested(of_model: bool) -> bool:
        return all(drift.distance is None for drift in drifts if drift.feature.is_output == of_model)

    image, needed = KINDS[records.modality].image, 2 * LEAST
    if untested(False) and untested(True):
        scans = plural(len({scan.patient for scan in records.scans}), "patient")
        return [f"There are {image}s of {scans}: too few to tell a drift from chance, which needs {needed}."]
    if untested(True):
        in_use = {scan.patient for scan in records.scans if scan.models == records.models}
        return [
            f"The models in use have screened {image}s of {plural(len(in_use), 'patient')}: too few to tell a drift of "
            f"what they say, which needs {needed}. Figures of earlier models are not compared with theirs."
        ]
    return []


def _sides(scans: Sequence[Scan], reference: int, newest: int) -> tuple[list[Scan], list[Scan]]:
    """The first and the newest images, one a patient, oldest first as ``scans`` are."""
    half = len({scan.patient for scan in scans}) // 2
    first = one_a_patient(scans, min(reference, half))
    taken = {scan.patient for scan in first}
    rest = [scan for scan in reversed(scans) if scan.patient not in taken]
    return first, one_a_patient(rest, newest)[::-1]


def one_a_patient(scans: Sequence[Scan], most: int) -> list[Scan]:
    """The first image of each patient, of so many patients at most."""
    found: dict[str, Scan] = {}
    for scan in scans:
        found.setdefault(scan.patient, scan)
    return list(found.values())[:most]


def values_of(scans: Sequence[Scan], value: Callable[..., float | None]) -> NDArray[np.float64]:
    """A figure of each image that has it."""
    found = [value(scan.document) for scan in scans]
    return np.array([each for each in found if each is not None], dtype=np.float64)
