"""Training samples of the candidate network: crops of prepared cases, varied, and batches of them.

Ours throughout but for cropping and flipping, which are the paper's (section 2.7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from ...config import Settings
from ..candidates.working_grid import WorkingGridSettings, network_input
from .candidate_data import PreparedCase, read_prepared

_PAD_HU = -1100


class AugmentationSettings(Settings):
    """How a training crop is varied; probabilities in [0, 1], intensities in HU.

    Attributes:
        lesion_share: share of the crops that are centred on a finding.
        flip: probability of mirroring each axis.
        zoom: largest relative change of size.
        shift, scale: largest change of all HU values, added and as a factor on their contrast.
        noise: largest standard deviation of added noise.
        blur: probability of smoothing.
        picture: probability of what a lung-window picture does to HU: clipping to
            ``picture_window`` and 256 grey levels.
        mask: probability that the lung mask is grown or shrunk by a voxel.
    """

    lesion_share: float = Field(0.67, ge=0, le=1)
    flip: float = Field(0.5, ge=0, le=1)
    zoom: float = Field(0.15, ge=0, lt=0.5)
    shift: float = Field(30.0, ge=0)
    scale: float = Field(0.08, ge=0, lt=1)
    noise: float = Field(40.0, ge=0)
    blur: float = Field(0.2, ge=0, le=1)
    picture: float = Field(0.2, ge=0, le=1)
    picture_window: tuple[float, float] = (-1350.0, 150.0)
    mask: float = Field(0.2, ge=0, le=1)


@dataclass(frozen=True)
class Sample:
    """One crop.

    Attributes:
        image: float32 [2, z, y, x].
        infection: float32 [1, z, y, x]; zeros where ``has_mask`` is false.
        has_mask: whether the case has an infection mask.
        boxes, ignored: float32 [n, 6], [m, 6] in edge coordinates of the crop.
    """

    image: Tensor
    infection: Tensor
    has_mask: bool
    boxes: Tensor
    ignored: Tensor


class CropDataset(Dataset[Sample]):
    """Sample number n is a function of the seed and n alone: a resumed training sees what it would have seen.

    Args:
        cases: prepared cases, or the files that hold them.
        crop: (z, y, x) voxels.
        samples: number of samples.
        grid: settings of the working grid.
        augmentation: how crops are varied.
        seed: of the whole training.
        first: number of the first sample.
    """

    def __init__(
        self,
        cases: Sequence[Path | PreparedCase],
        crop: tuple[int, int, int],
        samples: int,
        grid: WorkingGridSettings,
        augmentation: AugmentationSettings,
        seed: int,
        first: int = 0,
    ) -> None:
        self._cases, self._crop, self._samples = cases, crop, samples
        self._grid, self._augmentation, self._seed, self._first = grid, augmentation, seed, first

    def __len__(self) -> int:
        return self._samples - self._first

    def __getitem__(self, index: int) -> Sample:
        number = self._first + index
        rng = np.random.default_rng((self._seed, number))
        # Every case comes once in each round, in an order of its own.
        turn, place = divmod(number, len(self._cases))
        order = np.random.default_rng((self._seed, 1, turn)).permutation(len(self._cases))
        case = self._cases[int(order[place])]
        prepared = read_prepared(case) if isinstance(case, Path) else case
        return crop_sample(prepared, self._crop, self._grid, self._augmentation, rng)


def crop_sample(
    case: PreparedCase,
    crop: tuple[int, int, int],
    grid: WorkingGridSettings,
    augmentation: AugmentationSettings,
    rng: np.random.Generator,
) -> Sample:
    """A random crop of a case, varied."""
    size = np.asarray(crop)
    zoom = 1 + augmentation.zoom * rng.uniform(-1, 1)
    window = np.maximum(np.rint(size / zoom).astype(int), 1)
    low = _corner(case, window, augmentation.lesion_share, rng)
    hu = torch.from_numpy(_window(case.hu, low, window, _PAD_HU).astype(np.float32))
    lungs = torch.from_numpy(_window(case.lungs, low, window, 0).astype(np.float32))
    known = case.infection is not None
    mask = case.infection if case.infection is not None else np.zeros_like(case.lungs)
    infection = torch.from_numpy(_window(mask, low, window, 0).astype(np.float32))
    stacked = torch.stack([hu, lungs, infection])[None]
    if tuple(window) != crop:
        stacked = functional.interpolate(stacked, size=crop, mode="trilinear", align_corners=False)
    hu, lungs, infection = stacked[0, 0], (stacked[0, 1] >= 0.5).float(), (stacked[0, 2] >= 0.5).float()
    boxes, ignored = (_crop_boxes(b, low, window, size) for b in (case.boxes, case.ignored))
    flips = [axis for axis in range(3) if rng.random() < augmentation.flip]
    hu, lungs, infection = (t.flip(flips) if flips else t for t in (hu, lungs, infection))
    boxes, ignored = _flip_boxes(boxes, flips, size), _flip_boxes(ignored, flips, size)
    image = network_input(_vary_hu(hu, augmentation, rng), _vary_mask(lungs, augmentation, rng), grid)
    return Sample(
        image.contiguous(), infection[None].contiguous(), known, torch.from_numpy(boxes), torch.from_numpy(ignored)
    )


def _corner(
    case: PreparedCase, window: NDArray[np.int64], lesion_share: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Lowest voxel of the crop: around a finding, somewhere near its centre, or anywhere in the grid."""
    shape = np.asarray(case.hu.shape)
    findings = np.concatenate([case.boxes, case.ignored])
    if len(findings) and rng.random() < lesion_share:
        # Infections first: irrelevant findings are a fourth of the centres.
        pool = case.boxes if len(case.boxes) and (rng.random() < 0.75 or not len(case.ignored)) else findings
        box = pool[rng.integers(len(pool))]
        middle = (box[:3] + box[3:]) / 2 + rng.uniform(-0.3, 0.3, 3) * window
        low = np.rint(middle - window / 2).astype(int)
    else:
        low = np.array([rng.integers(0, max(s - w, 0) + 1) for s, w in zip(shape, window, strict=True)])
    # Where the grid is smaller than the crop, the padding falls on both sides.
    spare = shape - window
    bounded: NDArray[np.int64] = np.where(spare >= 0, np.clip(low, 0, np.maximum(spare, 0)), spare // 2)
    return bounded


def _window(
    array: NDArray[np.generic], low: NDArray[np.int64], window: NDArray[np.int64], fill: int
) -> NDArray[np.generic]:
    """The window of an array, filled where it reaches over the edge."""
    result = np.full(window, fill, dtype=array.dtype)
    start = np.maximum(low, 0)
    stop = np.minimum(low + window, array.shape)
    if (stop > start).all():
        inner = tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))
        result[inner] = array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    return result


