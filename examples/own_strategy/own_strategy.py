"""The case whose patches contradict each other most is read next."""

import numpy as np

from pneumoscreen.active_learning.strategies import Cases, register


def votes(cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[int]:
    """Row numbers of the cases with the greatest disagreement; of equal ones the least sure comes first."""
    # An X-ray has no regions whose patches could disagree.
    wanted = [(case.parts.get("disagreement", 0.0), case.uncertainty) for case in cases]
    return sorted(range(len(cases)), key=lambda row: wanted[row], reverse=True)[:count]


register("votes", "The case whose patches contradict each other most", votes)
