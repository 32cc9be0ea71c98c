"""How unsure the classifier is of a case: entropy, disagreement and margin, and one figure of the three.

All of it is ours; the paper reads its cases in no order. Every term lies in 0 to 1 and does not depend on the order
of regions or patches. Only the least sure patches and regions count: a scan has dozens of regions that are plainly
irrelevant, and a mean over them would hide the three that are not. What a case does not have counts as sure, so
that three doubtful regions come before one: they teach more for the same case.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..verdict import Classes, LabelledConfidence

LEAST_SURE_REGIONS = 3
PATCHES_A_REGION = 3
LEAST_SURE_PATCHES = LEAST_SURE_REGIONS * PATCHES_A_REGION

WEIGHTS: Mapping[str, float] = {"entropy": 0.5, "disagreement": 0.25, "margin": 0.25}
"""Ours: entropy is a smooth figure over the patches, which are what a training learns from; the other two move in
steps, with a region's vote."""

_LARGEST_EVIDENCE = -math.log(1e-12)


def entropies(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy over the last axis as a share of the greatest possible, 0 to 1."""
    safe = np.where(probabilities > 0.0, probabilities, 1.0)
    shares = -(probabilities * np.log(safe)).sum(axis=-1) / math.log(probabilities.shape[-1])
    return np.clip(shares, 0.0, 1.0)


def mean_of_highest(values: Iterable[float], count: int) -> float:
    """Mean of the ``count`` highest values; absent ones count as 0."""
    return math.fsum(sorted(values, reverse=True)[:count]) / count


def entropy(probabilities: NDArray[np.float64]) -> float:
    """Mean entropy of the least sure patches.

    Args:
        probabilities: [n, classes] of the patches of a case; n may be 0.
    """
    return mean_of_highest(entropies(probabilities).tolist(), LEAST_SURE_PATCHES)


def disagreement(votes: Iterable[Sequence[str]]) -> float:
    """Mean disagreement of the regions that disagree most.

    That of one region is its vote entropy (Dagan and Engelson 1995) as a share of the greatest possible for its
    number of votes: 0 where all agree, 1 where no two do. For three votes, two against one gives 0.58.

    Args:
        votes: the labels of the patches of each region.
    """
    return mean_of_highest((_vote_entropy(labels) for labels in votes), LEAST_SURE_REGIONS)


def margin(opinions: Iterable[LabelledConfidence], classes: Classes) -> float:
    """How close the two likeliest infection types of a case are, 0 to 1.

    Two Noisy-OR probabilities near 1 differ by almost nothing although the evidence behind them may differ a lot.
    Therefore the difference is taken of the evidence ``-log(1 - P)``, which adds up over the regions and does not
    saturate: ``exp(-|e1 - e2|)``, the ratio of the two survivals ``1 - P``. A case without evidence is no draw
    between two types, so the ratio is weighed by the probability that there is any infection at all.

    Args:
        opinions: label and confidence of each region, as the verdict takes them.
        classes: the class list.
    """
    evidence: dict[str, list[float]] = {name: [] for name in classes.infections}
    for label, confidence in opinions:
        if label in evidence:
            evidence[label].append(
                min(-math.log1p(-confidence), _LARGEST_EVIDENCE) if confidence < 1.0 else _LARGEST_EVIDENCE
            )
    ranked = sorted((math.fsum(values) for values in evidence.values()), reverse=True)
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else 0.0
    return math.exp(second - first) * -math.expm1(-math.fsum(ranked))


def combine(parts: Mapping[str, float]) -> float:
    """The weighted mean of entropy, disagreement and margin."""
    return min(max(math.fsum(WEIGHTS[name] * parts[name] for name in WEIGHTS), 0.0), 1.0)


def _vote_entropy(labels: Sequence[str]) -> float:
    if len(labels) < 2:
        return 0.0
    shares = [count / len(labels) for count in Counter(labels).values()]
    return min(math.fsum(-share * math.log(share) for share in shares) / math.log(len(labels)), 1.0)
