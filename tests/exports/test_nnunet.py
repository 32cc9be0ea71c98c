"""CTs as a raw data set of nnU-Net: image and label agree voxel by voxel, and lie where the document says."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from pneumoscreen.case import ReaderMark, Region, lps_to_ras
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.ct.phantoms.studies import write_phantom
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS

from .conftest import Run

DATA = "Dataset007_PneumoScreen"


def asymmetric(orientation: str) -> Phantom:
    """A phantom that is oblique, away from the origin, of uneven voxels, and whose file lies in another orientation."""
    phantom = generate_phantom(3, "covid19", PhantomSpec(matrix=64, slices=22))
    volume = replace(
        phantom.volume,
        direction=Rotation.from_euler("xyz", (4.0, -6.0, 9.0), degrees=True).as_matrix(),
        origin_mm=(-101.0, -57.0, 33.0),
        stored_orientation=orientation,
    )
    return replace(phantom, volume=volume)


def folder_of(phantom: Phantom, folder: Path) -> Path:
    for part in (FINAL_LABELS, LESION_MASKS, LUNG_MASKS):
        (folder / part).mkdir(parents=True)
    write_phantom(folder, phantom)
    return folder


def loaded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values and RAS affine, by another reader than the one that wrote the file."""
    image = nib.load(path)
    return np.asarray(image.dataobj), image.affine


@pytest.mark.parametrize("orientation", ["LPS", "RAI", "SLP"])
def test_image_and_label_agree_voxel_by_voxel(orientation: str, export: Run, tmp_path: Path) -> None:
    phantom = asymmetric(orientation)
    case_id = phantom.volume.case_id
    studies = folder_of(phantom, tmp_path / "studies")
    assert export("nnunet", studies, "--out", tmp_path / "out", "--id", "7").status == 0
    (image_path,) = (tmp_path / "out" / DATA).glob("images*/*.nii.gz")
    (label_path,) = (tmp_path / "out" / DATA).glob("labels*/*.nii.gz")
    assert (image_path.name, label_path.name) == (f"{case_id}_0000.nii.gz", f"{case_id}.nii.gz")
    image, affine = loaded(image_path)
    label, affine_of_label = loaded(label_path)
    given, given_affine = loaded(studies / f"{case_id}.nii.gz")
    assert image.shape == label.shape == given.shape and np.array_equal(image, given)
    assert np.allclose(affine, given_affine, atol=1e-4) and np.allclose(affine, affine_of_label, atol=1e-6)
    lungs, _ = loaded(studies / LUNG_MASKS / f"{case_id}.nii.gz")
    lesions, _ = loaded(studies / LESION_MASKS / f"{case_id}.nii.gz")
    infected = np.isin(lesions, [lesion.number for lesion in phantom.infections])
    assert np.array_equal(label, np.where(infected, 3, lungs))
    # By the numbers themselves: infection is denser than lung, and lies where the document's regions are.
    assert image[label == 3].mean() > image[(label == 1) | (label == 2)].mean() + 100
    left, right = (center_of(label == value, affine) for value in (1, 2))
    assert left[0] < right[0], "x grows to the patient's right in RAS"
    document = AnnotationStore(studies).counting(case_id).document
    for region, lesion in zip(document.regions, phantom.lesions, strict=True):
        if lesion in phantom.infections:
            inside = np.argwhere((lesions == lesion.number) & (label == 3))
            middle = (inside.min(axis=0) + inside.max(axis=0)) / 2
            found = affine[:3, :3] @ middle + affine[:3, 3]
            assert np.abs(found - lps_to_ras(region.center_mm)).max() < 0.02


def center_of(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]


def test_the_data_set_is_divided_by_patient_as_the_folder_is(export: Run, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    phantom = generate_phantom(1, "covid19", PhantomSpec(matrix=64, slices=20))
    for part in (FINAL_LABELS, LESION_MASKS, LUNG_MASKS):
        (studies / part).mkdir(parents=True)
    names = ("patient-3_day1", "patient-3_day2", *(f"case-{number}" for number in range(8)))
    for name in names:
        write_phantom(studies, replace(phantom, volume=replace(phantom.volume, case_id=name)))
    assert export("nnunet", studies, "--out", tmp_path / "out", "--id", "7").status == 0
    data = tmp_path / "out" / DATA
    described = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    assert described["channel_names"] == {"0": "CT"} and described["file_ending"] == ".nii.gz"
    assert described["labels"] == {"background": 0, "left lung": 1, "right lung": 2, "infection": 3}
    (fold,) = json.loads((data / "splits_final.json").read_text(encoding="utf-8"))
    tested = [path.name.removesuffix(".nii.gz") for path in (data / "labelsTs").iterdir()]
    assert sorted([*fold["train"], *fold["val"], *tested]) == sorted(names)
    assert described["numTraining"] == len(fold["train"]) + len(fold["val"]) == len(list((data / "imagesTr").iterdir()))
    for part in (fold["train"], fold["val"], tested):
        assert ("patient-3_day1" in part) == ("patient-3_day2" in part), "a patient is on one side"


def test_what_a_reader_painted_counts_and_what_nobody_painted_is_left_out(export: Run, tmp_path: Path) -> None:
    phantom = generate_phantom(3, "covid19", PhantomSpec(matrix=64, slices=22))
    studies, volume = folder_of(phantom, tmp_path / "studies"), phantom.volume
    store, case_id = AnnotationStore(studies), volume.case_id
    document = store.counting(case_id).document
    painted = np.zeros(volume.hu.shape, dtype=np.uint8)
    z, y, x = (round(float(n)) for n in np.argwhere(phantom.lungs == 1).mean(axis=0))
    painted[z : z + 2, y : y + 3, x : x + 4] = 1
    box = np.array([z - 0.5, y - 0.5, x - 0.5, z + 1.5, y + 2.5, x + 3.5])
    center, size = volume.box_to_mm(box)
    mark = ReaderMark("covid19", "anna", "2026-11-29T10:00:00Z")
    drawn = Region("r1", "reader", tuple(center.tolist()), tuple(size.tolist()), 1.0, "left", reader=mark)
    corrected = replace(document, regions=(drawn,)).with_verdict()
    store.submit(corrected, "anna")
    ended = export("nnunet", studies, "--out", tmp_path / "out")
    assert ended.status == 2 and f"{case_id}.json: region r1 is an infection that no mask shows" in ended.err
    assert "none of its cases can be exported" in ended.err and not (tmp_path / "out").exists()
    path = tmp_path / "map.nii.gz"
    sitk.WriteImage(volume.to_sitk(painted), path)
    store.submit(corrected, "anna", label_map=path)
    (studies / LUNG_MASKS / f"{case_id}.nii.gz").unlink()
    ended = export("nnunet", studies, "--out", tmp_path / "again", "--id", "7")
    assert ended.status == 0 and "nobody drew its lungs; the program found them" in ended.err
    (label_path,) = (tmp_path / "again" / DATA).glob("labels*/*.nii.gz")
    label = sitk.GetArrayFromImage(sitk.ReadImage(label_path))
    assert np.array_equal(label == 3, painted == 1)
    assert {1, 2} < set(np.unique(label).tolist())
