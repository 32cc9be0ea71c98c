"""X-rays as a COCO data set: pycocotools reads it, and the boxes lie on the lungs."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pycocotools.coco import COCO

from pneumoscreen.exports.annotated import write_image
from pneumoscreen.images import read_radiograph_file
from pneumoscreen.output import OutputError
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.folder_split import SPLIT_FILE
from pneumoscreen.studies.split import side_of

from .conftest import Run

SIDES = {"training": "train", "validation": "val", "test": "test"}


def test_pictures_and_boxes_by_side_of_the_split(export: Run, studies: Path, tmp_path: Path) -> None:
    ended = export("coco", studies, "--out", tmp_path / "coco")
    assert ended.status == 0 and (studies / SPLIT_FILE).is_file()
    assert len(ended.out.splitlines()) == 3
    store, seen = AnnotationStore(studies), []
    for side, name in SIDES.items():
        data = COCO(str(tmp_path / "coco" / "annotations" / f"instances_{name}.json"))
        assert [category["name"] for category in data.loadCats(data.getCatIds())] == ["left lung", "right lung"]
        for image in data.loadImgs(data.getImgIds()):
            case_id = image["file_name"].removesuffix(".png")
            seen.append(case_id)
            assert side_of(case_id) == side
            case = store.counting(case_id).document
            assert image["label"] == case.diagnosis
            boxes = {a["category_id"]: a for a in data.loadAnns(data.getAnnIds(imgIds=image["id"]))}
            for category, lung in ((1, "left"), (2, "right")):
                assert boxes[category]["bbox"] == list(case.cxr.boxes[lung]) and boxes[category]["source"] == "reader"
                assert data.annToMask(boxes[category]).sum() == np.prod(case.cxr.boxes[lung][2:])
            # The patient's left lung is on the right of the picture, and darker than what is around both.
            assert boxes[1]["bbox"][0] > boxes[2]["bbox"][0]
            picture = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "coco" / "images" / image["file_name"]))
            assert picture.shape == (image["height"], image["width"]) and picture.dtype == np.uint16
            screened = read_radiograph_file(studies / image["file_name"]).pixels
            assert np.abs(picture / 65535 - screened).max() < 1e-4
    assert sorted(seen) == [name for name in store.cases() if name.startswith("xray")]


def test_a_folder_without_annotated_xrays(export: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = export("coco", tmp_path / "empty", "--out", tmp_path / "out")
    assert ended.status == 2 and "holds no annotated case for this format" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"] and not any((tmp_path / "empty").iterdir())


def test_a_picture_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none/a\.png: cannot be written"):
        write_image(sitk.Image(4, 4, sitk.sitkUInt8), tmp_path / "none" / "a.png")
