"""How much of each lung is opaque, and how severe that is, zone by zone (ours).

Wang et al. 2020 name severity as the next step. The attention mask was taught where radiologists drew opacities, so its
mean over a part of a lung tells which share of that part is opaque. Six zones of 0 to 3 are scored as in the Brixia
score (Borghesi and Maroldi 2020). Its readers judge the kind of opacity as well; here the extent alone decides. Its
zones end at the aortic arch and the right lower pulmonary vein; here they are thirds of a lung's box.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..xray_findings import INFECTED, ZONES
from .localization import Side

STEPS = (0.05, 1 / 3, 2 / 3)
"""Shares of a zone from which it scores 1, 2 and 3."""

DRAWN = 1.54
"""How many times the mean of a mask is what readers drew: on 173 infected lungs of NIH films that a network of this
kind had not seen. What they drew are boxes, somewhat larger than the opacities in them."""


def opaque_shares(
    masks: Mapping[Side, NDArray[np.float32]], sides: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Opaque share of each lung, and score of each zone.

    Args:
        masks: by side, float32 [height, width] in 0 to 1, of the lung's box.
        sides: probability of an opacity, by side; a lung below ``INFECTED`` is clear throughout.

    Returns:
        Shares from 0 to 1 by side, and whole numbers from 0 to ``MOST_A_ZONE`` by ``<side>_<zone>``.
    """
    opacity: dict[str, float] = {}
    severity: dict[str, float] = {}
    for side, mask in masks.items():
        zones = np.array_split(mask, len(ZONES)) if sides[side] >= INFECTED else [np.zeros((1, 1))] * len(ZONES)
        shares = [min(1.0, DRAWN * float(zone.mean())) for zone in zones]
        opacity[side] = float(np.mean(shares))
        severity |= {f"{side}_{name}": score(share) for name, share in zip(ZONES, shares, strict=True)}
    return opacity, severity


def score(share: float) -> float:
    """Score of a zone of which this share is opaque."""
    return float(sum(share >= step for step in STEPS))
