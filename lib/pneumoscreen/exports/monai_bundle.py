"""A network as a MONAI bundle that ``python -m monai.bundle run`` runs on an image.

The weights are the store's own safetensors file with its card; nothing is pickled. The bundle needs this package for
the network's layers and for what lies before them: finding the lungs, cutting patches.
"""

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch

from .. import RESEARCH_USE_ONLY, __version__
from ..errors import ConfigError
from ..models.portable import TensorFormat
from ..models.weights import CARD_FILE, WEIGHTS_FILE, format_card
from .anonymous import anonymous_card
from .networks import Exported

_SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
_LEFT_OUT = "Where and on what it was trained was left out on purpose."
INFERENCE: dict[str, Any] = {
    "imports": ["$import torch", "$import pneumoscreen.exports.bundle_parts as bundle_parts"],
    "bundle_root": ".",
    "image": "",
    "document": None,
    "output": "$@bundle_root + '/eval/predictions.npz'",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "models": "$@bundle_root + '/models'",
    "network_def": {"_target_": "pneumoscreen.exports.bundle_parts.network", "folder": "@models"},
    "network": "$@network_def.to(@device)",
    "preprocessing": {"_target_": "pneumoscreen.exports.bundle_parts.Preprocessing", "folder": "@models"},
    "inferer": {"_target_": "monai.inferers.SimpleInferer"},
    "inputs": "$@preprocessing(@image, @document)",
    "run": ["$print(bundle_parts.predict(@inferer, @network, @inputs, @device, @models, @output))"],
}


def write_bundle(network: Exported, weights_file: Path, out: Path, is_anonymous: bool) -> Path:
    """Write a bundle below a folder and return its own folder.

    Args:
        network: what is exported.
        weights_file: of the version in use.
        out: the folder.
        is_anonymous: whether the card is to say nothing of where it was trained.
    """
    weights = network.weights
    card = anonymous_card(weights.card) if is_anonymous else weights.card
    folder = out / weights.name
    for part in ("configs", "models", "docs"):
        (folder / part).mkdir(parents=True)
    (folder / "models" / WEIGHTS_FILE).write_bytes(weights_file.read_bytes())
    (folder / "models" / CARD_FILE).write_bytes(format_card(weights.name, card))
    _write_json(folder / "configs" / "metadata.json", _metadata(network))
    _write_json(folder / "configs" / "inference.json", INFERENCE)
    (folder / "LICENSE").write_text(_licence(), encoding="utf-8")
    (folder / "docs" / "README.md").write_text(_readme(network, card), encoding="utf-8")
    return folder


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=4, allow_nan=False) + "\n", encoding="utf-8")


def _metadata(network: Exported) -> dict[str, Any]:
    weights, portable = network.weights, network.portable
    version = f"{weights.version}.0.0"
    return {
        "schema": _SCHEMA,
        "version": version,
        "changelog": {version: f"version {weights.version} of {weights.name}, exported by PneumoScreen {__version__}"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"pneumoscreen": __version__},
        "name": weights.name,
        "task": portable.task,
        "description": f"{portable.task} {RESEARCH_USE_ONLY}",
        "authors": "PneumoScreen",
        "copyright": str(weights.card.get("licence", "not told")),
        "intended_use": RESEARCH_USE_ONLY,
        "network_data_format": {
            "inputs": {tensor.name: _described(tensor, is_image=True) for tensor in portable.inputs},
            "outputs": {tensor.name: _described(tensor, is_image=False) for tensor in portable.outputs},
        },
    }


def _described(tensor: TensorFormat, is_image: bool) -> dict[str, Any]:
    """A tensor in the words of MONAI's schema: a batch, the channels where it names them, and the rest."""
    named = len(tensor.channels)
    return {
        "type": "image" if is_image and len(tensor.shape) > 2 else "tuples",
        "format": "magnitude" if is_image else "logits",
        "num_channels": named or 1,
        "spatial_shape": list(tensor.shape[2 if named else 1 :]),
        "dtype": "float32",
        "value_range": list(tensor.values or ()),
        "is_patch_data": False,
        "channel_def": {str(number): name for number, name in enumerate(tensor.channels or (tensor.name,))},
        "description": tensor.meaning,
    }


def _licence() -> str:
    """The licence text of this package.

    Raises:
        ConfigError: if the installation lacks it.
    """
    files = metadata.files("pneumoscreen") or []
    found = next((file for file in files if file.name == "LICENSE"), None)
    if found is None:
        raise ConfigError("the installation of pneumoscreen lacks its LICENSE; install the package anew")
    return found.read_text(encoding="utf-8")


def _readme(network: Exported, card: Mapping[str, Any]) -> str:
    weights, portable = network.weights, network.portable
    data = card.get("data")
    lines = [
        f"# {weights.name}, version {weights.version}",
        "",
        f"**{RESEARCH_USE_ONLY}**",
        "",
        portable.task,
        "",
        f"With the package pneumoscreen {__version__} installed:",
        "",
        "```sh",
        "python -m monai.bundle run --config_file configs/inference.json --meta_file configs/metadata.json \\",
        "    --bundle_root . --image SCAN [--document CASE.json] [--output predictions.npz]",
        "```",
        "",
        "`--document` is the case document that `pneumoscreen screen` wrote of the image; networks that look at what",
        "an earlier step found need it. The outputs are written in single precision.",
        "",
        "| tensor | shape | what |",
        "|---|---|---|",
        *(_row("in", tensor) for tensor in portable.inputs),
        *(_row("out", tensor) for tensor in portable.outputs),
        "",
        "## Where it comes from",
        "",
        f"Learnt from: {data}" if data else _LEFT_OUT,
        "",
        f"Licence of the weights: {card.get('licence', 'not told')}. SHA-256 of the file: {weights.sha256}.",
        "",
        "The whole card:",
        "",
        "```json",
        json.dumps(card, indent=1, ensure_ascii=False),
        "```",
        "",
    ]
    return "\n".join(lines)


def _row(direction: str, tensor: TensorFormat) -> str:
    shape = " x ".join(map(str, tensor.shape))
    channels = f"; channels: {'; '.join(tensor.channels)}" if tensor.channels else ""
    return f"| {direction}: `{tensor.name}` | {shape} | {tensor.meaning}{channels} |"
