"""DICOM files as they are found: images, objects without an image, or damaged; told apart by what they say.

What is damaged says no more what it is, or says it is an image and has none. An index of a medium, a report and a plan
are sound and no images.
"""

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, UID_dictionary

from ..errors import ImageError
from .content_kind import DICOM, not_readable
from .dicom_deflated import check_inflated
from .dicom_header import (
    FLOAT_PIXELS,
    HEADER_TAGS,
    SeriesKey,
    SliceHeader,
    modality_of_file,
    patient_key_of,
    series_key,
    slice_header,
    syntax_of,
)
from .dicom_start import looks_like_dicom
from .faults import DamagedError

MAX_FRAMES = 4096
_SMALLEST_FRAME = 64
"""Bytes; an empty picture takes more in every compression that is read."""
_PIXEL_DATA = Tag("PixelData")
_UNDEFINED_LENGTH = 0xFFFFFFFF
_IMAGES = "Image Storage"
"""What the names of the classes of images have in common; reports, plans and indexes have others."""
_NO_IMAGES = ("DOC", "FID", "KO", "PLAN", "PR", "REG", "RTPLAN", "RTRECORD", "RTSTRUCT", "SR")
"""Modalities of objects that have no picture."""
_SEQUENCE_END = b"\xfe\xff\xdd\xe0"
_PADDING_AT_END = b"\xfc\xff\xfc\xff"
_ZEROS_AT_END = 64
"""Bytes; what ends in a delimiter ends in four zeros."""
_FIRST_CHUNK, _CHUNK = 64, 1 << 16


@dataclass(frozen=True)
class DicomFile:
    """What a DICOM file is, as far as it can be told.

    Attributes:
        path: the file.
        headers: of its frames; one for a plain image, none for what is no image or damaged.
        fault: why it cannot be used, or None.
        series: what tells its series from all others, or None where the file does not say.
    """

    path: Path
    headers: tuple[SliceHeader, ...] = ()
    fault: ImageError | None = None
    series: SeriesKey | None = None


def read_headers(path: Path) -> list[SliceHeader]:
    """Headers of the file's frames: one for a plain image, several for a multi-frame one, none for no image.

    Raises:
        ImageError: if the file is no readable DICOM file, or damaged.
    """
    found = read_dicom_file(path)
    if found.fault is not None:
        raise found.fault
    return list(found.headers)


def read_dicom_file(path: Path) -> DicomFile:
    """The headers of a file, or what is wrong with it and which series it belongs to all the same."""
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        # pydicom's warnings quote values of the header.
        warnings.simplefilter("ignore")
        return _file_of(path)


def _file_of(path: Path) -> DicomFile:
    dataset = None
    try:
        dataset, pixels = _read(path)
        headers = _headers(dataset, path, pixels)
    except OSError:
        fault: ImageError = DamagedError(f"{path} cannot be read; check that the file is there and may be opened")
    except ImageError as error:
        fault = error
    except Exception:
        # pydicom raises whatever a damaged header happens to break: KeyError, struct.error, ValueError and others.
        fault = _no_dicom(path)
    else:
        return DicomFile(path, tuple(headers), series=headers[0].series_key if headers else None)
    return DicomFile(path, fault=fault, series=_key_of(dataset))


def _no_dicom(path: Path) -> ImageError:
    """What is wrong with a file that is not to be read as DICOM."""
    return not_readable(path, (DICOM,), "is damaged or no DICOM file; copy it again from the scanner or archive")


def _key_of(dataset: Dataset | None) -> SeriesKey | None:
    if dataset is None:
        return None
    try:
        study, series = (str(dataset.get(f"{kind}InstanceUID") or "") for kind in ("Study", "Series"))
        return series_key(patient_key_of(dataset), study, series)
    except Exception:
        return None  # damaged there as well


@dataclass(frozen=True)
class _Pixels:
    """What the file has of its pixels: whether any, their bytes (None if compressed), zeros at their end, their end."""

    are_there: bool
    length: int | None = None
    zeros: int = 0
    are_whole: bool = True


