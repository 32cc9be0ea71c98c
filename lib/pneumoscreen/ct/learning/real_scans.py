"""Real scans with clear lungs that synthetic lesions are put into, varied as if they had been taken elsewhere.

Ours. Vessels, hila, fissures, domes of the diaphragm, emphysema and tumours are the patients' own; lesions and their
truth are the phantoms'. Only openly licensed scans belong here (``configs/starter_scans.yaml``).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...config import Settings
from ...images.reader import read_volume
from ...images.volume import LEFT, RIGHT, Volume
from ...phantoms.lesion_kinds import Manifestation
from ...verdict import DEFAULT_CLASSES
from ..lungs.segmentation import segment_lungs
from ..phantoms.acquisition import Acquisition, halved
from ..phantoms.implants import implant_lesions, mirrored
from ..phantoms.phantom import Lesion, Phantom

CLEAR_SIDES = {"left": (LEFT,), "right": (RIGHT,), "both": (LEFT, RIGHT)}

Box = tuple[float, float, float, float, float, float]


class ScanSettings(Settings):
    """One scan.

    Attributes:
        path: below the folder of scans.
        name: of patient and collection, for the card.
        attribution: source and licence, for the card.
        clear: the lungs that hold no opacity.
        irrelevant: index boxes of known tumours and collapse.
    """

    path: str
    name: str
    attribution: str
    clear: tuple[Literal["left", "right"], ...]
    irrelevant: tuple[Box, ...] = ()


class ScansSettings(Settings):
    """The scans that train, and those that may train but are kept out to measure on."""

    scans: tuple[ScanSettings, ...]
    held_out: tuple[ScanSettings, ...] = ()


@dataclass(frozen=True)
class RealScan:
    """A real scan.

    Attributes:
        volume: the CT.
        lungs: uint8 [z, y, x], all lungs in view, 1 left, 2 right.
        clear: the same, the lungs without opacities alone.
        irrelevant: float64 [n, 6], index boxes of known tumours and collapse.
    """

    volume: Volume
    lungs: NDArray[np.uint8]
    clear: NDArray[np.uint8]
    irrelevant: NDArray[np.float64]

    @classmethod
    def read(cls, path: Path, clear_side: str, irrelevant: tuple[Box, ...] = ()) -> "RealScan":
        """Read and segment a scan; lesions go into the lung of ``clear_side`` (a key of ``CLEAR_SIDES``) only."""
        volume = read_volume(path)
        labels = segment_lungs(volume).labels
        clear = np.where(np.isin(labels, CLEAR_SIDES[clear_side]), labels, 0).astype(np.uint8)
        return cls(volume, labels, clear, np.array(irrelevant, dtype=np.float64).reshape(-1, 6))

    @classmethod
    def of_settings(cls, folder: Path, settings: ScanSettings) -> "RealScan":
        """The scan of an entry of ``configs/starter_scans.yaml``."""
        side = settings.clear[0] if len(settings.clear) == 1 else "both"
        return cls.read(folder / settings.path, side, settings.irrelevant)

    def on_half_matrix(self) -> "RealScan":
        """The scan on half the matrix where its pixels are small; else as it is."""
        volume = halved(self.volume)
        if volume is self.volume:
            return self
        height, width = volume.hu.shape[1:]
        maps = [m[:, : 2 * height : 2, : 2 * width : 2] for m in (self.lungs, self.clear)]
        boxes = self.irrelevant.copy()
        boxes[:, [1, 2, 4, 5]] = (boxes[:, [1, 2, 4, 5]] + 0.5) / 2 - 0.5
        return RealScan(volume, np.ascontiguousarray(maps[0]), np.ascontiguousarray(maps[1]), boxes)

    def mirror_image(self) -> "RealScan":
        """The scan of the mirror-image patient, sides exchanged."""
        volume, lungs = mirrored(self.volume, self.lungs)
        _, clear = mirrored(self.volume, self.clear)
        boxes = self.irrelevant.copy()
        boxes[:, [2, 5]] = self.volume.hu.shape[2] - 1 - boxes[:, [5, 2]]
        return RealScan(volume, lungs, clear, boxes)

    def case(self, seed: int, diagnosis: str | None, manifestation: Manifestation = "drawn") -> Phantom:
        """The case of a seed: lesions of a diagnosis drawn (None: the scan as it is).

        Then it is taken with a drawn kernel, slice thickness, noise and breath; every other seed the mirror image,
        every other two on half the matrix.
        """
        scan = self.on_half_matrix() if seed // 2 % 2 else self
        scan = scan if seed % 2 else scan.mirror_image()
        if diagnosis is None:
            nothing = np.zeros(scan.lungs.shape, dtype=np.uint8)
            case = Phantom(scan.volume, scan.lungs, nothing, (), DEFAULT_CLASSES.none_found)
        else:
            case = implant_lesions(scan.volume, scan.clear, diagnosis, seed, scan.lungs, manifestation)
        return scan._taken(
            case, np.random.default_rng([seed, 11]), f"{self.volume.case_id}-{diagnosis or 'as-it-is'}-{seed:06d}"
        )

    def _taken(self, case: Phantom, rng: np.random.Generator, case_id: str) -> Phantom:
        how = Acquisition.draw(case.volume.spacing_mm[2], rng)
        infection = how.take_map(case.infection)
        seen = set(np.unique(infection).tolist())
        number = max((lesion.number for lesion in case.lesions), default=0)
        known = [
            Lesion(number + i, DEFAULT_CLASSES.irrelevant, "tumour", box)
            for i, box in enumerate(self.irrelevant, start=1)
        ]
        lesions = [lesion for lesion in case.lesions if lesion.number in seen] + known
        taken = [replace(lesion, box=_thickened(lesion.box, how.slices)) for lesion in lesions]
        volume = replace(how.take(case.volume, rng), case_id=case_id)
        return Phantom(volume, how.take_map(case.lungs), infection, tuple(taken), case.diagnosis)


def _thickened(box: NDArray[np.float64], slices: int) -> NDArray[np.float64]:
    moved = np.asarray(box, dtype=np.float64).copy()
    moved[[0, 3]] = (moved[[0, 3]] + 0.5) / slices - 0.5
    return moved
