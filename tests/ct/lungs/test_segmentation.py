"""Lungs on a synthetic asymmetric chest, on phantoms, and on real scans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscreen.ct.lungs.segmentation import Lungs, segment_lungs
from pneumoscreen.ct.phantoms.phantom import generate_phantom
from pneumoscreen.errors import NoLungsError
from pneumoscreen.images.volume import Volume

AIR, LUNG, TISSUE, BONE = -1000, -850, 40, 500


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def volume_of(hu: NDArray[np.int16], spacing: tuple[float, float, float], name: str = "chest") -> Volume:
    return Volume(hu, spacing, (0.0, 0.0, 0.0), np.eye(3), name, Path(name), "0" * 64)


def read(path: Path) -> Volume:
    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    return volume_of(sitk.GetArrayFromImage(image).astype(np.int16), image.GetSpacing(), path.name)


def ellipsoid(shape: tuple[int, ...], center: tuple[float, ...], radii: tuple[float, ...]) -> NDArray[np.bool_]:
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grids, center, radii, strict=True)) < 1


@pytest.fixture(scope="module")
def chest() -> tuple[Volume, NDArray[np.uint8], NDArray[np.bool_]]:
    """A chest of 2 x 2 x 4 mm with a large consolidation at the right posterior pleura and a table.

    Returns the volume, the true labels and the consolidation.
    """
    shape = (60, 128, 160)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    hu = np.full(shape, AIR, dtype=np.int16)
    hu[np.broadcast_to(((y - 60) / 54) ** 2 + ((x - 80) / 78) ** 2 < 1, shape)] = TISSUE
    hu[:, 116:118, 20:140] = TISSUE
    truth = np.zeros(shape, dtype=np.uint8)
    truth[ellipsoid(shape, (30, 58, 118), (24, 36, 27))] = 1
    truth[ellipsoid(shape, (32, 58, 42), (23, 37, 29))] = 2
    truth[ellipsoid(shape, (18, 45, 92), (14, 18, 26))] = 0
    hu[truth > 0] = LUNG
    consolidation = ellipsoid(shape, (27, 86, 40), (7, 16, 12)) & (truth == 2)
    hu[consolidation] = 30
    trachea = np.broadcast_to(((y - 50) / 4.5) ** 2 + ((x - 79) / 4.5) ** 2 < 1, shape) & (z >= 34)
    hu[trachea] = AIR
    hu[:, 88:100, 74:87] = BONE
    hu = ndimage.gaussian_filter(hu.astype(np.float32), (0.3, 0.6, 0.6))
    hu += np.random.default_rng(7).normal(0, 20, shape)
    return volume_of(hu.astype(np.int16), (2.0, 2.0, 4.0)), truth, consolidation


@pytest.fixture(scope="module")
def found(chest: tuple[Volume, NDArray[np.uint8], NDArray[np.bool_]]) -> Lungs:
    return segment_lungs(chest[0])


def test_both_lungs_of_a_synthetic_chest(chest, found: Lungs) -> None:
    _, truth, _ = chest
    assert dice(found.side_mask("left"), truth == 1) > 0.96
    assert dice(found.side_mask("right"), truth == 2) > 0.96


def test_consolidation_at_the_pleura_stays_inside(chest, found: Lungs) -> None:
    _, _, consolidation = chest
    assert np.count_nonzero(consolidation & found.side_mask("right")) > 0.75 * np.count_nonzero(consolidation)


def test_trachea_is_out(found: Lungs) -> None:
    assert not found.mask[36:, 47:54, 76:83].any()


def test_mirrored_scan_gives_mirrored_lungs(chest, found: Lungs) -> None:
    volume, _, _ = chest
    mirrored = segment_lungs(replace(volume, hu=np.ascontiguousarray(volume.hu[:, :, ::-1])))
    assert dice(mirrored.side_mask("left"), found.side_mask("right")[:, :, ::-1]) > 0.999
    assert dice(mirrored.side_mask("right"), found.side_mask("left")[:, :, ::-1]) > 0.999


def test_same_scan_gives_same_lungs(chest, found: Lungs) -> None:
    assert np.array_equal(segment_lungs(chest[0]).labels, found.labels)


def test_values_clipped_to_a_lung_window(chest, found: Lungs) -> None:
    volume, _, _ = chest
    clipped = segment_lungs(replace(volume, hu=np.clip(volume.hu, -1350, 150).astype(np.int16), approximate_hu=True))
    assert dice(clipped.mask, found.mask) > 0.98


def test_slices_cut_from_the_middle_are_segmented_with_a_note(chest, found: Lungs) -> None:
    volume, _, _ = chest
    cut = segment_lungs(replace(volume, hu=volume.hu[20:45]))
    assert dice(cut.mask, found.mask[20:45]) > 0.95
    assert "The top of the lungs lies outside the scan." in cut.notes
    assert "The bases of the lungs lie outside the scan." in cut.notes


@pytest.mark.parametrize("side", ["left", "right"])
def test_half_a_chest_has_the_right_side(chest, side: str) -> None:
    volume, truth, _ = chest
    half = slice(70, 160) if side == "left" else slice(0, 90)
    lungs = segment_lungs(replace(volume, hu=np.ascontiguousarray(volume.hu[:, :, half])))
    assert dice(lungs.side_mask(side), truth[:, :, half] == (1 if side == "left" else 2)) > 0.9
    assert any(f"Only the {side} lung" in note for note in lungs.notes)


@pytest.mark.parametrize("value", [AIR, TISSUE])
def test_empty_scans_are_refused_by_name(value: int) -> None:
    volume = volume_of(np.full((20, 64, 64), value, dtype=np.int16), (3.0, 3.0, 5.0), "blank.nrrd")
    with pytest.raises(NoLungsError, match=r"blank\.nrrd"):
        segment_lungs(volume)


def test_side_and_box_and_volume() -> None:
    labels = np.zeros((4, 10, 20), dtype=np.uint8)
    labels[1:3, 2:8, 12:18] = 1
    labels[1:3, 2:8, 2:8] = 2
    lungs = Lungs(labels)
    assert lungs.volume_ml("left", (2.0, 5.0, 10.0)) == pytest.approx(7.2)
    assert lungs.side_of(np.array([0.5, 3.0, 10.5, 2.5, 5.0, 16.0])) == "left"
    assert lungs.side_of(np.array([-0.5, -0.5, -0.5, 0.5, 1.5, 5.0])) == "right"
    assert lungs.side_of(np.array([3.0, 9.0, 11.0, 3.5, 9.5, 13.0])) == "left"


@pytest.mark.parametrize("seed", [1, 9])
def test_phantom(seed: int) -> None:
    check_phantom(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_thirty_phantoms(seed: int) -> None:
    check_phantom(seed)


def check_phantom(seed: int) -> None:
    phantom = generate_phantom(seed)
    lungs = segment_lungs(phantom.volume)
    assert dice(lungs.mask, phantom.lungs > 0) >= 0.95
    assert dice(lungs.side_mask("left"), phantom.lungs == 1) >= 0.95
    assert dice(lungs.side_mask("right"), phantom.lungs == 2) >= 0.95


def test_small_scan_with_reference(shared_data: Path) -> None:
    folder = shared_data / "ct" / "cip_ct64"
    lungs = segment_lungs(read(folder / "ct-64.nrrd"))
    assert dice(lungs.mask, read(folder / "wholeLung-64.nrrd").hu > 0) >= 0.93
    # The thirds of the left lung are 9-11, those of the right lung 12-14; higher bytes name vessels and airways.
    thirds = read(folder / "lm-64.nrrd").hu & 0xFF
    assert dice(lungs.side_mask("left"), (thirds >= 9) & (thirds <= 11)) >= 0.93
    assert dice(lungs.side_mask("right"), (thirds >= 12) & (thirds <= 14)) >= 0.93


def test_scan_of_one_lung(shared_data: Path) -> None:
    folder = shared_data / "ct" / "elastix_right_lung"
    lungs = segment_lungs(read(folder / "3DCT_lung.mha"))
    assert dice(lungs.side_mask("right"), read(folder / "3DCT_lung_baseline_mask.mha").hu > 0) >= 0.95
    assert not lungs.side_mask("left").any()
    assert any("Only the right lung" in note for note in lungs.notes)


def test_abdomen_is_refused(shared_data: Path) -> None:
    with pytest.raises(NoLungsError, match=r"example_ct\.nii\.gz: no lungs in view .*give a CT of the chest"):
        segment_lungs(read(shared_data / "ct" / "no_lung_abdomen" / "example_ct.nii.gz"))


def test_lower_lobe_consolidation_of_a_patient_stays_inside(shared_data: Path) -> None:
    volume = read(shared_data / "ct" / "radiopaedia_covid19" / "rid74879.nii.gz")
    lungs = segment_lungs(volume)
    # Around the dense posterobasal area of the right lower lobe, in front of the ribs.
    assert lungs.side_mask("right")[12, 218:238, 82:112].mean() > 0.95
    assert lungs.volume_ml("left", volume.spacing_mm) > 1500
    assert lungs.volume_ml("right", volume.spacing_mm) > 1500


def test_the_last_slice_of_a_box_counts_for_its_side() -> None:
    labels = np.zeros((6, 4, 4), dtype=np.uint8)
    labels[1, 0, 0], labels[4, 0, :3] = 2, 1
    assert Lungs(labels).side_of(np.array([-0.5, -0.5, -0.5, 4.5, 3.5, 3.5])) == "left"
    assert Lungs(labels).side_of(np.array([-0.5, -0.5, -0.5, 3.5, 3.5, 3.5])) == "right"


@pytest.mark.parametrize(
    ("kept", "note"),
    [
        (slice(0, 36), "The top of the lungs lies outside the scan."),
        (slice(24, 60), "The bases of the lungs lie outside the scan."),
    ],
)
def test_a_scan_that_is_cut_on_one_end_says_which(chest, kept: slice, note: str) -> None:
    volume, _, _ = chest
    assert segment_lungs(replace(volume, hu=volume.hu[kept])).notes == (note,)
