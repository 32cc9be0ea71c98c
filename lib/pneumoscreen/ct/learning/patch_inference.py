"""The classifier over a set of patches, a batch at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..classifier import ClassifierNetwork
from .classifier_data import PatchSet

BATCH = 256


def patch_batch(patches: PatchSet, rows: NDArray[np.int64] | slice) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels float32 [b, 1, size, size] in 0 to 1, distances float32 [b] and labels int64 [b] of some rows."""
    pixels = torch.from_numpy(patches.pixels[rows].astype(np.float32)).div_(255.0)[:, None]
    return pixels, torch.tensor(patches.distances[rows]), torch.tensor(patches.labels[rows])


@torch.no_grad()
def logits_of(
    network: ClassifierNetwork, device: torch.device, patches: PatchSet
) -> Iterator[tuple[slice, dict[str, Tensor]]]:
    """Rows and the logits [b, classes] of each head for them; the network must be in evaluation mode."""
    for start in range(0, len(patches), BATCH):
        rows = slice(start, min(start + BATCH, len(patches)))
        pixels, distance, _ = patch_batch(patches, rows)
        yield rows, network(pixels.to(device, memory_format=torch.channels_last), distance.to(device))
