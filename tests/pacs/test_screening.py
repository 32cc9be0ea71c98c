"""From a folder of DICOM files to the objects about it, with the project's own networks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scripts.phantom_files import write_ct, write_xray

from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.errors import ImageError
from pneumoscreen.images import read_volume
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.screening import FolderScreener

from .test_segmentation import masks_of


@pytest.fixture(scope="module")
def screener() -> FolderScreener:
    return FolderScreener(None, "cpu")


def test_a_ct(screener: FolderScreener, tmp_path: Path) -> None:
    phantom = generate_phantom(41, "covid19", PhantomSpec(matrix=160, slices=40))
    write_ct(replace(phantom.volume, stored_orientation="RPI"), tmp_path / "ct", PatientName="Mustermann^Erika")
    note = "The study holds 2 series that may be screened; this one was taken: series 3, soft kernel, slices of 5 mm."
    written = screener(tmp_path / "ct", note)
    assert note in written.case.notes
    case, seg = written.case, written.objects["seg"]
    assert list(written.objects) == ["seg", "sr", "pdf", "sc"]
    assert case.verdict is not None and case.verdict.label == "covid19" and case.regions
    assert case.image.source is None and case.case_id.startswith("study-")
    assert case.image.study_uid == seg.StudyInstanceUID
    volume = read_volume(tmp_path / "ct")
    masks = masks_of(seg, volume)
    labels = {str(item.SegmentLabel): masks[int(item.SegmentNumber)] for item in seg.SegmentSequence}
    voxel_ml = float(np.prod(volume.spacing_mm)) / 1000.0
    for side in ("left", "right"):
        assert labels[f"{side.capitalize()} lung"].sum() * voxel_ml == pytest.approx(case.lungs[side].volume_ml, 1e-3)
    for region in case.regions:
        (label,) = (label for label in labels if label.startswith(f"{region.id}: "))
        center = volume.mm_to_index(np.array(region.center_mm))
        half = np.array(region.size_mm)[::-1] / np.array(volume.spacing_zyx) / 2
        inside = np.argwhere(labels[label])
        assert (np.abs(inside - center) <= half + 1e-6).all()


def test_an_xray(screener: FolderScreener, tmp_path: Path) -> None:
    write_xray(generate_radiograph(12, "covid19").radiograph, tmp_path / "film" / "1.dcm")
    written = screener(tmp_path / "film", "This one was taken.")
    assert "This one was taken." in written.case.notes
    assert list(written.objects) == ["sr", "pdf", "sc"]
    assert written.case.cxr is not None and set(written.case.cxr.lung_boxes) == {"left", "right"}
    assert (
        screener(tmp_path / "film", "This one was taken.").objects["sr"].SOPInstanceUID
        == written.objects["sr"].SOPInstanceUID
    )


def test_a_folder_with_none_or_two(screener: FolderScreener, about_of: Callable[..., About], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ImageError, match="holds no image that can be screened"):
        screener(tmp_path / "none")
    about_of(tmp_path / "two" / "a")
    about_of(tmp_path / "two" / "b", SeriesInstanceUID="1.2.3")
    for number, path in enumerate((tmp_path / "two" / "b").iterdir()):
        image = pydicom.dcmread(path)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        image.save_as(path)
    with pytest.raises(ImageError, match="holds 2 images where one series was expected"):
        screener(tmp_path / "two")
