"""Checkpoints: round trip, what is kept, and damage."""

from pathlib import Path

import pytest
import torch

from pneumoscreen.errors import ModelError
from pneumoscreen.training.checkpoints import Checkpoint, CheckpointFolder


def checkpoint(step: int) -> Checkpoint:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return Checkpoint(step, layer.state_dict(), {"optimizer": optimizer.state_dict()}, {"best": 0.5})


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    saved = checkpoint(7)
    folder = CheckpointFolder(tmp_path / "run")
    folder.save(saved)
    read = folder.load_latest()
    assert read is not None
    assert (read.step, dict(read.progress)) == (7, {"best": 0.5})
    assert all(torch.equal(read.model[name], tensor) for name, tensor in saved.model.items())
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.3)
    optimizer.load_state_dict(read.optimizer["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_only_the_newest_stay(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=2)
    for step in (10, 20, 30):
        folder.save(checkpoint(step))
    assert folder.steps() == [20, 30]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-0000020", "checkpoint-0000030"]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save(checkpoint(10))
    newest = folder.save(checkpoint(20))
    weights = newest / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])
    read = folder.load_latest()
    assert read is not None and read.step == 10


def test_when_all_are_damaged_it_says_so(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    (folder.save(checkpoint(10)) / "optimizer.pt").write_bytes(b"no")
    with pytest.raises(ModelError, match="every checkpoint is damaged"):
        folder.load_latest()


def test_no_folder_is_a_fresh_start(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path / "absent").load_latest() is None
