"""A written studies folder holds scans, masks and documents that agree with each other."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.verdict import DEFAULT_CLASSES

SPEC = PhantomSpec(matrix=80, thickness_mm=7.0)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    calls: list[tuple[int, int]] = []
    written = write_studies(folder, 3, 40, SPEC, progress=lambda done, total: calls.append((done, total)))
    assert [path.name for path in written] == [f"phantom-{seed:06d}.nii.gz" for seed in (40, 41, 42)]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    return folder


def test_documents_name_each_diagnosis_once_and_validate(studies: Path) -> None:
    cases = [
        Case.from_json(path.read_text(encoding="utf-8"))
        for path in sorted((studies / "labels" / "final").glob("*.json"))
    ]
    assert [case.diagnosis for case in cases] == list(DEFAULT_CLASSES.case_labels)
    for case in cases:
        assert case.verdict is not None
        assert case.verdict.label == case.diagnosis


def test_a_region_stands_where_its_lesion_is(studies: Path) -> None:
    for path in sorted((studies / "labels" / "final").glob("*.json")):
        case = Case.from_json(path.read_text(encoding="utf-8"))
        scan = sitk.ReadImage(studies / f"{case.case_id}.nii.gz")
        lesions = sitk.ReadImage(studies / "labels" / "lesions" / f"{case.case_id}.nii.gz")
        lungs = sitk.ReadImage(studies / "labels" / "lungs" / f"{case.case_id}.nii.gz")
        assert tuple(case.image.size) == scan.GetSize() == lesions.GetSize()
        np.testing.assert_allclose(case.image.spacing_mm, scan.GetSpacing(), rtol=1e-4)
        for region in case.regions:
            voxels = np.argwhere(sitk.GetArrayFromImage(lesions) == int(region.id[1:]))
            middle = (voxels.min(0) + voxels.max(0)) / 2
            place = lesions.TransformContinuousIndexToPhysicalPoint(middle[::-1].tolist())
            np.testing.assert_allclose(region.center_mm, place, atol=0.1)
            label = np.median(sitk.GetArrayFromImage(lungs)[tuple(voxels.T)])
            assert region.side == {1: "left", 2: "right"}[int(label)]
            # LPS: the patient's left has the larger x.
            center_x = scan.TransformContinuousIndexToPhysicalPoint([(s - 1) / 2 for s in scan.GetSize()])[0]
            assert (region.center_mm[0] > center_x) == (region.side == "left")


def test_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(PneumoScreenError, match="file"):
        write_studies(blocked, 1, 1, SPEC)
