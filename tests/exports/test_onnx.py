"""ONNX files: ONNX Runtime says of a phantom's inputs what PyTorch says, and no file names this machine."""

import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from pneumoscreen.api import screen
from pneumoscreen.case import Case
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.errors import ModelError
from pneumoscreen.exports.networks import Exported, portable_of
from pneumoscreen.exports.onnx_file import TOLERANCE, write_onnx
from pneumoscreen.images import read_radiograph_file, read_volume
from pneumoscreen.models.portable import Portable, TensorFormat
from pneumoscreen.models.store import ModelStore

from .conftest import Run

REPOSITORY = Path(__file__).parents[2]
QUICK = ("ct_classifier", "cxr_discrimination")
REST = ("ct_candidates", "cxr_lung_boxes", "cxr_localization")
"""Half a minute of one core."""


@pytest.mark.parametrize("names", [QUICK, pytest.param(REST, marks=pytest.mark.slow)])
def test_each_network_says_what_pytorch_says_on_the_shapes_of_a_case(
    names: Sequence[str], export: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = export("onnx", *names, "--out", out, "--anonymous")
    assert ended.status == 0, ended.err
    assert ended.out.splitlines() == [str(out / f"{name}.onnx") for name in names]
    scan = write_studies(tmp_path, 1, 2, PhantomSpec(matrix=96, slices=24))[0]
    film = write_radiograph_studies(tmp_path, 1, 2, RadiographSpec(size=256))[0]
    images = {"ct": read_volume(scan), "cxr": read_radiograph_file(film)}
    cases = {"ct": screen(scan, device="cpu").case, "cxr": screen(film, device="cpu").case}
    for name in names:
        kind = name.partition("_")[0]
        says_the_same(out / f"{name}.onnx", name, images[kind], cases[kind])
        says_what_it_is(out / f"{name}.onnx", name)


def says_the_same(path: Path, name: str, image: Any, case: Case) -> None:
    """ONNX Runtime and PyTorch agree on what the network looks at in a case."""
    portable = portable_of(ModelStore().load(name))
    inputs = portable.prepare(image, case)
    with torch.inference_mode():
        expected = portable.module(*inputs)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    named = {tensor.name: value.numpy() for tensor, value in zip(portable.inputs, inputs, strict=True)}
    found = session.run([tensor.name for tensor in portable.outputs], named)
    for tensor, one, other in zip(portable.outputs, found, expected, strict=True):
        assert one.shape == tuple(other.shape), (name, tensor.name)
        assert np.abs(one - other.numpy()).max() <= TOLERANCE, (name, tensor.name)


def says_what_it_is(path: Path, name: str) -> None:
    """A file names its network, and nothing of this machine."""
    model = onnx.load(str(path))
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["name"], told["sha256"]) == (name, ModelStore().load(name).sha256)
    assert "Research use only" in model.doc_string
    content = path.read_bytes()
    for place in (str(REPOSITORY), sys.prefix, "site-packages"):
        assert place.encode() not in content, name
    assert not re.search(rb"\w+\.py\b", content), name


class _Unlike(nn.Module):
    """Says another thing while it is exported."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x + 1.0 if torch.compiler.is_exporting() else x,)


class _Unexportable(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x if x.sum() > 0.0 else -x,)


@pytest.mark.parametrize(
    ("module", "said"), [(_Unlike(), "says something else than PyTorch"), (_Unexportable(), "does not export to ONNX")]
)
def test_a_network_that_does_not_agree_is_not_kept(module: nn.Module, said: str, tmp_path: Path) -> None:
    tensor = TensorFormat("x", (1, 4), "numbers")
    portable = Portable(module, "Adds.", (tensor,), (TensorFormat("y", (1, 4), "numbers"),), lambda image, case: ())
    weights = ModelStore().load("cxr_discrimination")
    with pytest.raises(ModelError, match=said) as raised:
        write_onnx(Exported(weights, portable), tmp_path)
    assert "\n" not in str(raised.value) and list(tmp_path.iterdir()) == []


def test_without_the_packages_it_says_what_to_install(
    export: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    ended = export("onnx", "--out", tmp_path / "out")
    assert ended.status == 2
    assert ended.err.startswith("export onnx: onnxscript is not installed; install the optional packages with pip")
    assert list(tmp_path.iterdir()) == []


def test_the_extras_are_pinned_as_they_are_tested() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    lines = (REPOSITORY / "requirements-test.txt").read_text(encoding="utf-8").splitlines()
    assert [pin for pins in extras.values() for pin in pins if pin not in lines] == []
