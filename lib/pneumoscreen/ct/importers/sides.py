"""Lung masks of other conventions in ours: 1 the patient's left lung, 2 the right, told apart by geometry."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...images.volume import LEFT, RIGHT, Volume
from ...importers.found import MarksError
from ..lungs.segmentation import segment_lungs

MIN_APART_MM = 40.0
"""Between the centres of two lungs; in an adult they lie some 150 mm apart, two lobes of one lung less."""


def lungs_in_our_convention(labels: NDArray[np.uint16], volume: Volume) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """A lung map, and notes on what was decided.

    Ours: of two values the one whose voxels lie farther to the patient's left is the left lung, whatever the
    numbers say. Values that do not lie apart like two lungs (one value for both, lobes) go voxel by voxel to the
    nearer lung of our own segmentation.

    Args:
        labels: label map [z, y, x]; every value but 0 is lung.
        volume: the scan, canonical: x grows to the patient's left.

    Raises:
        MarksError: if the map is empty.
        NoLungsError: if the scan itself must tell the sides apart and shows no lungs.
    """
    numbers = [int(n) for n in np.unique(labels) if n]
    if not numbers:
        raise MarksError("the lung mask is empty; leave it out and the lungs are segmented")
    if len(numbers) == 2:
        centers = [_center_x(labels == number) * volume.spacing_mm[0] for number in numbers]
        if abs(centers[0] - centers[1]) >= MIN_APART_MM:
            left, right = numbers if centers[0] > centers[1] else numbers[::-1]
            lungs = np.zeros(labels.shape, dtype=np.uint8)
            lungs[labels == left], lungs[labels == right] = LEFT, RIGHT
            swapped = (left, right) == (RIGHT, LEFT)
            note = "The lung mask numbers the lungs 1 right, 2 left; the sides follow from the image's geometry."
            return lungs, (note,) if swapped else ()
    return nearer_lung(labels > 0, segment_lungs(volume).labels), (
        "The lung mask does not tell the sides apart; they follow from the segmentation of the scan.",
    )


def _center_x(mask: NDArray[np.bool_]) -> float:
    profile = mask.sum(axis=(0, 1))
    return float((profile * np.arange(len(profile))).sum() / profile.sum())


def nearer_lung(mask: NDArray[np.bool_], lungs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each voxel of a mask with the value of the nearest voxel of a lung map; 0 outside the mask."""
    window = ndimage.find_objects((mask | (lungs > 0)).view(np.uint8))[0]
    known = lungs[window]
    places = ndimage.distance_transform_edt(known == 0, return_distances=False, return_indices=True)
    sided = np.zeros(mask.shape, dtype=np.uint8)
    sided[window] = known[tuple(places)] * mask[window]
    return sided
