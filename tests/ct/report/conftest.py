"""A screening made of a phantom's own truth."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pneumoscreen.case import Case, LungInfo, ModelInfo, Patch, Region
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.images.volume import Volume
from pneumoscreen.verdict import DEFAULT_CLASSES

LABELS = DEFAULT_CLASSES.patch_labels


@dataclass(frozen=True)
class TrueLungs:
    """Lungs in the form of the real segmentation."""

    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class TrueScreening:
    """What a faultless screening would have found."""

    case: Case
    lungs: TrueLungs
    infection: NDArray[np.bool_]

    def with_case(self, **changes) -> "TrueScreening":
        """The screening with another document."""
        return replace(self, case=replace(self.case, **changes).with_verdict())


def patch(volume: Volume, z: int, label: str, confidence: float) -> Patch:
    """A patch of a canonical slice whose other classes share the rest."""
    rest = (1.0 - confidence) / (len(LABELS) - 1)
    shares = {name: confidence if name == label else rest for name in LABELS}
    return Patch(volume.stored_slice(z), label, confidence, 0.05, shares)


def region(volume: Volume, number: int, box: NDArray[np.float64], label: str) -> Region:
    """A region whose three patches agree, the middle one the most confident."""
    center, size = volume.box_to_mm(box)
    middle = round((box[0] + box[3]) / 2)
    patches = tuple(patch(volume, middle + step, label, 0.9 if step == 0 else 0.7) for step in (-1, 0, 1))
    side = "left" if box[2] + box[5] > volume.hu.shape[2] else "right"
    return Region(f"r{number}", "model", tuple(center), tuple(size), 0.8, side, patches).with_vote()


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return generate_phantom(1000, "covid19", PhantomSpec(matrix=160, slices=32))


@pytest.fixture(scope="session")
def volume(phantom) -> Volume:
    return phantom.volume


@pytest.fixture(scope="session")
def screening(phantom) -> TrueScreening:
    volume = phantom.volume
    case = Case(
        case_id=volume.case_id,
        modality="CT",
        image=volume.image_info(),
        lungs={"left": LungInfo(2000.0, 12.5), "right": LungInfo(3000.0, 2.5)},
        regions=tuple(region(volume, lesion.number, lesion.box, lesion.label) for lesion in phantom.lesions),
        models={"ct_candidates": ModelInfo(3, "9f" * 32)},
        timings_s={"lungs": 1.25, "total": 6.5},
        notes=("Padding of -3024 was set to -1024.",),
    ).with_verdict()
    return TrueScreening(case, TrueLungs(phantom.lungs), phantom.infection_mask)
