"""What a labelled radiograph gives each of the three trainings."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...case import CXR_CLASSES, SIDES
from ...errors import PneumoScreenError
from ...models.atomic_files import write_arrays
from ..discrimination import DiscriminationSettings, channels_of, grey_of
from ..localization import LocalizationSettings, lung_of
from ..lung_boxes import LungBoxSettings, picture_of, to_shares
from ..truth import LabelledRadiograph
from .data import PictureSet, as_bytes

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Items:
    """Pictures of one radiograph: uint8 [k, channels, h, w], targets float32 [k, ...]; k may be 0."""

    pictures: Pictures
    targets: NDArray[np.float32]

    def arrays(self, prefix: str = "") -> dict[str, NDArray[Any]]:
        """What ``read_items`` takes from a file."""
        return {f"{prefix}pictures": self.pictures, f"{prefix}targets": self.targets}


def no_lung_boxes() -> Items:
    """What a radiograph without drawn boxes gives the lung-box regressor."""
    return Items(np.zeros((0, 1, 1, 1), np.uint8), np.zeros((0, len(SIDES), 4), np.float32))


def lung_box_items(labelled: LabelledRadiograph, settings: LungBoxSettings) -> Items:
    """The whole picture, and the boxes as shares, left lung first."""
    picture = as_bytes(picture_of(labelled.radiograph, settings))[None, None]
    boxes = [to_shares(labelled.lung_boxes[side], labelled.radiograph) for side in SIDES]
    return Items(picture, np.stack(boxes)[None].astype(np.float32))


def discrimination_items(labelled: LabelledRadiograph, settings: DiscriminationSettings) -> Items:
    """What the discriminator looks at, and the number of the class."""
    grey = grey_of(labelled.radiograph, dict(labelled.lung_boxes), settings)
    target = np.array([CXR_CLASSES.index(labelled.label)], dtype=np.float32)
    return Items(as_bytes(channels_of(grey, settings))[None], target)


def localization_items(labelled: LabelledRadiograph, settings: LocalizationSettings) -> Items:
    """Each lung, the left one mirrored, and whether it is infected."""
    sides = [side for side in SIDES if side in labelled.sides]
    lungs = [as_bytes(lung_of(labelled.radiograph, labelled.lung_boxes[side], side, settings))[None] for side in sides]
    targets = np.array([labelled.sides[side] for side in sides], dtype=np.float32)
    return Items(np.stack(lungs) if lungs else np.zeros((0, 1, 1, 1), np.uint8), targets)


def gather(items: Iterable[tuple[str, Items]]) -> PictureSet:
    """The set of all pictures of (patient, items).

    Raises:
        ValueError: if there are none.
    """
    found = [(patient, each) for patient, each in items if len(each.pictures)]
    return PictureSet(
        np.concatenate([each.pictures for _, each in found]),
        torch.from_numpy(np.concatenate([each.targets for _, each in found])),
        tuple(patient for patient, each in found for _ in each.pictures),
    )


def write_items(path: Path, items: Items) -> None:
    """Keep the pictures of one radiograph."""
    write_arrays(path, items.arrays())


def read_items(path: Path, prefix: str = "") -> Items:
    """The pictures that ``write_items`` kept, or of several in a file those whose arrays' names begin with a prefix.

    Raises:
        PneumoScreenError: if the file is gone or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            return Items(held[f"{prefix}pictures"], held[f"{prefix}targets"])
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise PneumoScreenError(f"{path} is damaged; remove it and start again") from None
