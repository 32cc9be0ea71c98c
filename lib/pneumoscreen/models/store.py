"""Where published networks lie: ``root/<name>/<version>/{model.safetensors, card.json}``.

Weights are fp16 on disk and fp32 in memory; integer and boolean tensors stay as they are. The card says where
the weights come from and holds their SHA-256, so that a copy cut short is noticed. A version is written
under a hidden name, flushed to the disk and renamed: a reader sees all of it or nothing. A number is given once.

Safetensors rather than pickles: a weights file from elsewhere must not be able to run code.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as format_safetensors
from torch import Tensor

from ..case import ModelInfo
from ..errors import ModelError
from .durable import fsync_folder, replace_durably, write_durably

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.json"
LAST_VERSION_FILE = "last_version"
CARD_FIELDS = ("network", "data", "seed", "command", "figures", "licence")
"""What a publisher must tell of its weights; the store adds name, version, sha256 and created."""

DEFAULT_ROOT = Path(__file__).resolve().parents[3] / "apps" / "pneumoscreen" / "model"
"""The folder of a source checkout; an installed copy passes its own root or sets ``PNEUMOSCREEN_MODELS``."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """One version of one network, read and verified.

    Attributes:
        name: of the model, such as ``ct_candidates``.
        version: from 1.
        sha256: of the weights file.
        state: the state dict; floating tensors fp32, on the CPU.
        card: everything the publisher told; ``card["network"]`` rebuilds the network.
        notes: a sentence for each newer version that was passed over as damaged.
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


class ModelStore:
    """Published versions of the project's networks under one folder.

    Args:
        root: the folder; made by the first publication. Default: ``PNEUMOSCREEN_MODELS``, else ``DEFAULT_ROOT``.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = Path(root or os.environ.get("PNEUMOSCREEN_MODELS") or DEFAULT_ROOT)

    def names(self) -> list[str]:
        """Models that have at least one version, in alphabetical order."""
        if not self.root.is_dir():
            return []
        return sorted(p.name for p in self.root.iterdir() if _NAME.fullmatch(p.name) and self.versions(p.name))

    def versions(self, name: str) -> list[int]:
        """Version numbers of a model, oldest first, damaged ones included.

        Raises:
            ModelError: if the name is not a model's name.
        """
        folder = self._folder(name)
        if not folder.is_dir():
            return []
        return sorted(int(p.name) for p in folder.iterdir() if p.is_dir() and re.fullmatch(r"[1-9]\d*", p.name))

    def card(self, name: str, version: int) -> dict[str, Any]:
        """The card of one version, read without its weights.

        Raises:
            ModelError: if the version does not exist or its card cannot be read.
        """
        path = self._folder(name) / str(version) / CARD_FILE
        if not path.parent.is_dir():
            known = ", ".join(map(str, self.versions(name))) or "none"
            raise ModelError(f"{name} has no version {version} in {self.root} (there: {known})")
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} is damaged ({error}); publish the model again") from None
        if not isinstance(card, dict) or not isinstance(card.get("sha256"), str) or "network" not in card:
            raise ModelError(f"{path} is damaged (no sha256 or network in it); publish the model again")
        return card

    def load(self, name: str, version: int | None = None) -> Weights:
        """Read one version, or the newest one that is whole.

        A damaged version is passed over with a warning in the log and in ``Weights.notes``, unless it was
        asked for by its number.

        Raises:
            ModelError: if there is no such version, or no whole one; the message names file and reason.
        """
        if version is not None:
            return self._read(name, version)
        notes: list[str] = []
        for number in reversed(self.versions(name)):
            try:
                weights = self._read(name, number)
            except ModelError as error:
                notes.append(f"{name} version {number} was passed over: {error}")
                logger.warning(notes[-1])
                continue
            return Weights(weights.name, number, weights.sha256, weights.state, weights.card, tuple(notes))
        reason = "; ".join(notes) or "nothing has been published there"
        raise ModelError(f"no usable weights of {name} in {self.root} ({reason}); train or copy them there")

    def publish(self, name: str, state: Mapping[str, Tensor], card: Mapping[str, Any]) -> int:
        """Write a new version, which becomes the newest; returns its number.

        Args:
            name: of the model, lower-case letters, digits and underscores.
            state: a state dict; floating tensors are stored as fp16 (fp32 where a value would overflow).
            card: JSON values, at least ``CARD_FIELDS``.

        Raises:
            ModelError: if the name, the state or the card cannot be published.
        """
        folder = self._folder(name)
        missing = [field for field in CARD_FIELDS if field not in card]
        if missing:
            raise ModelError(f"the card of {name} lacks {', '.join(missing)}; a model is published with its origin")
        content = format_safetensors({key: _to_disk(name, key, tensor) for key, tensor in state.items()})
        sha256 = hashlib.sha256(content).hexdigest()
        created = datetime.now(UTC).isoformat(timespec="seconds")
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".publish-", dir=folder))
        try:
            write_durably(staging / WEIGHTS_FILE, content)
            staging.chmod(0o755)  # mkdtemp gives 0700: a server may run as another user
            while True:
                version = self._next_version(name)
                full_card = {**card, "name": name, "version": version, "sha256": sha256, "created": created}
                write_durably(staging / CARD_FILE, _format_card(name, full_card))
                fsync_folder(staging)
                try:
                    staging.rename(folder / str(version))
                except OSError:
                    if not (folder / str(version)).exists():
                        raise
                    continue  # another process took the number meanwhile
                break
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        fsync_folder(folder)
        self._remember_version(name, version)
        logger.info("published %s version %d", name, version)
        return version

    save = publish

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ModelError(f"{name!r} is not a model's name: lower-case letters, digits and underscores only")
        return self.root / name

    def _read(self, name: str, version: int) -> Weights:
        card = self.card(name, version)
        path = self._folder(name) / str(version) / WEIGHTS_FILE
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

    def _next_version(self, name: str) -> int:
        # The file remembers numbers whose folders were deleted: an old report names its versions for good.
        path = self._folder(name) / LAST_VERSION_FILE
        try:
            last = int(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            last = 0
        return max([last, *self.versions(name)]) + 1

    def _remember_version(self, name: str, version: int) -> None:
        replace_durably(self._folder(name) / LAST_VERSION_FILE, f"{version}\n".encode())


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


def _format_card(name: str, card: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the card of {name} is not plain JSON: {error}") from None
    return f"{text}\n".encode()
