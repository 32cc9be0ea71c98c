"""COVID-19-CT-Seg: what training reads afterwards is what was drawn, whatever the files' orientation."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.ct.candidates.working_grid import WorkingGridSettings
from pneumoscreen.ct.learning.candidate_data import prepare_case
from pneumoscreen.ct.learning.truth import complete_truth
from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.ct.truth import label_region
from pneumoscreen.images.volume import LEFT, RIGHT
from pneumoscreen.studies.cases import find_studies
from pneumoscreen.verdict import DEFAULT_CLASSES

from .conftest import ORIENTATIONS, Imported, ball, write


def layout(
    root: Path,
    name: str,
    phantom: Phantom,
    infection: np.ndarray,
    orientation: str = "LPS",
    mask_orientation: str | None = None,
) -> None:
    """One case in the folders of the data set."""
    mask_orientation = mask_orientation or orientation
    write(root / "COVID-19-CT-Seg_20cases" / name, phantom, phantom.volume.hu, orientation)
    write(root / "Infection_Mask" / name, phantom, infection, mask_orientation)
    write(root / "Lung_Mask" / name, phantom, phantom.lungs, mask_orientation)
    both = np.where(infection, 3, phantom.lungs).astype(np.uint8)
    write(root / "Lung_and_Infection_Mask" / name, phantom, both, mask_orientation)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("mask_orientation", ["LPS", "RAI"])
def test_lesions_lie_where_they_were_drawn(
    orientation: str, mask_orientation: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    layout(tmp_path / "in", "coronacases_001.nii.gz", covid, covid.infection_mask, orientation, mask_orientation)
    imported = run_import(tmp_path / "in")
    assert imported.actions() == {"coronacases_001": "imported"}
    case, document = imported.load("coronacases_001"), imported.document("coronacases_001")
    assert case.diagnosis == "covid19" and document.verdict is not None and document.verdict.label == "covid19"
    assert np.array_equal(case.volume.hu, covid.volume.hu)
    assert np.array_equal(case.lungs, covid.lungs)
    assert case.infection is not None
    drawn = covid.infection_mask
    assert not (case.infection[~drawn] > 0).any(), "nothing is added"
    dropped = np.count_nonzero(drawn & (case.infection == 0)) / np.count_nonzero(drawn)
    assert dropped < 0.1
    for lesion, region in zip(case.lesions, document.regions, strict=True):
        voxels = np.argwhere(case.infection == lesion.number)
        assert np.allclose(lesion.box[:3], voxels.min(axis=0) - 0.5, atol=0.02)
        assert np.allclose(lesion.box[3:], voxels.max(axis=0) + 0.5, atol=0.02)
        sides = np.bincount(covid.lungs[tuple(voxels.T)], minlength=3)
        assert region.side == ("left" if sides[LEFT] > sides[RIGHT] else "right")
        assert region.id == f"r{lesion.number}" and lesion.label == "covid19"


def test_the_files_written_fit_each_other(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    layout(tmp_path / "in", "coronacases_002.nii.gz", covid, covid.infection_mask, "RAI")
    imported = run_import(tmp_path / "in")
    scan = sitk.ReadImage(imported.studies / "coronacases_002.nii.gz")
    for folder in ("lesions", "lungs"):
        mask = sitk.ReadImage(imported.studies / "labels" / folder / "coronacases_002.nii.gz")
        assert mask.GetSize() == scan.GetSize()
        assert np.allclose(mask.GetOrigin(), scan.GetOrigin(), atol=1e-3)
        assert np.allclose(mask.GetDirection(), scan.GetDirection())
    document = imported.document("coronacases_002")
    assert document.image.size == scan.GetSize()
    assert any("COVID-19-CT-Seg" in note for note in document.notes)


def test_training_takes_the_case(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    layout(tmp_path / "in", "coronacases_001.nii.gz", covid, covid.infection_mask)
    case = run_import(tmp_path / "in").load("coronacases_001")
    prepared = prepare_case(case, WorkingGridSettings())
    assert len(prepared.boxes) == len(case.lesions) > 0
    assert prepared.infection is not None and prepared.infection.any()
    truth = complete_truth(case, DEFAULT_CLASSES)
    assert {label_region(lesion.box, truth) for lesion in truth.lesions} == {"covid19"}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_sides_follow_from_geometry_not_from_the_numbers(
    orientation: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    root = tmp_path / "in"
    layout(root, "a.nii.gz", covid, ball(covid, LEFT), orientation)
    swapped = np.array([0, 2, 1], dtype=np.uint8)[covid.lungs]
    write(root / "Lung_Mask" / "a.nii.gz", covid, swapped, orientation)
    imported = run_import(root)
    assert np.array_equal(imported.load("a").lungs, covid.lungs)
    document = imported.document("a")
    assert [region.side for region in document.regions] == ["left"]
    assert document.lungs["left"].affected_percent > 0 and document.lungs["right"].affected_percent == 0
    assert any("geometry" in note for note in document.notes)


def test_one_mask_of_lungs_and_infection_is_enough(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    root = tmp_path / "in"
    layout(root, "a.nii.gz", covid, ball(covid, RIGHT))
    for folder in ("Infection_Mask", "Lung_Mask"):
        (root / folder / "a.nii.gz").unlink()
    case = run_import(root).load("a")
    assert np.array_equal(case.lungs, covid.lungs), "infected lung is lung, on its own side"
    assert case.infection is not None and np.array_equal(case.infection > 0, ball(covid, RIGHT))


def test_a_picture_is_turned_back_into_hounsfield_units(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    root, name = tmp_path / "in", "radiopaedia_10_85902_1.nii.gz"
    layout(root, name, covid, covid.infection_mask, "RAI")
    grey = np.rint((np.clip(covid.volume.hu, -1250, 250) + 1250) / 1500 * 255).astype(np.uint8)
    write(root / "COVID-19-CT-Seg_20cases" / name, covid, grey, "RAI")
    imported = run_import(root)
    (case_id,) = imported.actions()
    case = imported.load(case_id)
    assert np.abs(case.volume.hu - np.clip(covid.volume.hu, -1024, 250).astype(float)).max() <= 1500 / 255
    assert case.volume.approximate_hu
    document = imported.document(case_id)
    assert document.image.sha256 == case.volume.sha256, "the document is of the file in the studies folder"
    assert any("256 grey levels" in note for note in document.notes)
    assert run_import(root).actions() == {case_id: "unchanged"}


def test_series_of_one_patient_stay_together(
    covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    root = tmp_path / "in"
    layout(root, "radiopaedia_29_86490_1.nii.gz", covid, covid.infection_mask)
    layout(root, "radiopaedia_29_86491_1.nii.gz", clear, ball(clear, LEFT))
    imported = run_import(root)
    assert len(imported.outcomes) == 2
    assert len({study.patient for study in find_studies(imported.studies)}) == 1


def test_names_as_they_are_passed_on_elsewhere(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    root = tmp_path / "in"
    write(root / "ct_scans" / "coronacases_org_001.nii", covid, covid.volume.hu)
    write(root / "infection_mask" / "coronacases_001.nii", covid, covid.infection_mask)
    write(root / "lung_mask" / "coronacases_001.nii", covid, covid.lungs)
    write(root / "ct_scans" / "radiopaedia_org_covid-19-pneumonia-10_85902_1-dcm.nii", covid, covid.volume.hu)
    write(root / "infection_mask" / "radiopaedia_10_85902_1.nii", covid, covid.infection_mask)
    assert run_import(root).actions() == {"coronacases_001": "imported", "radiopaedia_10_t859021": "imported"}


def test_a_broken_case_is_named_and_the_others_come_in(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    root = tmp_path / "in"
    for name in ("a", "b", "c", "d"):
        layout(root, f"{name}.nii.gz", covid, covid.infection_mask)
    small = sitk.GetImageFromArray(np.ones((8, 8, 8), dtype=np.uint8))
    sitk.WriteImage(small, root / "Infection_Mask" / "a.nii.gz")
    scan = root / "COVID-19-CT-Seg_20cases" / "b.nii.gz"
    scan.write_bytes(scan.read_bytes()[: scan.stat().st_size // 2])
    mirrored = covid.infection_mask[:, ::-1].copy()
    mirrored[covid.lungs > 0] = False
    write(root / "Infection_Mask" / "c.nii.gz", covid, mirrored)
    imported = run_import(root)
    assert imported.actions() == {"a": "refused", "b": "refused", "c": "refused", "d": "imported"}
    size, truncated, beside = imported.reasons()
    assert "Infection_Mask/a.nii.gz" in size and "does not fit" in size
    assert "b.nii.gz" in truncated and "truncated" in truncated
    assert "c.nii.gz" in beside and "mirrored" in beside
    left = sorted(path.name for path in imported.studies.glob("*.nii.gz"))
    assert left == ["d.nii.gz"], "a refused case leaves nothing behind"


def test_documents_are_contract_documents(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    layout(tmp_path / "in", "a.nii.gz", covid, covid.infection_mask)
    document = run_import(tmp_path / "in", reader="radiologists of the data set").document("a")
    assert Case.from_json(document.to_json()) == document
    assert {region.reader.name for region in document.regions if region.reader} == {"radiologists of the data set"}
    assert [region.source for region in document.regions] == ["reader"] * len(document.regions)
