"""The true label of a candidate region and of its patches, where the truth is known voxel by voxel.

The paper (section 2.4) has two radiologists mark each patch as pneumonia or irrelevant and takes the
pneumonia type from the clinical diagnosis. Here the radiologists are replaced by a rule over the true
lesion masks; training and evaluation share it, so that a network is judged by the labels it learnt.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..images.volume import Volume, box_voxels
from ..verdict import DEFAULT_CLASSES, Classes

MIN_SHARE = 0.05
"""Share of the lung seen in a patch or region that must be infected for it to count as pneumonia."""

MIN_CAPTURE = 0.5
"""Share of one lesion that a patch or region must hold to count as pneumonia however small the lesion is in it."""

MIN_SECTION_MM2 = 20.0
"""Area in a slice below which a captured lesion is not counted: about 5 mm across, the grazed end of a lesion."""


class TrueLesion(Protocol):
    """One finding whose place is known."""

    @property
    def number(self) -> int:
        """The finding's value in the lesion map."""

    @property
    def label(self) -> str:
        """A patch label: an infection type or irrelevant."""

    @property
    def box(self) -> Sequence[float] | NDArray[np.float64]:
        """Index box [z0, y0, x0, z1, y1, x1] that holds all of the finding's voxels."""


class TrueCase(Protocol):
    """A scan with its full truth, such as a phantom."""

    @property
    def volume(self) -> Volume:
        """The scan."""

    @property
    def lungs(self) -> NDArray[np.uint8]:
        """True lungs [z, y, x]: 0 none, 1 left, 2 right."""

    @property
    def infection(self) -> NDArray[np.uint8]:
        """Lesion map [z, y, x]: number of the finding at each voxel, 0 for none."""

    @property
    def lesions(self) -> Sequence[TrueLesion]:
        """All findings, infections and irrelevant ones."""

    @property
    def diagnosis(self) -> str:
        """The clinical diagnosis: a case label."""


def infection_lesions(case: TrueCase, classes: Classes = DEFAULT_CLASSES) -> list[TrueLesion]:
    """The findings of a case that are infections."""
    return [lesion for lesion in case.lesions if lesion.label != classes.irrelevant]


def label_region(box: Sequence[float] | NDArray[np.float64], case: TrueCase, classes: Classes = DEFAULT_CLASSES) -> str:
    """The true label of a candidate region.

    Ours: a region is pneumonia, of the type of the clinical diagnosis, if infection covers at least
    ``MIN_SHARE`` of the lung inside it, or if it holds at least ``MIN_CAPTURE`` of one infection lesion,
    which a reader would see however loosely the box fits. Everything else is irrelevant.

    Args:
        box: index box [z0, y0, x0, z1, y1, x1] on the volume grid.
        case: scan and truth.
        classes: the class list.

    Returns:
        One of ``classes.patch_labels``.
    """
    inside = box_voxels(np.asarray(box), case.infection.shape)
    numbers = case.infection[inside]
    lesions = infection_lesions(case, classes)
    if _covers_enough(numbers, case.lungs[inside], lesions):
        return _infected(case, classes)
    for lesion in lesions:
        held = np.count_nonzero(numbers == lesion.number)
        if not held:
            continue
        whole = np.count_nonzero(
            case.infection[box_voxels(np.asarray(lesion.box), case.infection.shape)] == lesion.number
        )
        if held >= MIN_CAPTURE * whole:
            return _infected(case, classes)
    return classes.irrelevant


def label_patch(
    box: Sequence[float] | NDArray[np.float64], z: int, case: TrueCase, classes: Classes = DEFAULT_CLASSES
) -> str:
    """The true label of one axial patch of a candidate region.

    Ours: the rule of ``label_region`` in one slice; a lesion whose section there is smaller than
    ``MIN_SECTION_MM2`` counts by its share of the lung only.

    Args:
        box: index box of the region on the volume grid; its in-plane part is the patch.
        z: canonical slice of the patch.
        case: scan and truth.
        classes: the class list.

    Returns:
        One of ``classes.patch_labels``.

    Raises:
        IndexError: if the slice lies outside the volume.
    """
    if not 0 <= z < case.infection.shape[0]:
        raise IndexError(f"slice {z} lies outside a volume of {case.infection.shape[0]} slices")
    _, rows, columns = box_voxels(np.asarray(box), case.infection.shape)
    section = case.infection[z]
    numbers = section[rows, columns]
    lesions = infection_lesions(case, classes)
    if _covers_enough(numbers, case.lungs[z, rows, columns], lesions):
        return _infected(case, classes)
    pixel_mm2 = case.volume.spacing_mm[0] * case.volume.spacing_mm[1]
    for lesion in lesions:
        held = np.count_nonzero(numbers == lesion.number)
        whole = np.count_nonzero(section == lesion.number) if held else 0
        if held and whole * pixel_mm2 >= MIN_SECTION_MM2 and held >= MIN_CAPTURE * whole:
            return _infected(case, classes)
    return classes.irrelevant


def _covers_enough(numbers: NDArray[np.uint8], lungs: NDArray[np.uint8], lesions: Sequence[TrueLesion]) -> bool:
    infected = np.isin(numbers, [lesion.number for lesion in lesions])
    # A lesion at the pleura may reach past the lung mask: both together are the lung that is seen.
    seen = np.count_nonzero((lungs > 0) | infected)
    return seen > 0 and np.count_nonzero(infected) >= MIN_SHARE * seen


def _infected(case: TrueCase, classes: Classes) -> str:
    if case.diagnosis not in classes.infections:
        raise ValueError(f"a case diagnosed as {case.diagnosis!r} holds infection lesions")
    return case.diagnosis
