"""Random variation of patches during the training of the classifier.

Published (Xu et al. 2020, section 2.4): random clipping, left-right and up-down flips, mirroring. The
paper does not say what tells mirroring from a flip; here it is the reflection in the diagonal. Ours:
changes of grey value, because scanners, kernels and doses differ more than the phantoms do.
"""

import math

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional

from ...config import Settings


class AugmentationSettings(Settings):
    """How far patches are varied; the defaults are the starter weights' recipe.

    Attributes:
        clip: smallest side, as a share of the patch, of the random crop that is scaled back to full size; 1 is off.
        flip: flip left-right, up-down and in the diagonal, each with probability 1/2.
        brightness: largest shift of the grey value, 1 being the whole HU window.
        contrast: largest relative change of the grey value's distance from the patch mean.
        noise: largest standard deviation of added white noise.
        blur: share of patches that are smoothed a little.
        clip_window: share of patches whose window is narrowed and cut, as in scans made from pictures.
    """

    clip: float = Field(0.75, gt=0.3, le=1.0)
    flip: bool = True
    brightness: float = Field(0.04, ge=0.0, le=0.5)
    contrast: float = Field(0.12, ge=0.0, le=0.9)
    noise: float = Field(0.04, ge=0.0, le=0.5)
    blur: float = Field(0.25, ge=0.0, le=1.0)
    clip_window: float = Field(0.15, ge=0.0, le=1.0)


def augment(pixels: Tensor, settings: AugmentationSettings, generator: Generator) -> Tensor:
    """Vary a batch of patches, each for itself.

    Args:
        pixels: float32 [b, 1, size, size] in 0 to 1, on the CPU.
        settings: what to vary.
        generator: source of all randomness.

    Returns:
        A new batch of the same shape, in 0 to 1.
    """
    varied = _blur(_reshape(pixels, settings, generator), settings.blur, generator)
    return _grey(varied, settings, generator).clamp_(0.0, 1.0)


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _reshape(pixels: Tensor, settings: AugmentationSettings, generator: Generator) -> Tensor:
    """Clipping and flips as one resampling: flips alone move whole pixels and change no value."""
    count = len(pixels)
    scale = _uniform(count, settings.clip, 1.0, generator)
    shift = (1.0 - scale)[:, None] * _uniform(2 * count, -1.0, 1.0, generator).reshape(count, 2)
    signs = torch.ones(count, 2)
    swap = torch.zeros(count, dtype=torch.bool)
    if settings.flip:
        signs = 1.0 - 2.0 * torch.randint(0, 2, (count, 2), generator=generator)
        swap = torch.randint(0, 2, (count,), generator=generator).bool()
    diagonal = torch.diag_embed(signs * scale[:, None])
    matrix = torch.where(swap[:, None, None], diagonal.flip(1), diagonal)
    theta = torch.cat([matrix, shift[:, :, None]], dim=2)
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _blur(pixels: Tensor, share: float, generator: Generator) -> Tensor:
    chosen = torch.rand(len(pixels), generator=generator) < share
    if not chosen.any():
        return pixels
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel[None, :] / 16.0)[None, None]
    smooth = functional.conv2d(functional.pad(pixels, (1, 1, 1, 1), mode="replicate"), kernel)
    return torch.where(chosen[:, None, None, None], smooth, pixels)


def _grey(pixels: Tensor, settings: AugmentationSettings, generator: Generator) -> Tensor:
    count = len(pixels)

    def each(low: float, high: float) -> Tensor:
        return _uniform(count, low, high, generator)[:, None, None, None]

    mean = pixels.mean(dim=(2, 3), keepdim=True)
    varied = mean + (pixels - mean) * each(1 - settings.contrast, 1 + settings.contrast)
    varied = varied + each(-settings.brightness, settings.brightness)
    varied = varied + each(0.0, settings.noise) * torch.randn(pixels.shape, generator=generator)
    clipped = torch.rand(count, generator=generator)[:, None, None, None] < settings.clip_window
    cut = varied.clamp(min=each(0.0, 0.15), max=each(0.82, 1.0))
    # 8-bit pictures hold steps of a 256th; halved resolution and JPEG make them coarser.
    steps = math.floor(255 / 2)
    cut = torch.round(cut * steps) / steps
    return torch.where(clipped, cut, varied)
