"""How radiographs are varied: clipping, flipping, shifting, tilting and scaling (Wang et al. 2020, highlights).

A left-right flip exchanges the lungs, so whoever flips exchanges their labels as well. Ours: the ranges, and contrast
and brightness, which differ between X-ray units. All pictures of a batch are varied in one resampling.
"""

import math
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ...config import Settings


class RadiographAugmentation(Settings):
    """How far pictures are varied; 0 leaves a kind out.

    Attributes:
        flip: probability of a left-right flip.
        shift: largest shift, as a share of the side.
        tilt: largest turn, in degrees.
        scale: largest change of size, as a share; with the shift it clips.
        contrast: largest change of contrast and brightness, as a share.
        gamma: largest logarithm of the exponent of the greys.
    """

    flip: float = Field(0.5, ge=0.0, le=1.0)
    shift: float = Field(0.08, ge=0.0, lt=0.5)
    tilt: float = Field(10.0, ge=0.0, le=45.0)
    scale: float = Field(0.15, ge=0.0, lt=0.9)
    contrast: float = Field(0.25, ge=0.0, lt=1.0)
    gamma: float = Field(0.0, ge=0.0, lt=2.0)


@dataclass(frozen=True)
class Variation:
    """What was done to each picture of a batch.

    Attributes:
        theta: float32 [b, 2, 3], from places in the result to places in the original, both -1 to 1 (x, y).
        flipped: bool [b].
    """

    theta: Tensor
    flipped: Tensor


def draw(count: int, settings: RadiographAugmentation, generator: torch.Generator) -> Variation:
    """Draw a variation for each of ``count`` pictures."""

    def between(most: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2.0 - 1.0) * most

    angle, scale = between(math.radians(settings.tilt)), torch.exp(between(math.log1p(settings.scale)))
    flipped = torch.rand(count, generator=generator) < settings.flip
    mirror = torch.where(flipped, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [
        torch.stack([cos * mirror, -sin, between(2.0 * settings.shift)], dim=1),
        torch.stack([sin * mirror, cos, between(2.0 * settings.shift)], dim=1),
    ]
    return Variation(torch.stack(rows, dim=1), flipped)


def vary(
    pictures: Tensor, variation: Variation, settings: RadiographAugmentation, generator: torch.Generator
) -> Tensor:
    """Varied pictures [b, channels, h, w] in 0 to 1; what comes from beyond the edge is black."""
    shape = (len(pictures), 1, 1, 1)
    if settings.gamma > 0.0:
        exponent = torch.exp((torch.rand(shape, generator=generator) * 2.0 - 1.0) * settings.gamma)
        pictures = pictures**exponent
    gain = 1.0 + (torch.rand(shape, generator=generator) * 2.0 - 1.0) * settings.contrast
    offset = (torch.rand(shape, generator=generator) * 2.0 - 1.0) * settings.contrast / 2.0
    # Black stays black: what was removed from a picture must not come back as grey, nor as a rim where pixels mix.
    varied = torch.where(pictures > 0.0, ((pictures - 0.5) * gain + 0.5 + offset).clamp(0.0, 1.0), pictures)
    grid = functional.affine_grid(variation.theta, list(pictures.shape), align_corners=False)
    return functional.grid_sample(varied, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
