"""MONAI bundles: `python -m monai.bundle run` says of a phantom what the program's own networks say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import monai.bundle
import numpy as np
import pytest
import torch
from torch import Tensor

import pneumoscreen
from pneumoscreen.api import screen
from pneumoscreen.ct.candidates.finding import CandidateModel
from pneumoscreen.ct.classifier import ClassifierModel, judge
from pneumoscreen.ct.lungs.segmentation import segment_lungs
from pneumoscreen.ct.patches import extract_patches
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.cxr.discrimination import DiscriminationModel, channels_of, grey_of
from pneumoscreen.cxr.localization import LocalizationModel, lung_of
from pneumoscreen.cxr.lung_boxes import LungBoxModel, picture_of
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.errors import CaseError
from pneumoscreen.exports.networks import portable_of
from pneumoscreen.images import read_radiograph_file, read_volume
from pneumoscreen.models.store import ModelStore

from .conftest import Run

AGREE = 1e-5
NETWORKS = ("ct_candidates", "ct_classifier", "cxr_lung_boxes", "cxr_discrimination", "cxr_localization")


@pytest.fixture(scope="module")
def bundles(export: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "out"
    assert export("bundle", "--out", folder).status == 0
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A phantom of each kind, with the document of its screening beside it."""
    folder = tmp_path_factory.mktemp("images")
    found = {
        "ct": write_studies(folder, 1, 1, PhantomSpec(matrix=96, slices=24))[0],
        "cxr": write_radiograph_studies(folder, 1, 1, RadiographSpec(size=256))[0],
    }
    for kind, path in found.items():
        screen(path, device="cpu").save(folder / f"{kind}.json")
    return found


def ran(bundle: Path, image: Path, document: Path, out: Path) -> dict[str, np.ndarray]:
    """The outputs of a bundle, by what its command line calls."""
    monai.bundle.run(
        config_file=str(bundle / "configs" / "inference.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        bundle_root=str(bundle),
        image=str(image),
        document=str(document),
        output=str(out),
    )
    with np.load(out) as content:
        return dict(content)


def agree(found: np.ndarray, expected: Tensor) -> bool:
    return found.shape == tuple(expected.shape) and float(np.abs(found - expected.numpy()).max()) <= AGREE


def test_the_command_line_runs_a_bundle_elsewhere(bundles: Path, images: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    command += ["--meta_file", "configs/metadata.json", "--bundle_root", ".", "--image", str(images["ct"])]
    environment = {**os.environ, "PYTHONPATH": str(Path(pneumoscreen.__file__).parents[1])}
    ended = subprocess.run(
        [*command, "--output", str(tmp_path / "out.npz")],
        cwd=bundles / "ct_candidates", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = dict(np.load(tmp_path / "out.npz"))
    weights = ModelStore().load("ct_candidates")
    (image,) = portable_of(weights).prepare(read_volume(images["ct"]), None)
    with torch.inference_mode():
        output = CandidateModel.load(weights).network(image)
    assert agree(found["infection"], output.infection)
    for place, stage in enumerate((2, 3, 4)):
        assert agree(found[f"objectness_{stage}"], output.objectness[place])
        assert agree(found[f"deltas_{stage}"], output.deltas[place])


def test_the_classifier_judges_as_in_a_screening(bundles: Path, images: dict[str, Path], tmp_path: Path) -> None:
    path = images["ct"]
    found = ran(bundles / "ct_classifier", path, path.parent / "ct.json", tmp_path / "out.npz")
    model, volume = ClassifierModel.load(ModelStore().load("ct_classifier")), read_volume(path)
    lungs, regions = segment_lungs(volume), screen(path, device="cpu").case.regions
    patches = []
    for region in regions:
        box = volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
        patches += extract_patches(volume, lungs, box, model.settings.patches)
    assert len(patches) == sum(len(region.patches) for region in regions) > 0
    for head in ("m1", "m2"):
        said = model.probabilities(torch.from_numpy(found[f"logits_{head}"]), head).numpy()
        assert np.abs(said - judge(patches, model, head).probabilities).max() <= AGREE


def test_the_networks_of_xrays_say_the_same(bundles: Path, images: dict[str, Path], tmp_path: Path) -> None:
    path = images["cxr"]
    document, radiograph, store = path.parent / "cxr.json", read_radiograph_file(path), ModelStore()
    boxes = screen(path, device="cpu").case.cxr.boxes

    model = LungBoxModel.load(store.load("cxr_lung_boxes"))
    found = ran(bundles / "cxr_lung_boxes", path, document, tmp_path / "boxes.npz")["boxes"]
    assert np.abs(found - model.boxes(picture_of(radiograph, model.settings)[None])).max() <= AGREE

    classes = DiscriminationModel.load(store.load("cxr_discrimination"))
    found = ran(bundles / "cxr_discrimination", path, document, tmp_path / "classes.npz")["logits"]
    picture = channels_of(grey_of(radiograph, boxes, classes.settings), classes.settings)
    said = classes.probabilities(torch.from_numpy(found))
    assert np.abs(said - classes.discriminate(picture[None])).max() <= AGREE

    sides = LocalizationModel.load(store.load("cxr_localization"))
    outputs = ran(bundles / "cxr_localization", path, document, tmp_path / "lungs.npz")
    lungs = np.stack([lung_of(radiograph, boxes[side], side, sides.settings) for side in ("left", "right")])
    judged = sides.localise(lungs)
    assert np.abs(sides.probabilities(torch.from_numpy(outputs["logits"])) - judged.probabilities).max() <= AGREE
    assert np.abs(outputs["masks"] - judged.masks).max() <= AGREE


@pytest.mark.parametrize("name", NETWORKS)
def test_a_bundle_is_whole_and_says_what_goes_in_and_out(name: str, bundles: Path) -> None:
    bundle, store = bundles / name, ModelStore()
    assert (bundle / "models" / "model.safetensors").read_bytes() == store.weights_file(name).read_bytes()
    assert "Apache License" in (bundle / "LICENSE").read_text(encoding="utf-8")
    readme = (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    assert pneumoscreen.RESEARCH_USE_ONLY in readme and store.load(name).card["data"] in readme
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["required_packages_version"] == {"pneumoscreen": pneumoscreen.__version__}
    formats = metadata["network_data_format"]
    portable = portable_of(store.load(name))
    assert list(formats["inputs"]) == [tensor.name for tensor in portable.inputs]
    assert list(formats["outputs"]) == [tensor.name for tensor in portable.outputs]
    assert not [path for path in bundle.rglob("*") if path.suffix in (".pt", ".pth", ".pkl")]


def test_a_network_that_looks_at_findings_needs_the_document(images: dict[str, Path]) -> None:
    for name, image in (
        ("ct_classifier", read_volume(images["ct"])), ("cxr_localization", read_radiograph_file(images["cxr"]))
    ):  # fmt: skip
        with pytest.raises(CaseError, match="name the"):
            portable_of(ModelStore().load(name)).prepare(image, None)


def test_a_mistake_is_one_sentence(export: Run, tmp_path: Path) -> None:
    ended = export("bundle", "ct_lungs", "--out", tmp_path / "out")
    assert ended.status == 2 and ended.err.startswith("ct_lungs: is no network of this program; choose among ct_cand")
    ended = export("bundle", "--out", tmp_path / "out", "--model-dir", tmp_path)
    assert ended.status == 2 and "holds no network that can be exported" in ended.err
    assert list(tmp_path.iterdir()) == []
