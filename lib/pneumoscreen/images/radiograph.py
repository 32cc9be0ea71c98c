"""The one form in which a chest X-ray walks through the program.

A ``Radiograph`` is held as a reader hangs it: array axes [y, x], y growing to the feet, x growing to the patient's
left (the patient's right lung is on the left of the picture), bright where the body is dense. Boxes are
(x, y, w, h) in pixels of the whole picture; pixel i covers i to i + 1.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..case import ImageInfo


@dataclass(frozen=True)
class Radiograph:
    """A frontal chest X-ray.

    Attributes:
        pixels: float32 [y, x], 0 (dark, air) to 1 (bright, dense), the size as stored.
        spacing_mm: (x, y); 1 mm where the file states none, and then ``notes`` says so.
        content: (x, y, w, h) of the picture inside burnt-in borders; the whole picture where there are none.
        case_id: a name safe for files.
        source: the file it was read from.
        sha256: of the input's bytes.
        series_uid: DICOM SeriesInstanceUID, or None; likewise ``study_uid``.
        notes: one sentence for each thing that was repaired or noticed on reading.
        source_below: where it lies below what the user named, for the document; None where that is not known.
    """

    pixels: NDArray[np.float32]
    spacing_mm: tuple[float, float]
    content: tuple[int, int, int, int]
    case_id: str
    source: Path
    sha256: str
    series_uid: str | None = None
    notes: tuple[str, ...] = ()
    study_uid: str | None = None
    source_below: str | None = None

    def to_sitk(self, array: NDArray[np.generic]) -> sitk.Image:
        """An array [y, x] on this grid as a SimpleITK image of one slice.

        Ours: it lies like an axial slice, so that viewers hang it as the array is: x to the patient's left on the
        right of the picture, y downwards.
        """
        image = sitk.GetImageFromArray(array[None])
        image.SetSpacing((*self.spacing_mm, 1.0))
        return image

    def image_info(self) -> ImageInfo:
        """Size and spacing, and where it is from, for the case document."""
        height, width = self.pixels.shape
        return ImageInfo(
            (width, height), self.spacing_mm, self.sha256, self.series_uid, self.source_below, self.study_uid
        )
