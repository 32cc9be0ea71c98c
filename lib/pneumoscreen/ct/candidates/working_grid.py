"""The grid on which candidates are sought: the lungs' bounding box at one fixed spacing.

Ours (the paper gives no spacing): (z, y, x) = (4, 2, 2) mm. Infections are 10 mm and larger, routine
slices are 5 mm thick, and a whole pair of lungs becomes about a million voxels, which one pass of the
network takes. Positions on the grid are edge coordinates: voxel k covers k to k + 1, as MONAI's boxes
do, while index boxes of a volume have voxel k cover k - 0.5 to k + 0.5.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from ...config import Settings
from ...errors import NoLungsError
from ...images.volume import LEFT, RIGHT, Volume

_SLICES_AT_ONCE = 32
_HALF = 0.4999
_Millimetres = Annotated[float, Field(gt=0)]


class WorkingGridSettings(Settings):
    """Spacing (z, y, x) and margin around the lungs in mm; the HU range that becomes -1 to 1."""

    spacing_mm: tuple[_Millimetres, _Millimetres, _Millimetres] = (4.0, 2.0, 2.0)
    margin_mm: float = Field(8.0, ge=0)
    hu_window: tuple[float, float] = (-1100.0, 200.0)

    @model_validator(mode="after")
    def _window_is_open(self) -> "WorkingGridSettings":
        if self.hu_window[0] >= self.hu_window[1]:
            raise ValueError("hu_window must name the lower value first")
        return self


@dataclass(frozen=True)
class WorkingGrid:
    """Where a working grid lies in its volume.

    Attributes:
        low, high: the crop of the volume, (z, y, x) voxels, high exclusive.
        shape: voxels of the grid, (z, y, x).
        volume_shape: voxels of the volume, (z, y, x).
    """

    low: tuple[int, int, int]
    high: tuple[int, int, int]
    shape: tuple[int, int, int]
    volume_shape: tuple[int, int, int]

    @property
    def crop(self) -> tuple[slice, slice, slice]:
        """The crop as an index into an array on the volume's grid."""
        z, y, x = (slice(low, high) for low, high in zip(self.low, self.high, strict=True))
        return z, y, x

    @property
    def zoom(self) -> NDArray[np.float64]:
        """Grid voxels per voxel of the volume, (z, y, x)."""
        return np.asarray(self.shape, dtype=np.float64) / (np.asarray(self.high) - np.asarray(self.low))

    def boxes_to_grid(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Index boxes [n, 6] of the volume as edge-coordinate boxes of the grid."""
        corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 3)
        return ((corners + 0.5 - np.asarray(self.low)) * self.zoom).reshape(-1, 6)

    def boxes_to_volume(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Edge-coordinate boxes [n, 6] of the grid as index boxes of the volume."""
        corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 3)
        return (corners / self.zoom + np.asarray(self.low) - 0.5).reshape(-1, 6)

    def sample(self, array: NDArray[np.generic]) -> Tensor:
        """An array on the volume's grid as float32 [z, y, x] on this grid, each voxel an area average."""
        return self._sample_crop(array[self.crop])

    def _sample_crop(self, block: NDArray[np.generic]) -> Tensor:
        parts = [
            _resize_plane(torch.from_numpy(np.ascontiguousarray(block[first : first + _SLICES_AT_ONCE])), self.shape)
            for first in range(0, block.shape[0], _SLICES_AT_ONCE)
        ]
        return _resize_depth(torch.cat(parts), self.shape[0])

    def sample_sides(self, labels: NDArray[np.uint8]) -> Tensor:
        """Lungs by side, uint8 [z, y, x] on this grid, of a map on the volume's: a voxel is lung from one half on."""
        block = labels[self.crop]
        left, right = self._sample_crop(block == LEFT), self._sample_crop(block == RIGHT)
        side = torch.where(left >= right, LEFT, RIGHT).to(torch.uint8)
        return torch.where(left + right >= _HALF, side, torch.zeros_like(side))

    def mask_to_volume(self, probability: Tensor, threshold: float) -> NDArray[np.bool_]:
        """Where a probability map [z, y, x] of this grid, interpolated, exceeds the threshold; on the volume's grid."""
        mask = np.zeros(self.volume_shape, dtype=bool)
        z, y, x = self.crop
        deep = _resize_depth(probability.float(), z.stop - z.start)
        size = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
        # Interpolated values lie between those of the grid: the other slices hold nothing.
        levels = np.flatnonzero((deep.flatten(1) > threshold).any(dim=1).numpy())
        for first in range(0, len(levels), _SLICES_AT_ONCE):
            some = levels[first : first + _SLICES_AT_ONCE]
            found = _resize_plane(deep[some], size) > threshold
            mask[z.start + some, y, x] = found.numpy()
        return mask


