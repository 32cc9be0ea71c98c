"""Anchors, box codes and non-maximum suppression of the proposal head, for inference.

MONAI has all three, and training, which needs more of them, uses MONAI's. To import MONAI takes longer than to screen
a scan, so these are written here again; ``tests/ct/candidates/test_anchors.py`` holds them to MONAI's, number by
number.
Boxes are [z0, y0, x0, z1, y1, x1] in edge coordinates of the working grid.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...geometry import distinct, iou


def place_anchors(
    size: Sequence[int],
    maps: Sequence[Sequence[int]],
    shapes: Sequence[Sequence[float]],
    scales: Sequence[float],
    device: torch.device | None = None,
) -> Tensor:
    """Anchor boxes float32 [anchors, 6]: all stages in a row, in each x fastest and the anchors of a position together.

    Args:
        size: of the image (z, y, x).
        maps: sizes (z, y, x) of the feature maps.
        shapes: anchor sizes (z, y, x) at the first of them.
        scales: factor on ``shapes`` at each map.
        device: where the boxes go.
    """
    found = []
    for grid, scale in zip(maps, scales, strict=True):
        half = scale * torch.tensor(shapes, dtype=torch.float32, device=device) / 2.0
        base = torch.cat([-half, half], dim=1).round()
        steps = [whole // part for whole, part in zip(size, grid, strict=True)]
        lines = [torch.arange(n, device=device) * step + step // 2 for n, step in zip(grid, steps, strict=True)]
        centers = torch.stack([axis.reshape(-1) for axis in torch.meshgrid(lines, indexing="ij")] * 2, dim=1)
        found.append((centers[:, None] + base[None]).reshape(-1, 6))
    return torch.cat(found)


def decode_boxes(codes: Tensor, anchors: Tensor, most: float) -> Tensor:
    """Boxes [n, 6] of codes [n, 6] at anchors [n, 6].

    Args:
        codes: shift of the centre in anchor sizes, and logarithm of the growth.
        anchors: the boxes that the codes refer to.
        most: largest logarithm of a growth.
    """
    anchors = anchors.to(codes.dtype)
    size = anchors[:, 3:] - anchors[:, :3]
    center = codes[:, :3] * size + (anchors[:, :3] + anchors[:, 3:]) / 2.0
    half = 0.5 * (torch.exp(codes[:, 3:].clamp(max=most)) * size)
    return torch.cat([center - half, center + half], dim=1)


def suppress(boxes: Tensor, most_iou: float) -> Tensor:
    """Indices of the boxes [n, 6], best first, that overlap no better kept one by more than ``most_iou``."""
    kept = distinct(boxes.detach().cpu().numpy(), most_iou, iou)
    return torch.from_numpy(kept).to(boxes.device)
