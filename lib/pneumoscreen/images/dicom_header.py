"""Headers of DICOM files: the few fields that place a slice, read without its pixels.

Patients' names and numbers are looked at in one place only (``_naming_part``, ``_patient_key``) and never kept.
"""

import math
import os
import re
import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from ..errors import ImageError
from .content_kind import DICOM, not_readable
from .faults import DamagedError, DimensionError, GeometryError, UnsupportedError

MAX_FRAMES = 4096
_SMALLEST_FRAME = 64
"""Bytes; an empty picture takes more in every compression that is read."""
_PIXEL_DATA = Tag("PixelData")
_UNDEFINED_LENGTH = 0xFFFFFFFF
_KEYWORDS = [
    "SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "PatientName", "PatientID", "PatientIdentityRemoved", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope",
    "RescaleIntercept", "GantryDetectorTilt", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "AcquisitionNumber", "AcquisitionTime", "AcquisitionDateTime",
    "ConvolutionKernel", "ContrastBolusAgent", "KVP",
]  # fmt: skip
_TAGS = [Tag(keyword) for keyword in _KEYWORDS]
# Of slices of one volume; two acquisitions or reconstructions differ in one of them.
_TAKING = _KEYWORDS[-6:]
_CT, _CR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1"
# By the SOP class, where a writer left the modality out.
_MODALITIES = {_CT: "CT", f"{_CT}.1": "CT", f"{_CT}.2": "CT", _CR: "CR", f"{_CR}.1": "DX", f"{_CR}.1.1": "DX"}
_LETTERS = re.compile(r"[\W\d_]+")
_NO_NAMES = {"anonymous", "anon", "anonymized", "case", "chest", "dicom", "lung", "patient", "phantom", "test"}


@dataclass(frozen=True)
class SliceHeader:
    """Where one slice lies and how its stored values become Hounsfield units.

    Attributes:
        path: of the file.
        frame: number of the frame in a multi-frame file, else 0.
        transfer_syntax: UID.
        position_mm: LPS position of the centre of the first pixel, or None.
        row_direction: LPS direction in which the column number grows, or None.
        column_direction: LPS direction in which the row number grows, or None.
        pixel_spacing_mm: (between rows, between columns), or None.
        slope: rescale slope, or None if the header has none; likewise ``intercept``.
        padding: (lowest, highest) stored value that means "no picture here", or None.
        high_bit: number of the highest bit of a value in its word.
        taking: how and when the slice was taken and made, as text, in the order of ``_TAKING``.
        names_patient: the file's or folder's name holds a part of the patient's name.
        naming_part: the part of the path that holds a part of the patient's name, counted from its end: 1 is the
            file's name, 2 its folder's; the last one where there are several, 0 where there is none.
        instance_uid: SOPInstanceUID, the file's own.
        patient_key: the same for all series of a patient: a hash of the patient's number, or of the study's UID
            where the number is none; empty where both are missing.
    """

    path: Path
    frame: int
    frames: int
    transfer_syntax: str
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    study_uid: str
    series_uid: str
    series_number: int | None
    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    padding: tuple[int, int] | None
    position_mm: tuple[float, ...] | None
    row_direction: tuple[float, ...] | None
    column_direction: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    gantry_tilt: float
    taking: tuple[str, ...]
    names_patient: bool
    naming_part: int
    instance_uid: str
    patient_key: str

    @property
    def pixel_bytes(self) -> int:
        """Bytes that the pixels of all frames of the file take without compression."""
        return self.frames * self.rows * self.columns * self.samples * self.bits_allocated // 8

    @property
    def is_localizer(self) -> bool:
        """A scout view: part of an examination, but no slice of the volume."""
        return "LOCALIZER" in self.image_type


def looks_like_dicom(path: Path) -> bool:
    """Whether the file carries DICOM's mark, or begins as a data set without it does."""
    with path.open("rb") as file:
        start = file.read(132)
    return start[128:132] == b"DICM" or start[:4] in (b"\x08\x00\x05\x00", b"\x08\x00\x00\x00", b"\x08\x00\x08\x00")


