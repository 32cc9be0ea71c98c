"""Lobar consolidation: within its lobe, opaque, with open airways, on the side it belongs to."""

import numpy as np
import pytest

from pneumoscreen.cxr.phantoms.lobar import LOBES, LungFrame, draw_consolidation, fissures

FRAMES = {
    "left": LungFrame("left", np.array([10.0, -80, 0]), np.array([130.0, 80, 240]), np.array([30.0, 0, 120])),
    "right": LungFrame("right", np.array([-130.0, -80, 0]), np.array([-10.0, 80, 240]), np.array([-30.0, 0, 120])),
}


def _axes(frame: LungFrame) -> list[np.ndarray]:
    return [np.arange(low, high, 4.0, dtype=np.float32) for low, high in zip(frame.low, frame.high, strict=True)]


@pytest.mark.parametrize("side", ["left", "right"])
def test_lobes_share_the_lung_without_overlap(side: str) -> None:
    frame = FRAMES[side]
    points = np.random.default_rng(1).uniform(frame.low, frame.high, (500, 3))
    owners = np.zeros(500, int)
    for lobe in LOBES[side]:
        planes = fissures(frame, lobe)
        owners += (points @ planes[:, :3].T >= planes[:, 3]).all(axis=1)
    assert (owners == 1).all()


def test_lower_lobe_lies_low_and_behind() -> None:
    planes = fissures(FRAMES["left"], "lower")
    low_behind, high_in_front = FRAMES["left"].at(0.5, 0.9, 0.1), FRAMES["left"].at(0.5, 0.1, 0.9)
    assert (planes[:, :3] @ low_behind > planes[:, 3]).all()
    assert not (planes[:, :3] @ high_in_front > planes[:, 3]).all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", range(6))
def test_consolidation_is_dense_and_keeps_to_its_lobe(side: str, seed: int) -> None:
    frame = FRAMES[side]
    model = draw_consolidation(frame, np.random.default_rng(seed))
    x, y, z = _axes(frame)
    opacity, hu = model.render(x, y, z)
    assert opacity.shape == hu.shape == (len(z), len(y), len(x))
    assert opacity.max() > 0.9
    assert hu[opacity > 0.5].mean() > -640.0
    assert model.label == "cap" and "lobe" in model.kind
    grid = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], z[:, None, None]), axis=-1)
    for plane in model.planes:
        beyond = grid @ plane[:3] < plane[3] - 8.0
        assert opacity[beyond].max(initial=0.0) == 0.0


def test_bronchi_stay_open() -> None:
    frame = FRAMES["right"]
    model = draw_consolidation(frame, np.random.default_rng(3))
    # The tip of an airway within the solid part.
    solid, _ = model.body.render(*(np.array([v], np.float32) for v in model.body.center))
    assert solid.item() == 1.0
    axes = [np.arange(c - 4, c + 4.1, 0.5, dtype=np.float32) for c in model.body.center]
    opacity, _ = model.render(*axes)
    assert opacity.min() < 0.2
