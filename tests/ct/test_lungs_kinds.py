"""Lungs of kinds of chest that a plain threshold gets wrong, each on a phantom of the kind with its right value.

Every phantom is asymmetric, and every check is made on its mirror image as well.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscreen.ct.lungs.segmentation import Lungs, segment_lungs
from pneumoscreen.errors import NoLungsError
from pneumoscreen.images.volume import Volume

AIR, LUNG, TISSUE, BONE = -1000, -850, 40, 500
SHAPE = (60, 128, 160)
Z, Y, X = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
LEFT, RIGHT = 1, 2
Mask = NDArray[np.bool_]


def ellipsoid(center: tuple[float, float, float], radii: tuple[float, float, float]) -> Mask:
    steps = zip((Z, Y, X), center, radii, strict=True)
    return np.asarray(sum(((grid - c) / r) ** 2 for grid, c, r in steps) < 1)


def tube(center: tuple[float, float], radius: float) -> Mask:
    return np.broadcast_to(((Y - center[0]) / radius) ** 2 + ((X - center[1]) / radius) ** 2 < 1, SHAPE)


@dataclass
class Chest:
    """A chest of 2 x 2 x 4 mm in the making: densities and the true lungs (1 left, 2 right), [z, y, x]."""

    hu: NDArray[np.float32]
    truth: NDArray[np.uint8]
    spacing: tuple[float, float, float] = (2.0, 2.0, 4.0)

    @classmethod
    def plain(cls) -> "Chest":
        """Two lungs of different size, heart, spine and trachea."""
        hu = np.full(SHAPE, AIR, dtype=np.float32)
        hu[np.broadcast_to(((Y - 60) / 54) ** 2 + ((X - 80) / 78) ** 2 < 1, SHAPE)] = TISSUE
        truth = np.zeros(SHAPE, dtype=np.uint8)
        truth[ellipsoid((30, 58, 114), (24, 40, 30))] = LEFT
        truth[ellipsoid((32, 58, 45), (23, 40, 30))] = RIGHT
        truth[ellipsoid((18, 40, 92), (14, 18, 26))] = 0
        hu[truth > 0] = LUNG
        hu[:, 88:100, 74:87] = BONE
        trachea = tube((50, 79), 4.5) & (Z >= 34)
        hu[trachea], truth[trachea] = AIR, 0
        return cls(hu, truth)

    def put(self, where: Mask, value: float, lung: bool = False) -> Mask:
        """Paint a part; what is no lung leaves the truth."""
        self.hu[where] = value
        if not lung:
            self.truth[where] = 0
        return where

    def volume(self, mirrored: bool = False) -> Volume:
        blurred = ndimage.gaussian_filter(self.hu, (0.3, 0.6, 0.6))
        noisy = (blurred + np.random.default_rng(7).normal(0, 20, SHAPE)).astype(np.int16)
        hu = np.ascontiguousarray(noisy[:, :, ::-1]) if mirrored else noisy
        return Volume(hu, self.spacing, (0.0, 0.0, 0.0), np.eye(3), "chest", Path("chest"), "0" * 64)

    def segment(self, mirrored: bool) -> Lungs:
        """The lungs of this chest, found in it or in its mirror image and turned back."""
        found = segment_lungs(self.volume(mirrored))
        if not mirrored:
            return found
        swapped = np.array([0, RIGHT, LEFT], dtype=np.uint8)[found.labels[:, :, ::-1]]
        return Lungs(swapped, found.notes)

    def ml(self, mask: Mask) -> float:
        return float(np.count_nonzero(mask) * np.prod(self.spacing) / 1000)

    def check(self, lungs: Lungs, least: float) -> None:
        for side, name in ((LEFT, "left"), (RIGHT, "right")):
            found, true = lungs.labels == side, self.truth == side
            dice = 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))
            assert dice >= least, f"{name}: {dice:.3f}"


def share(part: Mask, whole: Mask) -> float:
    return np.count_nonzero(part & whole) / np.count_nonzero(whole)


both_ways = pytest.mark.parametrize("mirrored", [False, True], ids=["as it is", "mirrored"])


@both_ways
def test_liver_under_a_high_diaphragm_stays_out(mirrored: bool) -> None:
    chest = Chest.plain()
    # The right diaphragm stands 7 cm above the left one; a tongue of lung reaches down beside the spine.
    chest.put((chest.truth == RIGHT) & (Z < 26) & ~((X > 52) & (Y > 66)), TISSUE)
    lungs = chest.segment(mirrored)
    chest.check(lungs, 0.97)
    assert chest.ml(lungs.side_mask("right") & (chest.truth == 0) & (Z < 24)) < 15
    assert not any("bases" in note for note in lungs.notes)


@both_ways
def test_stomach_that_hangs_on_the_lung_stays_out(mirrored: bool) -> None:
    chest = Chest.plain()
    dome = ellipsoid((4, 46, 116), (14, 22, 24))
    chest.put(dome, TISSUE)
    stomach = chest.put(ellipsoid((2, 46, 116), (13, 19, 21)), AIR)
    # Where the two walls are thinner than the grid, their mean is that of air.
    chest.put(dome & ~stomach & tube((46, 116), 6), -600)
    lungs = chest.segment(mirrored)
    chest.check(lungs, 0.97)
    assert chest.ml(lungs.mask & stomach) < 15
    assert not any("bases" in note for note in lungs.notes)


@both_ways
def test_thin_chest_wall_loses_no_slices(mirrored: bool) -> None:
    chest = Chest.plain()
    skin = ((Y - 60) / 54) ** 2 + ((X - 80) / 78) ** 2
    within = np.broadcast_to(np.sqrt(skin) < 0.955, SHAPE)
    wide = within & (Z > 22) & (Z < 38) & (X < 70) & (Y < 84) & (Y > 24)
    chest.hu[wide] = LUNG
    chest.truth[wide] = RIGHT
    chest.check(chest.segment(mirrored), 0.97)


@both_ways
def test_wide_trachea_on_the_lung_and_an_air_filled_gullet_stay_out(mirrored: bool) -> None:
    chest = Chest.plain()
    chest.put(tube((54, 80), 9) & (Z >= 36), TISSUE)
    trachea = chest.put(tube((54, 80), 7) & (Z >= 36), AIR)
    # The wall between trachea and right lung vanishes on the grid.
    chest.put(tube((54, 80), 9) & (Z >= 38) & (Z < 50) & (X < 76) & (np.abs(Y - 54) < 4) & ~trachea, -700)
    gullet = chest.put(tube((68, 80), 3) & (Z >= 30), AIR)
    lungs = chest.segment(mirrored)
    assert share(lungs.mask, trachea) < 0.1
    assert share(lungs.mask, gullet) < 0.1
    chest.check(lungs, 0.97)


@both_ways
@pytest.mark.parametrize("half_height", [6, 12, 18])
def test_aorta_before_a_consolidation_stays_out(mirrored: bool, half_height: int) -> None:
    chest = Chest.plain()
    consolidation = ellipsoid((30, 90, 102), (half_height, 14, 14)) & (chest.truth == LEFT)
    chest.put(consolidation, 30, lung=True)
    aorta = chest.put(tube((83, 95), 6), 45)
    lungs = chest.segment(mirrored)
    chest.check(lungs, 0.97)
    assert share(lungs.mask, aorta & (np.abs(Z - 30) < half_height)) < 0.1
    assert share(lungs.side_mask("left"), consolidation & ~aorta) > 0.6


@both_ways
def test_shallow_breath_neither_loses_nor_gains(mirrored: bool) -> None:
    chest = Chest.plain()
    chest.put((chest.truth > 0) & (Z < 22), TISSUE)
    dependent = np.broadcast_to(np.clip((Y - 70) / 28.0, 0, 1), SHAPE)
    breathing = chest.truth > 0
    chest.hu[breathing] = (-680 + 300 * dependent)[breathing]
    lungs = chest.segment(mirrored)
    chest.check(lungs, 0.97)
    for side, name in ((LEFT, "left"), (RIGHT, "right")):
        assert chest.ml(lungs.labels == side) == pytest.approx(chest.ml(chest.truth == side), rel=0.04), name


@both_ways
def test_newborn(mirrored: bool) -> None:
    chest = Chest.plain()
    chest.spacing = (0.62, 0.62, 1.3)
    assert 30 < chest.ml(chest.truth == LEFT) < chest.ml(chest.truth == RIGHT) < 80
    lungs = chest.segment(mirrored)
    chest.check(lungs, 0.97)
    assert lungs.notes == ()


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 4.0), (0.62, 0.62, 1.3)], ids=["adult", "newborn"])
def test_abdomen_with_lung_bases_is_refused_as_such(spacing: tuple[float, float, float]) -> None:
    chest = Chest.plain()
    chest.hu[:36] = np.where(chest.truth[:36] > 0, TISSUE, chest.hu[:36])
    chest.hu[36:] = Chest.plain().hu[4:28]
    # Bowel as round and as upright as a trachea, below the lungs.
    chest.put(tube((50, 82), 5) & (Z > 8) & (Z < 30), AIR)
    chest.put(tube((40, 120), 9) & (Z > 14) & (Z < 34), AIR)
    chest.spacing = spacing
    for mirrored in (False, True):
        with pytest.raises(NoLungsError, match="only the bases of the lungs are in view"):
            segment_lungs(chest.volume(mirrored))


@pytest.mark.parametrize("cut", [slice(16, 60), slice(0, 44), slice(14, 46)], ids=["bases", "apices", "both"])
def test_chest_that_is_somewhat_cut_is_segmented(cut: slice) -> None:
    chest = Chest.plain()
    volume = chest.volume()
    lungs = segment_lungs(replace(volume, hu=np.ascontiguousarray(volume.hu[cut])))
    cut_chest = Chest(chest.hu[cut], chest.truth[cut])
    cut_chest.check(lungs, 0.97)


def test_abdomen_of_a_patient_with_lung_bases_is_refused(shared_data: Path) -> None:
    import SimpleITK as sitk

    image = sitk.DICOMOrient(sitk.ReadImage(str(shared_data / "ct" / "abdomen_with_lung_bases.nii.gz")), "LPS")
    hu = sitk.GetArrayFromImage(image).astype(np.int16)
    volume = Volume(hu, image.GetSpacing(), (0.0, 0.0, 0.0), np.eye(3), "abdomen", Path("abdomen"), "0" * 64)
    with pytest.raises(NoLungsError, match="only the bases of the lungs are in view"):
        segment_lungs(volume)
