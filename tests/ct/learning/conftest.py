"""Toy cases for the trainings: two ellipsoid lungs, bright blobs as infections, a band as an irrelevant finding."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pneumoscreen.images.volume import Volume


@dataclass(frozen=True)
class ToyLesion:
    number: int
    label: str
    box: NDArray[np.float64]


@dataclass(frozen=True)
class ToyCase:
    volume: Volume
    lungs: NDArray[np.uint8]
    infection: NDArray[np.uint8] | None
    lesions: tuple[ToyLesion, ...]
    diagnosis: str

    def without_mask(self) -> "ToyCase":
        return replace(self, infection=None)


def make_toy_case(seed: int) -> ToyCase:
    rng = np.random.default_rng(seed)
    shape = (32, 96, 128)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    lungs = np.zeros(shape, dtype=np.uint8)
    for centre, side in ((38, 2), (90, 1)):
        lungs[((z - 16) / 14) ** 2 + ((y - 48) / 38) ** 2 + ((x - centre) / 22) ** 2 < 1] = side
    hu = np.where(lungs > 0, -850.0, 30.0) + rng.normal(0, 20, shape)
    infection = np.zeros(shape, dtype=np.uint8)
    lesions = []
    for number, (label, centre) in enumerate((("covid19", 38), ("covid19", 90), ("irrelevant", 38)), start=1):
        middle = np.array([16, 30 if number < 3 else 66, centre]) + rng.integers(-4, 5, 3)
        half = np.array([2, 6, 6] if number < 3 else [1, 2, 9])
        inside = tuple(slice(int(m - h), int(m + h)) for m, h in zip(middle, half, strict=True))
        hu[inside] = -300 if number < 3 else 100
        infection[inside] = number
        box = np.concatenate([middle - half, middle + half]) - 0.5
        lesions.append(ToyLesion(number, label, box))
    volume = Volume(
        hu.round().astype(np.int16),
        (2.0, 2.0, 5.0),
        (0.0, 0.0, 0.0),
        np.eye(3),
        f"toy-{seed}",
        Path(f"toy-{seed}.nii.gz"),
        "0" * 64,
    )
    return ToyCase(volume, lungs, infection, tuple(lesions), "covid19")


@pytest.fixture(scope="session")
def toy_cases() -> list[ToyCase]:
    return [make_toy_case(seed) for seed in range(2)]
