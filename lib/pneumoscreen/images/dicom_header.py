"""Headers of DICOM files: the few fields that place a slice, read without its pixels.

Patients' names and numbers are looked at in one place only (``_naming_part``, ``_patient_key``) and never kept.
"""

import math
import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from .faults import GeometryError

SeriesKey = tuple[str, str]
"""Patient and series; see ``series_key``."""

_KEYWORDS = [
    "SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "PatientName", "PatientID", "PatientIdentityRemoved", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope",
    "RescaleIntercept", "GantryDetectorTilt", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "AcquisitionNumber", "AcquisitionTime", "AcquisitionDateTime",
    "ConvolutionKernel", "ContrastBolusAgent", "KVP",
]  # fmt: skip
FLOAT_PIXELS = ("FloatPixelData", "DoubleFloatPixelData")
HEADER_TAGS = [Tag(keyword) for keyword in (*_KEYWORDS, *FLOAT_PIXELS)]
# Of slices of one volume; two acquisitions or reconstructions differ in one of them.
_TAKING = _KEYWORDS[-6:]
_CT, _CR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1"
# By the SOP class, where a writer left the modality out or called it OT, "other".
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
        blank_end: share of the pixels' bytes that are zeros at their end; 0 where they are compressed.
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
    blank_end: float = 0.0

    @property
    def pixel_bytes(self) -> int:
        """Bytes that the pixels of all frames of the file take without compression."""
        return self.frames * self.rows * self.columns * self.samples * self.bits_allocated // 8

    @property
    def is_localizer(self) -> bool:
        """A scout view: part of an examination, but no slice of the volume."""
        return "LOCALIZER" in self.image_type

    @property
    def series_key(self) -> SeriesKey | None:
        """What tells the slice's series from all others; None where its header does not say."""
        return series_key(self.patient_key, self.study_uid, self.series_uid)


def series_key(patient: str, study_uid: str, series_uid: str) -> SeriesKey | None:
    """What tells a series from all others; None where its header does not say.

    Ours: the patient's number counts as well, since what takes names out of headers may give many series one UID. The
    study does not: some writers give each slice a study of its own.

    Args:
        patient: see ``SliceHeader.patient_key``.
        study_uid: StudyInstanceUID, or empty.
        series_uid: SeriesInstanceUID, or empty.
    """
    if not series_uid:
        return None
    return ("" if study_uid and patient == patient_key(study_uid) else patient), series_uid


def slice_header(dataset: Dataset, path: Path, frame: int, frames: int, groups: tuple[Dataset, Dataset]) -> SliceHeader:
    """The header of one frame; ``groups`` are the frame's own functional groups and those of all frames.

    Raises:
        GeometryError: if a field does not hold the numbers that it should.
    """

    def numbers(keyword: str, sequence: str, count: int) -> tuple[float, ...] | None:
        """The field of the frame, of all frames, or of the file, whichever comes first."""
        for group in groups:
            items = group.get(sequence)
            if items and keyword in items[0]:
                return _numbers(items[0], keyword, count, path)
        return _numbers(dataset, keyword, count, path)

    def number(keyword: str, sequence: str) -> float | None:
        found = numbers(keyword, sequence, 1)
        return found[0] if found else None

    def value(keyword: str, sequence: str) -> Any:
        items = next((items for group in groups if (items := group.get(sequence)) and keyword in items[0]), None)
        return items[0][keyword].value if items else None

    directions = numbers("ImageOrientationPatient", "PlaneOrientationSequence", 6)
    sop_class = str(dataset.get("SOPClassUID") or "")
    bits_stored = int(dataset.get("BitsStored") or 16)
    high_bit = dataset.get("HighBit")
    image_type = value("FrameType", "CTImageFrameTypeSequence") or dataset.get("ImageType") or ()
    return SliceHeader(
        path=path,
        frame=frame,
        frames=frames,
        transfer_syntax=syntax_of(dataset),
        sop_class=sop_class,
        modality=_modality(dataset, sop_class),
        image_type=tuple(str(part).upper() for part in ([image_type] if isinstance(image_type, str) else image_type)),
        study_uid=str(dataset.get("StudyInstanceUID") or ""),
        series_uid=str(dataset.get("SeriesInstanceUID") or ""),
        series_number=_whole(dataset, "SeriesNumber"),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        photometric=str(dataset.get("PhotometricInterpretation") or "").strip().upper(),
        bits_allocated=int(dataset.get("BitsAllocated") or 16),
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else int(high_bit),
        signed=bool(dataset.get("PixelRepresentation") or 0),
        padding=_padding(dataset),
        position_mm=numbers("ImagePositionPatient", "PlanePositionSequence", 3),
        row_direction=directions and directions[:3],
        column_direction=directions and directions[3:],
        pixel_spacing_mm=numbers("PixelSpacing", "PixelMeasuresSequence", 2),
        slope=number("RescaleSlope", "PixelValueTransformationSequence"),
        intercept=number("RescaleIntercept", "PixelValueTransformationSequence"),
        gantry_tilt=number("GantryDetectorTilt", "CTAcquisitionDetailsSequence") or 0.0,
        taking=tuple(str(dataset.get(keyword) or "") for keyword in _TAKING),
        names_patient=_naming_part(dataset, (path.parent.name, path.name)) > 0,
        naming_part=_naming_part(dataset, Path(os.path.abspath(path)).parts),
        instance_uid=str(dataset.get("SOPInstanceUID") or ""),
        patient_key=patient_key_of(dataset),
    )


def _numbers(dataset: Dataset, keyword: str, count: int, path: Path) -> tuple[float, ...] | None:
    """A field of so many numbers; None where it is missing or empty.

    Raises:
        GeometryError: if it holds anything else; the message names the field.
    """
    try:
        value = dataset.get(keyword)
        parts = [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") else value
        if all(part is None or part == "" for part in parts):
            return None
        numbers = tuple(float(part) for part in parts)
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        what = "no number" if count == 1 else f"no row of {count} numbers"
        raise GeometryError(f"{path} gives {keyword} that is {what}; export it again")
    return numbers


def syntax_of(dataset: Dataset) -> str:
    """UID of the transfer syntax; empty where the file names none."""
    return str(dataset.file_meta.get("TransferSyntaxUID", "")) if hasattr(dataset, "file_meta") else ""


def modality_of_file(dataset: Dataset) -> str:
    """The modality in capitals; empty where the file names none."""
    return str(dataset.get("Modality") or "").strip().upper()


def _modality(dataset: Dataset, sop_class: str) -> str:
    named = modality_of_file(dataset)
    return named if named not in ("", "OT") else _MODALITIES.get(sop_class, named)


def _whole(dataset: Dataset, keyword: str) -> int | None:
    try:
        return int(dataset.get(keyword))
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


def patient_key_of(dataset: Dataset) -> str:
    """See ``SliceHeader.patient_key``."""
    number = str(dataset.get("PatientID") or "").strip()
    if not any(sign.isdigit() and sign != "0" for sign in number):
        # "ANONYMOUS", "000000" and the like stand for many patients.
        number = str(dataset.get("StudyInstanceUID") or "")
    return patient_key(number) if number else ""
