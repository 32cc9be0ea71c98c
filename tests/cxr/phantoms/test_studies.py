"""A written folder of radiographs holds pictures, masks and documents that agree with each other."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.case import CXR_CLASSES, Case
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.errors import PneumoScreenError

SPEC = RadiographSpec(size=160)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    calls: list[tuple[int, int]] = []
    written = write_radiograph_studies(folder, 3, 40, SPEC, progress=lambda done, total: calls.append((done, total)))
    assert [path.name for path in written] == [f"xray-{seed:06d}.png" for seed in (40, 41, 42)]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    return folder


def _case(studies: Path, case_id: str) -> Case:
    return Case.from_json((studies / "labels" / "final" / f"{case_id}.json").read_text(encoding="utf-8"))


def _array(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(path))


@pytest.mark.parametrize("number", range(3))
def test_document_agrees_with_picture_and_masks(studies: Path, number: int) -> None:
    case_id, label = f"xray-{40 + number:06d}", CXR_CLASSES[number]
    picture = studies / f"{case_id}.png"
    case = _case(studies, case_id)
    assert Case.from_json(case.to_json()) == case
    assert (case.case_id, case.modality, case.diagnosis) == (case_id, "CXR", label)
    assert case.image.sha256 == hashlib.sha256(picture.read_bytes()).hexdigest()
    pixels, lungs = _array(picture), _array(studies / "labels" / "lungs" / picture.name)
    lesions = _array(studies / "labels" / "lesions" / picture.name)
    assert pixels.dtype == np.uint16
    assert case.image.size == pixels.shape[::-1] == lungs.shape[::-1] == lesions.shape[::-1]
    assert case.cxr is not None
    assert case.cxr.probabilities == {name: float(name == label) for name in CXR_CLASSES}
    for side, value in (("left", 1), ("right", 2)):
        rows, columns = np.nonzero(lungs == value)
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert case.cxr.boxes[side] == tuple(map(float, box))
        assert case.cxr.sides[side] == float(lesions[lungs == value].any())
    ill = [side for side in ("left", "right") if case.cxr.sides[side]]
    assert case.cxr.location == {0: "none", 1: "".join(ill), 2: "bipulmonary"}[len(ill)]
    assert case.cxr.reader == {
        "label": label,
        "location": case.cxr.location,
        "name": "phantom truth",
        "at": "2020-01-01T00:00:00Z",
    }


def test_picture_is_the_phantom_in_16_bits(studies: Path) -> None:
    expected = generate_radiograph(41, "healthy", SPEC).radiograph.pixels
    np.testing.assert_allclose(_array(studies / "xray-000041.png") / 65535.0, expected, atol=1e-5)


def test_one_class_for_all(tmp_path: Path) -> None:
    write_radiograph_studies(tmp_path, 2, 7, RadiographSpec(size=96), label="cap")
    assert {_case(tmp_path, f"xray-{seed:06d}").diagnosis for seed in (7, 8)} == {"cap"}


def test_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(PneumoScreenError, match="file"):
        write_radiograph_studies(blocked, 1, 1, SPEC)
