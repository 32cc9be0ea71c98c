"""Anchors, decoding and suppression at inference are MONAI's, number by number."""

import pytest
import torch
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from monai.apps.detection.utils.box_coder import BoxCoder
from monai.data.box_utils import non_max_suppression

from pneumoscreen.ct.candidates.anchors import decode_boxes, place_anchors, suppress
from pneumoscreen.ct.candidates.network import CandidateNetworkSettings

SETTINGS = CandidateNetworkSettings()
SIZE = (24, 64, 80)
MAPS = [(12, 16, 20), (6, 8, 10), (3, 4, 5)]


def some_boxes(number: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(number, 3, generator=generator) * 30
    return torch.cat([low, low + 2 + torch.rand(number, 3, generator=generator) * 20], dim=1)


def test_anchors() -> None:
    generator = AnchorGeneratorWithAnchorShape(SETTINGS.anchor_scales, SETTINGS.anchor_shapes)
    theirs = generator(torch.zeros(1, 2, *SIZE), [torch.zeros(1, 3, *grid) for grid in MAPS])[0]
    assert torch.equal(place_anchors(SIZE, MAPS, SETTINGS.anchor_shapes, SETTINGS.anchor_scales), theirs)


def test_decoding() -> None:
    codes = torch.randn(200, 6, generator=torch.Generator().manual_seed(2)) * 1.5
    anchors = some_boxes(200, 5)
    theirs = BoxCoder(weights=(1.0,) * 6, boxes_xform_clip=1.5).decode_single(codes, anchors)
    assert torch.allclose(decode_boxes(codes, anchors, 1.5), theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_suppression(seed: int) -> None:
    boxes = some_boxes(120, seed)
    scores = torch.linspace(1.0, 0.1, len(boxes))
    assert torch.equal(suppress(boxes, 0.22), non_max_suppression(boxes, scores, 0.22))


def test_suppression_of_none_is_none() -> None:
    assert suppress(torch.zeros(0, 6), 0.22).tolist() == []
