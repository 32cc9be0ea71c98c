"""Pictures in memory, as the networks of the X-ray method are trained on them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class PictureSet:
    """Pictures with their targets.

    Attributes:
        pictures: uint8 [n, channels, h, w]; 255 stands for 1. A quarter of the memory of float32, and no X-ray that
            was ever a JPEG has more than 256 grey values.
        targets: float32 [n, ...], what a lesson makes of it.
        patients: of each picture.
    """

    pictures: NDArray[np.uint8]
    targets: Tensor
    patients: tuple[str, ...]

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.pictures)

    @property
    def patients_count(self) -> int:
        """How many patients there are."""
        return len(set(self.patients))

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures float32 [b, channels, h, w] in 0 to 1, and targets, of these rows."""
        return torch.from_numpy(self.pictures[rows.numpy()]).float() / 255.0, self.targets[rows]

    def only(self, rows: Sequence[int] | NDArray[np.integer]) -> "PictureSet":
        """The set of these rows."""
        index = np.asarray(rows, dtype=np.int64)
        return PictureSet(self.pictures[index], self.targets[index], tuple(self.patients[i] for i in index))

    def digest(self) -> bytes:
        """Changes with every picture, target and patient."""
        digest = hashlib.sha256(self.pictures.tobytes())
        digest.update(self.targets.numpy().tobytes())
        digest.update("\n".join(self.patients).encode())
        return digest.digest()


def as_bytes(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture in 0 to 1 as uint8."""
    return np.round(picture * 255.0).astype(np.uint8)
