"""Checkpoints that survive a kill: written beside, flushed, then renamed; the newest whole one is read back.

``<folder>/checkpoint-<step>/{model.safetensors, optimizer.pt, progress.json}``. The optimizer's state is
read with ``weights_only=True``: no code runs from it.
"""

import json
import os
import pickle
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import ModelError

_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """A training as it stood after ``step`` steps.

    Attributes:
        step: steps done.
        model: state dict of the network.
        optimizer: state dicts by name (optimizer, scaler, ...): plain containers and tensors.
        progress: plain JSON values, such as the best figure so far and the settings' fingerprint.
    """

    step: int
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    progress: Mapping[str, Any]


class CheckpointFolder:
    """The checkpoints of one training run.

    Args:
        folder: made when the first checkpoint is saved.
        keep: how many of the newest stay.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self._keep = keep

    def steps(self) -> list[int]:
        """Steps of the checkpoints there, oldest first."""
        if not self.folder.is_dir():
            return []
        names = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match.group(1)) for match in names if match)

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint and drop those that are too old."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self._path(checkpoint.step)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        model = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.model.items()}
        save_file(model, partial / "model.safetensors")
        torch.save(dict(checkpoint.optimizer), partial / "optimizer.pt")
        progress = {"step": checkpoint.step, **checkpoint.progress}
        (partial / "progress.json").write_text(json.dumps(progress, indent=2) + "\n", encoding="utf-8")
        for path in partial.iterdir():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        for step in self.steps()[: -self._keep]:
            shutil.rmtree(self._path(step), ignore_errors=True)
        return target

    def load_latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None where there is none yet.

        Raises:
            ModelError: if there are checkpoints and all are damaged.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return self._read(step)
            except (OSError, EOFError, ValueError, KeyError, RuntimeError, SafetensorError, pickle.UnpicklingError):
                continue
        if steps:
            raise ModelError(f"{self.folder}: every checkpoint is damaged; remove the folder to start again")
        return None

    def _read(self, step: int) -> Checkpoint:
        path = self._path(step)
        progress = json.loads((path / "progress.json").read_text(encoding="utf-8"))
        optimizer = torch.load(path / "optimizer.pt", map_location="cpu", weights_only=True)
        return Checkpoint(int(progress.pop("step")), load_file(path / "model.safetensors"), optimizer, progress)

    def _path(self, step: int) -> Path:
        return self.folder / f"checkpoint-{step:07d}"