def read_headers(path: Path) -> list[SliceHeader]:
    """Headers of the file's frames: one for a plain image, several for a multi-frame one, none for no image.

    Raises:
        DamagedError: if the file is no readable DICOM file.
    """
    try:
        with warnings.catch_warnings(), pydicom_config.disable_value_validation():
            # pydicom's warnings quote values of the header.
            warnings.simplefilter("ignore")
            dataset, pixel_bytes = _read(path)
            headers = _headers(dataset, path)
    except OSError:
        raise DamagedError(f"{path} cannot be read; check that the file is there and may be opened") from None
    except (DamagedError, DimensionError, GeometryError, UnsupportedError):
        raise
    except Exception:
        # pydicom raises whatever a damaged header happens to break: KeyError, struct.error, ValueError and others.
        raise _no_dicom(path) from None
    if headers and pixel_bytes is not None and pixel_bytes < headers[0].pixel_bytes:
        # GDCM would fill the rest with zeros.
        raise DamagedError(f"{path} holds fewer pixels than its header claims; copy it again from the archive")
    return headers


def _no_dicom(path: Path) -> ImageError:
    """What to raise for a file that is not to be read as DICOM."""
    return not_readable(path, (DICOM,), "is damaged or no DICOM file; copy it again from the scanner or archive")


def _read(path: Path) -> tuple[Dataset, int | None]:
    """The header, and how many bytes of pixels follow it: None if compressed, or none at all."""
    lengths: list[int] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag == _PIXEL_DATA:
            lengths.append(length)
        return tag >= _PIXEL_DATA

    with path.open("rb") as file:
        dataset = read_partial(file, at_pixels, force=looks_like_dicom(path), specific_tags=_TAGS)
    return dataset, lengths[0] if lengths and lengths[0] != _UNDEFINED_LENGTH else None


def _headers(dataset: Dataset, path: Path) -> list[SliceHeader]:
    if not dataset:
        raise _no_dicom(path)
    if "Rows" not in dataset or "Columns" not in dataset:
        return []
    frames = int(dataset.get("NumberOfFrames") or 1)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if not 1 <= frames <= MAX_FRAMES or (per_frame and len(per_frame) != frames):
        raise DamagedError(f"{path} claims {frames} frames, which its header does not bear out; export it again")
    if frames > 1 and path.stat().st_size < frames * _SMALLEST_FRAME:
        raise DamagedError(f"{path} holds fewer frames than its header claims; copy it again from the archive")
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    groups = [(group, shared) for group in per_frame] or [(shared, shared)] * frames
    return [_slice_header(dataset, path, frame, frames, group) for frame, group in enumerate(groups)]