def _crop_boxes(
    boxes: NDArray[np.float32], low: NDArray[np.int64], window: NDArray[np.int64], size: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Boxes in the crop's coordinates; what lies outside for more than two thirds is left out."""
    moved = boxes.reshape(-1, 2, 3) - low
    clipped = np.clip(moved, 0, window)
    volume = np.prod(moved[:, 1] - moved[:, 0], axis=1)
    inside = np.prod(clipped[:, 1] - clipped[:, 0], axis=1)
    keep = inside > volume / 3
    scaled: NDArray[np.float32] = (clipped[keep] * (size / window)).reshape(-1, 6).astype(np.float32)
    return scaled


def _flip_boxes(boxes: NDArray[np.float32], axes: list[int], size: NDArray[np.int64]) -> NDArray[np.float32]:
    boxes = boxes.copy()
    for axis in axes:
        boxes[:, [axis, axis + 3]] = size[axis] - boxes[:, [axis + 3, axis]]
    return boxes


def _vary_hu(hu: Tensor, settings: AugmentationSettings, rng: np.random.Generator) -> Tensor:
    if rng.random() < settings.blur:
        hu = functional.avg_pool3d(functional.pad(hu[None, None], (1, 1, 1, 1, 0, 0), "replicate"), (1, 3, 3), 1)[0, 0]
    # About water: scanners agree there and differ towards air.
    hu = hu * (1 + settings.scale * rng.uniform(-1, 1)) + settings.shift * rng.uniform(-1, 1)
    deviation = settings.noise * rng.random()
    if deviation > 0:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        hu = hu + deviation * torch.randn(hu.shape, generator=generator)
    if rng.random() < settings.picture:
        low, high = settings.picture_window
        step = (high - low) / 255
        hu = ((hu.clamp(low, high) - low) / step).round() * step + low
    return hu


def _vary_mask(lungs: Tensor, settings: AugmentationSettings, rng: np.random.Generator) -> Tensor:
    if rng.random() >= settings.mask:
        return lungs
    sign = 1.0 if rng.random() < 0.5 else -1.0
    return sign * functional.max_pool3d(sign * lungs[None, None], 3, stride=1, padding=1)[0, 0]


class Batch(NamedTuple):
    """Samples side by side; boxes stay lists because their number differs."""

    images: Tensor
    infection: Tensor
    has_mask: Tensor
    boxes: list[Tensor]
    ignored: list[Tensor]

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device, images channels-last."""
        return Batch(
            self.images.to(device, memory_format=torch.channels_last_3d),
            self.infection.to(device),
            self.has_mask.to(device),
            [b.to(device) for b in self.boxes],
            [b.to(device) for b in self.ignored],
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples as a batch."""
    return Batch(
        torch.stack([s.image for s in samples]),
        torch.stack([s.infection for s in samples]),
        torch.tensor([s.has_mask for s in samples]),
        [s.boxes for s in samples],
        [s.ignored for s in samples],
    )
