"""A picture of a lamp."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pneumoscreen.case import ImageInfo
from pneumoscreen.errors import ImageError
from pneumoscreen.images.inputs import Input
from pneumoscreen.images.raw import hash_files


@dataclass(frozen=True)
class Picture:
    """Pixels float32 [y, x], 0 dark to 1 bright, and what every document says of an image."""

    pixels: NDArray[np.float32]
    case_id: str
    source: Path
    sha256: str
    notes: tuple[str, ...] = ()
    source_below: str | None = None

    @property
    def brightness(self) -> float:
        return float(self.pixels.mean())

    def image_info(self) -> ImageInfo:
        height, width = self.pixels.shape
        return ImageInfo((width, height), (1.0, 1.0), self.sha256, None, self.source_below)

    def to_sitk(self, array: NDArray[np.generic]) -> sitk.Image:
        return sitk.GetImageFromArray(array[None])


def read(item: Input) -> Picture:
    try:
        with Image.open(item.path) as image:
            pixels = np.asarray(image.convert("L"), dtype=np.float32) / 255.0
    except (OSError, UnidentifiedImageError):
        raise ImageError(f"{item.path} is no picture; export it again") from None
    return Picture(pixels, item.case_id, item.path, hash_files([item.path]), source_below=item.source_below)