def _slice_header(
    dataset: Dataset, path: Path, frame: int, frames: int, groups: tuple[Dataset, Dataset]
) -> SliceHeader:
    def value(keyword: str, sequence: str) -> Any:
        """The field of the frame, of all frames, or of the file, whichever comes first."""
        for group in groups:
            items = group.get(sequence)
            if items and keyword in items[0]:
                return items[0][keyword].value
        return dataset.get(keyword)

    directions = _numbers(value("ImageOrientationPatient", "PlaneOrientationSequence"), 6, path)
    sop_class = str(dataset.get("SOPClassUID") or "")
    bits_stored = int(dataset.get("BitsStored") or 16)
    high_bit = dataset.get("HighBit")
    image_type = value("FrameType", "CTImageFrameTypeSequence") or dataset.get("ImageType") or ()
    return SliceHeader(
        path=path,
        frame=frame,
        frames=frames,
        transfer_syntax=str(dataset.file_meta.get("TransferSyntaxUID", "")) if hasattr(dataset, "file_meta") else "",
        sop_class=sop_class,
        modality=str(dataset.get("Modality") or "").strip().upper() or _MODALITIES.get(sop_class, ""),
        image_type=tuple(str(part).upper() for part in ([image_type] if isinstance(image_type, str) else image_type)),
        study_uid=str(dataset.get("StudyInstanceUID") or ""),
        series_uid=str(dataset.get("SeriesInstanceUID") or ""),
        series_number=_whole(dataset.get("SeriesNumber")),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        photometric=str(dataset.get("PhotometricInterpretation") or "").strip().upper(),
        bits_allocated=int(dataset.get("BitsAllocated") or 16),
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else int(high_bit),
        signed=bool(dataset.get("PixelRepresentation") or 0),
        padding=_padding(dataset),
        position_mm=_numbers(value("ImagePositionPatient", "PlanePositionSequence"), 3, path),
        row_direction=directions and directions[:3],
        column_direction=directions and directions[3:],
        pixel_spacing_mm=_numbers(value("PixelSpacing", "PixelMeasuresSequence"), 2, path),
        slope=_number(value("RescaleSlope", "PixelValueTransformationSequence"), path),
        intercept=_number(value("RescaleIntercept", "PixelValueTransformationSequence"), path),
        gantry_tilt=_number(value("GantryDetectorTilt", "CTAcquisitionDetailsSequence"), path) or 0.0,
        taking=tuple(str(dataset.get(keyword) or "") for keyword in _TAKING),
        names_patient=_naming_part(dataset, (path.parent.name, path.name)) > 0,
        naming_part=_naming_part(dataset, Path(os.path.abspath(path)).parts),
        instance_uid=str(dataset.get("SOPInstanceUID") or ""),
        patient_key=_patient_key(dataset),
    )


def _numbers(value: Any, count: int, path: Path) -> tuple[float, ...] | None:
    if value is None or value == "" or (not isinstance(value, str) and hasattr(value, "__len__") and len(value) == 0):
        return None
    numbers = tuple(float(item) for item in value)
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise GeometryError(f"{path} gives a position or spacing that is no row of {count} numbers; export it again")
    return numbers


def _number(value: Any, path: Path) -> float | None:
    numbers = None if value is None or value == "" else _numbers([value], 1, path)
    return numbers[0] if numbers else None


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _padding(dataset: Dataset) -> tuple[int, int] | None:
    values = [dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")]
    # Implicit VR does not say whether the value is signed, and pydicom leaves it as bytes.
    ends = [int.from_bytes(v, "little") if isinstance(v, bytes) else v for v in values]
    ends = [end for end in ends if isinstance(end, int)]
    if not isinstance(values[0], int | bytes):
        return None
    if dataset.get("PixelRepresentation") == 1:
        # Many writers store -2000 as 63536.
        bits = int(dataset.get("BitsAllocated") or 16)
        ends = [end - (1 << bits) if end >= 1 << (bits - 1) else end for end in ends]
    return min(ends), max(ends)


def _naming_part(dataset: Dataset, parts: tuple[str, ...]) -> int:
    """Which part of a path, counted from its end, holds a part of the patient's name; 0 where none does."""
    if dataset.get("PatientIdentityRemoved") == "YES":
        return 0
    named = set(_LETTERS.split(str(dataset.get("PatientName") or "").lower())) - _NO_NAMES
    for number, part in enumerate(reversed(parts), start=1):
        if any(len(word) > 2 for word in named & set(_LETTERS.split(part.lower()))):
            return number
    return 0


def patient_key(number: str) -> str:
    """What stands for a patient in place of the number that a hospital gave: the same for the same number."""
    return sha256(number.encode()).hexdigest()[:12]


def _patient_key(dataset: Dataset) -> str:
    number = str(dataset.get("PatientID") or "").strip()
    if not any(sign.isdigit() and sign != "0" for sign in number):
        # "ANONYMOUS", "000000" and the like stand for many patients.
        number = str(dataset.get("StudyInstanceUID") or "")
    return patient_key(number) if number else ""
