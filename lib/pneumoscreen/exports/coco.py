"""Annotated X-rays as a COCO data set of boxes (Lin et al. 2014): the lungs.

``images/<case>.png``, as the picture was screened, so that the boxes lie on it; ``annotations/instances_<side>.json``,
a file a side of the split. Documents hold no boxes of opacities, so neither does this.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .. import RESEARCH_USE_ONLY, __version__
from ..case import LungBox
from ..studies.split import Side
from .annotated import AnnotatedCase, write_image
from .anonymous import Names

_SIDES = {Side.TRAINING: "train", Side.VALIDATION: "val", Side.TEST: "test"}


def write_coco(cases: Iterable[AnnotatedCase], box_names: Sequence[str], out: Path, names: Names) -> list[Path]:
    """Write a data set into a folder and return the files of annotations.

    Args:
        cases: as they are read.
        box_names: what boxes are called; the categories, numbered from 1.
        out: the folder.
        names: what cases and patients are called.
    """
    (out / "images").mkdir()
    (out / "annotations").mkdir()
    sets = {side: _empty(box_names) for side in Side}
    for case in cases:
        _add(sets[case.side], case, box_names, out, names)
    paths = []
    for side, content in sets.items():
        path = out / "annotations" / f"instances_{_SIDES[side]}.json"
        path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _empty(box_names: Sequence[str]) -> dict[str, Any]:
    return {
        "info": {"description": f"Boxes by PneumoScreen {__version__}. {RESEARCH_USE_ONLY}", "version": __version__},
        "licenses": [],
        "categories": [
            {"id": number, "name": name, "supercategory": "thorax"} for number, name in enumerate(box_names, start=1)
        ],
        "images": [],
        "annotations": [],
    }


def _add(content: dict[str, Any], case: AnnotatedCase, box_names: Sequence[str], out: Path, names: Names) -> None:
    picture, name = case.marked.image[:, :, 0], names.case(case.case_id)
    width, height = picture.GetSize()
    write_image(picture, out / "images" / f"{name}.png")
    document, image_id = case.marked.case, len(content["images"]) + 1
    said = (document.cxr.reader or {}).get("label") if document.cxr else None
    content["images"].append(
        {
            "id": image_id,
            "file_name": f"{name}.png",
            "width": width,
            "height": height,
            "patient": names.patient(case.patient),
            "label": said or document.diagnosis or (document.verdict.label if document.verdict else None),
        }
    )
    for category, box_name in enumerate(box_names, start=1):
        if box_name in case.marked.boxes:
            box = case.marked.boxes[box_name]
            content["annotations"].append(_annotation(len(content["annotations"]) + 1, image_id, category, box))


def _annotation(number: int, image_id: int, category: int, drawn: LungBox) -> dict[str, Any]:
    x, y, width, height = drawn.box
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category,
        "bbox": [x, y, width, height],
        "area": width * height,
        "segmentation": [[x, y, x + width, y, x + width, y + height, x, y + height]],
        "iscrowd": 0,
        "source": drawn.source,
    }