def _read(path: Path) -> tuple[Dataset, _Pixels]:
    """The header, and what stands behind it."""
    lengths: list[int] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag == _PIXEL_DATA:
            lengths.append(length)
        return tag >= _PIXEL_DATA

    with path.open("rb") as file:
        check_inflated(file, path)
        dataset = read_partial(file, at_pixels, force=looks_like_dicom(path), specific_tags=HEADER_TAGS)
        if not lengths:
            return dataset, _Pixels(any(keyword in dataset for keyword in FLOAT_PIXELS))
        if syntax_of(dataset) == DeflatedExplicitVRLittleEndian:
            return dataset, _Pixels(True, None if lengths[0] == _UNDEFINED_LENGTH else lengths[0])
        start = file.tell()  # of the element, whose head is longer where it names its representation
        start += 12 if file.read(6)[4:].isalpha() else 8
        size = file.seek(0, os.SEEK_END)
        if lengths[0] == _UNDEFINED_LENGTH:
            return dataset, _Pixels(True, are_whole=_ends_compressed(file, start, size))
        zeros = _zeros_before(file, size, min(lengths[0], size - start))
        return dataset, _Pixels(True, lengths[0], zeros, start + lengths[0] <= size)


def _zeros_before(file: BinaryIO, end: int, most: int) -> int:
    """How many bytes before ``end`` are zeros, ``most`` at most."""
    found = 0
    while found < most:
        count = min(_CHUNK if found else _FIRST_CHUNK, most - found)
        file.seek(end - found - count)
        chunk = file.read(count)
        zeros = len(chunk) - len(chunk.rstrip(b"\0"))
        found += zeros
        if zeros < count:
            break
    return found


def _ends_compressed(file: BinaryIO, start: int, size: int) -> bool:
    """Whether compressed pixels, or what follows them, do not run out into zeros: as an interrupted copy does."""
    zeros = _zeros_before(file, size, size - start)
    if zeros <= _ZEROS_AT_END:
        return True
    file.seek(max(start, size - zeros - _ZEROS_AT_END))
    rest = file.read(_ZEROS_AT_END).rstrip(b"\0")
    return rest.endswith(_SEQUENCE_END) or _PADDING_AT_END in rest


def _is_no_image(dataset: Dataset, path: Path) -> bool:
    """Whether a file without a picture is an object that has none.

    Raises:
        DamagedError: if it says that it is an image, or does not say what it is.
    """
    meta = dataset.file_meta if hasattr(dataset, "file_meta") else Dataset()
    sop_class = str(dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")
    is_whole = not dataset.group_dataset(0)  # where zeros begin, they are read as elements of group 0
    is_other = modality_of_file(dataset) in _NO_IMAGES or _IMAGES not in UID(sop_class).name
    if not (is_whole and sop_class and is_other) or _is_cut_off(sop_class):
        raise _no_dicom(path)
    return True


def _is_cut_off(uid: str) -> bool:
    """Whether a UID is the beginning of a known one: the file ends there."""
    return uid not in UID_dictionary and any(known.startswith(uid) for known in UID_dictionary)


def _headers(dataset: Dataset, path: Path, pixels: _Pixels) -> list[SliceHeader]:
    if (not pixels.are_there or "Rows" not in dataset or "Columns" not in dataset) and _is_no_image(dataset, path):
        return []
    if not pixels.are_whole:
        raise DamagedError(f"{path} ends before its pixels do; copy it again from the scanner or archive")
    frames = int(dataset.get("NumberOfFrames") or 1)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if not 1 <= frames <= MAX_FRAMES or (per_frame and len(per_frame) != frames):
        raise DamagedError(f"{path} claims {frames} frames, which its header does not bear out; export it again")
    if frames > 1 and path.stat().st_size < frames * _SMALLEST_FRAME:
        raise DamagedError(f"{path} holds fewer frames than its header claims; copy it again from the archive")
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    groups = [(group, shared) for group in per_frame] or [(shared, shared)] * frames
    headers = [slice_header(dataset, path, frame, frames, group) for frame, group in enumerate(groups)]
    claimed = headers[0].pixel_bytes
    if pixels.length is not None and pixels.length < claimed:
        # GDCM would fill the rest with zeros.
        raise DamagedError(f"{path} holds fewer pixels than its header claims; copy it again from the archive")
    blank = pixels.zeros / claimed if frames == 1 and claimed else 0.0
    return [replace(header, blank_end=blank) for header in headers] if blank else headers