def _resize_plane(slices: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Slices [z, y, x] at the (y, x) of ``shape``; averaging where they shrink, linear where they grow."""
    images = slices.float().unsqueeze(1)
    return functional.interpolate(images, size=shape[1:], mode="bilinear", antialias=True).squeeze(1)


def _resize_depth(slices: Tensor, depth: int) -> Tensor:
    """Slices [z, y, x] resampled to ``depth`` slices."""
    if slices.shape[0] == depth:
        return slices
    columns = slices.reshape(1, 1, slices.shape[0], -1)
    resized = functional.interpolate(columns, size=(depth, columns.shape[3]), mode="bilinear", antialias=True)
    return resized.reshape(depth, *slices.shape[1:])


def place_grid(volume: Volume, labels: NDArray[np.uint8], settings: WorkingGridSettings) -> WorkingGrid:
    """The working grid around the lungs of a volume.

    The number of grid voxels is rounded to whole ones, so that the spacing differs from the settings'
    by half a voxel over the whole box at most.

    Args:
        volume: the CT.
        labels: lungs, uint8 [z, y, x]; any value but 0 is lung.
        settings: spacing and margin.

    Raises:
        NoLungsError: if no voxel is lung.
    """
    low, high = _bounds(labels)
    margin = np.ceil(settings.margin_mm / np.asarray(volume.spacing_zyx)).astype(int)
    low = np.maximum(low - margin, 0)
    high = np.minimum(high + margin, labels.shape)
    extent = (high - low) * np.asarray(volume.spacing_zyx)
    shape = np.maximum(np.rint(extent / np.asarray(settings.spacing_mm)).astype(int), 1)
    return WorkingGrid(_triple(low), _triple(high), _triple(shape), _triple(np.asarray(labels.shape)))


def _bounds(labels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = labels.any(axis=2)
    profiles = rows.any(axis=1), rows.any(axis=0), labels.any(axis=(0, 1))
    if not profiles[0].any():
        raise NoLungsError("no lung was found in the volume: candidates are sought inside the lungs only")
    spans = [(int(np.argmax(p)), int(p.size - np.argmax(p[::-1]))) for p in profiles]
    return np.array([a for a, _ in spans]), np.array([b for _, b in spans])


def _triple(values: NDArray[np.int64]) -> tuple[int, int, int]:
    z, y, x = (int(value) for value in values)
    return z, y, x


def normalise(hu: Tensor, settings: WorkingGridSettings) -> Tensor:
    """HU clipped to the window and scaled to -1 to 1."""
    low, high = settings.hu_window
    return (hu.clamp(low, high) - (low + high) / 2) * (2 / (high - low))


def network_input(hu: Tensor, lungs: Tensor, settings: WorkingGridSettings) -> Tensor:
    """The network's input [2, z, y, x] from HU and lung mask [z, y, x] on the working grid."""
    return torch.stack([normalise(hu, settings), lungs.float()])


def pad_to_multiple(image: Tensor, multiple: tuple[int, int, int]) -> Tensor:
    """[c, z, y, x] grown at the far end to multiples of (z, y, x): air at -1, no lung."""
    padding: list[int] = []
    for size, step in zip(reversed(image.shape[1:]), reversed(multiple), strict=True):
        padding += [0, -size % step]
    if not any(padding):
        return image
    air = functional.pad(image[:1], padding, value=-1.0)
    return torch.cat([air, functional.pad(image[1:], padding)])
