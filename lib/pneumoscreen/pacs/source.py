"""The DICOM images that a case was read from, as the objects written about it refer to them."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from ..errors import ImageError, PneumoScreenError
from ..images.dicom_series import stack
from ..images.inputs import Input, search
from ..images.volume import Volume

_MAY_BE_MISSING = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
"""Fields that a DICOM object must have, if only empty."""


_ANYTHING = re.compile(".*", re.DOTALL)
_DAY = re.compile(r"(?:\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))?")
_FORMS = {
    "PatientBirthDate": _DAY,
    "PatientSex": re.compile("[MFO]?"),
    "StudyDate": _DAY,
    "StudyTime": re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?|"),
}
"""Of the fields whose values highdicom reads: what their values look like."""


class ResultError(PneumoScreenError):
    """An image about which no DICOM object can be written."""


@dataclass(frozen=True)
class Source:
    """Headers of the images behind a case.

    Attributes:
        images: of a series one image a slice, from the slice of the lowest position along the normal on; else the file.
        frames: of a file with several frames the frame of each slice, counted from 0; else empty.
    """

    images: tuple[Dataset, ...]
    frames: tuple[int, ...] = ()

    @property
    def first(self) -> Dataset:
        """The image whose patient and study all objects share."""
        return self.images[0]

    @property
    def study_uid(self) -> str:
        """Of the images."""
        return str(self.first.StudyInstanceUID)

    def planes(self, volume: Volume, mask: NDArray[np.generic]) -> NDArray[np.generic]:
        """A mask on the volume's grid as [image or frame, row, column] of the images as stored.

        Raises:
            ResultError: if the volume does not come from these images.
        """
        # SimpleITK's arrays are [slice, row, column] as well, and the reader stacked the slices in this order.
        planes = np.asarray(sitk.GetArrayFromImage(volume.to_sitk(mask.astype(np.uint8))))
        if planes.shape != (len(self.frames) or len(self.images), self.first.Rows, self.first.Columns):
            raise ResultError(
                f"{volume.source}: its masks {planes.shape} do not lie on its {len(self.images)} images; "
                "give the series that was screened"
            )
        if not self.frames:
            return planes
        spread = np.zeros((int(self.first.NumberOfFrames), *planes.shape[1:]), dtype=planes.dtype)
        spread[list(self.frames)] = planes
        return spread


def only_input(folder: Path) -> Input:
    """The one image of a folder.

    Raises:
        ImageError: if there is none, or there are several.
    """
    found = search([folder])
    inputs = [item for item in found if isinstance(item, Input)]
    if len(inputs) == 1:
        return inputs[0]
    if inputs:
        raise ImageError(f"{folder} holds {len(inputs)} images where one series was expected; check the series")
    reasons = [str(item.reason) for item in found if not isinstance(item, Input)]
    raise ImageError(f"{folder} holds no image that can be screened" + (f": {reasons[0]}" if reasons else ""))


def source_of(given: Input) -> Source:
    """Read the headers of an input's files.

    Raises:
        ResultError: if it is no DICOM image, or one without the fields that objects refer to.
        ImageError: if its slices make no volume.
    """
    if not given.headers:
        raise ResultError(f"{given.path} is no DICOM image, and only about one can DICOM objects be written")
    if given.modality != "CT":
        return Source((_header(given.headers[0].path),))
    slices = stack(given.headers, str(given.path)).slices
    if len({header.path for header in slices}) == 1 and slices[0].frames > 1:
        source = Source((_header(slices[0].path),), tuple(header.frame for header in slices))
    else:
        source = Source(tuple(_header(header.path) for header in slices))
    if not all(image.get("FrameOfReferenceUID") for image in source.images):
        raise ResultError(
            f"{given.path} has slices without FrameOfReferenceUID, without which no segmentation can lie on them; "
            "export the series again"
        )
    return source


def _header(path: Path) -> Dataset:
    header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    for keyword in _MAY_BE_MISSING:
        # What is no value of its field cannot be said again, and is none of a result's business.
        if not _FORMS.get(keyword, _ANYTHING).fullmatch(_text(header, keyword)):
            header[keyword] = DataElement(keyword, dictionary_VR(keyword), None)
        elif keyword not in header:
            setattr(header, keyword, None)
    for keyword in ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not header.get(keyword):
            raise ResultError(f"{path} has no {keyword}, and so nothing can refer to it; export it again")
    return header


def _text(header: Dataset, keyword: str) -> str:
    try:
        return str(header.get(keyword) or "")
    except Exception:
        return "\0"  # pydicom raises whatever a value that is none happens to break
