"""One network in a folder of its own: ``model.safetensors`` and ``card.json``.

Weights are fp16 on disk and fp32 in memory; integer and boolean tensors stay as they are. The card says where
the weights come from and holds their SHA-256, so that a copy cut short is noticed.

Safetensors rather than pickles: a weights file from elsewhere must not be able to run code.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as format_safetensors
from torch import Tensor

from ..case import ModelInfo
from ..errors import ModelError

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.json"
CARD_FIELDS = ("network", "data", "seed", "command", "figures", "licence")
"""What a publisher must tell of its weights; the store adds name, sha256 and created, and at the publication
version, published and replaces."""


@dataclass(frozen=True)
class Weights:
    """One version of one network, read and verified.

    Attributes:
        name: of the model, such as ``ct_candidates``.
        version: from 1; 0 for a candidate, which has none yet.
        sha256: of the weights file.
        state: the state dict; floating tensors fp32, on the CPU.
        card: everything the publisher told; ``card["network"]`` rebuilds the network.
        notes: a sentence for each version that was passed over as damaged, and for a damaged pointer.
    """

    name: str
    version: int
    sha256: str
    state: dict[str, Tensor]
    card: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def info(self) -> ModelInfo:
        """The entry of this model in a case document."""
        return ModelInfo(self.version, self.sha256)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of the weights in a folder.

    Raises:
        ModelError: if it cannot be read.
    """
    path = folder / CARD_FILE
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged ({error}); publish the model again") from None
    if not isinstance(card, dict) or not isinstance(card.get("sha256"), str) or "network" not in card:
        raise ModelError(f"{path} is damaged (no sha256 or network in it); publish the model again")
    return card


def read_weights(folder: Path, name: str, version: int = 0) -> Weights:
    """The weights in a folder, verified against their card.

    Raises:
        ModelError: if they are absent or damaged; the message names file and reason.
    """
    card = read_card(folder)
    path = folder / WEIGHTS_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); publish the model again") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != card["sha256"]:
        raise ModelError(f"{path} is damaged (its SHA-256 is not its card's); copy it again or publish anew")
    try:
        stored = parse_safetensors(content)
    except SafetensorError as error:
        raise ModelError(f"{path} is not a safetensors file ({error}); publish the model again") from None
    state = {key: t.float() if t.is_floating_point() else t for key, t in stored.items()}
    return Weights(name, version, sha256, state, card)


def format_weights(name: str, state: Mapping[str, Tensor]) -> bytes:
    """A state dict as a weights file.

    Raises:
        ModelError: if a tensor holds NaN or infinity.
    """
    return format_safetensors({key: _to_disk(name, key, tensor) for key, tensor in state.items()})


def format_card(name: str, card: Mapping[str, Any]) -> bytes:
    """A card as a file.

    Raises:
        ModelError: if it is not plain JSON.
    """
    try:
        text = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the card of {name} is not plain JSON: {error}") from None
    return f"{text}\n".encode()


def _to_disk(name: str, key: str, tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    if not bool(torch.isfinite(tensor).all()):
        raise ModelError(f"tensor {key} of {name} holds NaN or infinity; such a network is not published")
    half = tensor.half()
    fits = bool(torch.isfinite(half).all())
    # clone(): safetensors refuses tensors that share memory (tied weights).
    return (half if fits else tensor.float()).clone().contiguous()
