"""``pneumoscreen screen`` on chest X-rays, beside CTs and beside what cannot be screened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cxr.radiographs import box_model, class_model, side_model

from pneumoscreen.case import Case
from pneumoscreen.cxr.networks import NETWORKS
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture
from pneumoscreen.models.store import ModelStore

from .conftest import Ended


@pytest.fixture(scope="module")
def models(narrow_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with narrow networks of both methods."""
    root = tmp_path_factory.mktemp("both") / "models"
    shutil.copytree(narrow_models, root)
    card = {"data": "none", "seed": 0, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}
    for name, model in zip(NETWORKS, (box_model(), class_model(), side_model()), strict=True):
        ModelStore(root).publish(name, model.state(), {**card, "network": model.card_network()})
    return root


def test_an_xray_a_ct_and_a_photograph(run: Callable[..., Ended], models: Path, studies: Path, tmp_path: Path) -> None:
    chest = tmp_path / "chest.png"
    write_picture(generate_radiograph(3, "cap", RadiographSpec(size=200)).radiograph, chest)
    photograph = tmp_path / "photograph.jpg"
    y, x = np.mgrid[:200, :240]
    Image.fromarray(np.stack([x, y, 255 - x], axis=2).astype(np.uint8)).save(photograph)
    scan = next(iter(sorted(studies.glob("*.nii.gz"))))
    out = tmp_path / "out"
    ended = run("screen", chest, photograph, scan, "--out", out, "--model-dir", models, "--json", "--index")
    assert ended.status == 2
    xray, refused, ct = json.loads(ended.out)
    assert refused["input"] == str(photograph) and "colour" in refused["error"]
    case = Case.from_json(Path(xray["document"]).read_text(encoding="utf-8"))
    assert (case.modality, case.image.source) == ("CXR", "chest.png") and case.cxr is not None
    assert case.case_id.startswith("chest-")
    assert case.verdict is not None and case.verdict.label == xray["verdict"]
    assert {"read", "lungs", "classify", "report", "total"} == set(case.timings_s)
    assert Case.from_json(Path(ct["document"]).read_text(encoding="utf-8")).modality == "CT"
    assert "Research use only" in Path(xray["report"]).read_text(encoding="utf-8")
    assert "chest" in (out / "index.html").read_text(encoding="utf-8")


def test_without_networks_for_xrays_it_says_so(run: Callable[..., Ended], narrow_models: Path, tmp_path: Path) -> None:
    chest = tmp_path / "chest.png"
    write_picture(generate_radiograph(3, "cap", RadiographSpec(size=200)).radiograph, chest)
    ended = run("screen", chest, "--out", tmp_path / "out", "--model-dir", narrow_models)
    assert ended.status == 2
    (sentence,) = ended.refusals()
    assert "cxr_lung_boxes" in sentence and "train" in sentence


def test_a_document_says_where_its_image_lies_below_what_was_named(
    run: Callable[..., Ended], models: Path, studies: Path, tmp_path: Path
) -> None:
    named = tmp_path / "named"
    (named / "ward 1").mkdir(parents=True)
    (named / "xrays").mkdir()
    shutil.copyfile(next(iter(sorted(studies.glob("*.nii.gz")))), named / "ward 1" / "scan.nii.gz")
    write_picture(generate_radiograph(3, "cap", RadiographSpec(size=200)).radiograph, named / "xrays" / "chest.png")
    alone = tmp_path / "alone.png"
    shutil.copyfile(named / "xrays" / "chest.png", alone)
    ended = run("screen", named, alone, "--out", tmp_path / "out", "--model-dir", models, "--json")
    assert ended.status == 0, ended.err
    texts = [Path(entry["document"]).read_text(encoding="utf-8") for entry in json.loads(ended.out)]
    images = [Case.from_json(text).image for text in texts]
    assert [image.source for image in images] == ["ward 1/scan.nii.gz", "xrays/chest.png", "alone.png"]
    assert [image.study_uid for image in images] == [None] * 3
    assert not any(str(tmp_path) in text for text in texts)
