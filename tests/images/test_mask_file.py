"""Masks on the grid of their scan."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.images.faults import DamagedError, DimensionError, GeometryError
from pneumoscreen.images.mask_file import read_mask


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return generate_phantom(1, "covid19", PhantomSpec(matrix=64, slices=20))


@pytest.mark.parametrize("name", ["m.nii.gz", "m.nrrd", "m.mha"])
@pytest.mark.parametrize("orientation", ["LPS", "RAI", "PIR", "SAL"])
@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float64])
def test_a_mask_comes_back_voxel_for_voxel(
    name: str, orientation: str, kind: type, phantom: Phantom, tmp_path: Path
) -> None:
    image = sitk.DICOMOrient(phantom.volume.to_sitk(phantom.infection.astype(kind)), orientation)
    sitk.WriteImage(image, tmp_path / name)
    assert np.array_equal(read_mask(tmp_path / name, phantom.volume), phantom.infection)


def test_half_a_voxel_is_rounding_and_more_is_another_place(phantom: Phantom, tmp_path: Path) -> None:
    for share, fits in ((0.4, True), (0.6, False)):
        image = phantom.volume.to_sitk(phantom.infection)
        x, y, z = image.GetOrigin()
        image.SetOrigin((x, y, z + share * phantom.volume.spacing_mm[2]))
        sitk.WriteImage(image, tmp_path / "m.nii.gz")
        if fits:
            read_mask(tmp_path / "m.nii.gz", phantom.volume)
            continue
        with pytest.raises(GeometryError, match="lies elsewhere"):
            read_mask(tmp_path / "m.nii.gz", phantom.volume)


def test_a_coarser_grid_is_refused_though_it_covers_the_scan(phantom: Phantom, tmp_path: Path) -> None:
    image = phantom.volume.to_sitk(phantom.infection)
    image.SetSpacing([2 * s for s in image.GetSpacing()])
    sitk.WriteImage(image, tmp_path / "m.nii.gz")
    with pytest.raises(GeometryError):
        read_mask(tmp_path / "m.nii.gz", phantom.volume)


def test_damaged_and_larger_labels(phantom: Phantom, tmp_path: Path) -> None:
    path = tmp_path / "m.nii.gz"
    sitk.WriteImage(phantom.volume.to_sitk(phantom.infection), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DamagedError):
        read_mask(path, phantom.volume)
    sitk.WriteImage(phantom.volume.to_sitk(phantom.infection.astype(np.int32) * 70_000), path)
    with pytest.raises(DimensionError, match="no labels"):
        read_mask(path, phantom.volume)
