"""Stored pixels of a DICOM radiograph, decoded by GDCM without the rescaling and inverting it does on its own."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from .dicom_encoding import COMPRESSED, is_shifted, read_shifted
from .dicom_header import SliceHeader
from .faults import DamagedError
from .gdcm import decode_by_gdcm, decode_compressed

_PIXEL_FIELDS = (
    "SamplesPerPixel", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PhotometricInterpretation", "PixelData",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
)  # fmt: skip
_INSTANCE = UID("2.25.1")


def read_stored(header: SliceHeader) -> NDArray[Any]:
    """Stored values [row, column], or 8-bit [row, column, red green blue] of a colour picture.

    Raises:
        DamagedError: if the pixels cannot be decoded.
    """
    damaged = DamagedError(
        f"{header.path} holds pixels that cannot be decoded (truncated or damaged); copy it again from the archive"
    )
    if header.samples == 1 and is_shifted(header):
        try:
            return read_shifted(header)[0]
        except Exception:
            # pydicom and numpy raise whatever a damaged file happens to break.
            raise damaged from None
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "pixels.dcm"
        try:
            with warnings.catch_warnings(), pydicom_config.disable_value_validation():
                # pydicom's warnings quote values of the header.
                warnings.simplefilter("ignore")
                _bare(header).save_as(bare, write_like_original=False)
        except Exception:
            # pydicom raises whatever a damaged file happens to break.
            raise damaged from None
        try:
            is_compressed = header.transfer_syntax in COMPRESSED
            pixels = decode_compressed([bare], str(header.path))[0] if is_compressed else decode_by_gdcm(bare)
        except (DamagedError, RuntimeError, MemoryError):
            raise damaged from None
    grey, colour = (header.rows, header.columns), (header.rows, header.columns, 3)
    if pixels.size == header.rows * header.columns:
        return pixels.reshape(grey)
    if pixels.size == 3 * header.rows * header.columns and pixels.dtype == np.uint8:
        return pixels.reshape(colour)
    raise damaged


def _bare(header: SliceHeader) -> FileDataset:
    """The file with its pixels and what they need to be decoded, and nothing that GDCM would apply to them."""
    source = pydicom.dcmread(header.path, force=True)
    if not source["PixelData"].is_undefined_length and len(source.PixelData) < header.pixel_bytes:
        # GDCM would fill the rest with zeros.
        raise ValueError("truncated")
    kept = Dataset()
    for keyword in _PIXEL_FIELDS:
        if keyword in source:
            kept[keyword] = source[keyword]
    if kept.PhotometricInterpretation == "MONOCHROME1":
        kept.PhotometricInterpretation = "MONOCHROME2"
    kept.SOPClassUID, kept.SOPInstanceUID = SecondaryCaptureImageStorage, _INSTANCE
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, _INSTANCE
    meta.TransferSyntaxUID = source.file_meta.get("TransferSyntaxUID") or _plain_syntax(source)
    bare = FileDataset("", kept, file_meta=meta, preamble=b"\0" * 128)
    bare.is_little_endian, bare.is_implicit_VR = source.is_little_endian, source.is_implicit_VR
    return bare


def _plain_syntax(source: Dataset) -> UID:
    """The transfer syntax of a file that does not state it, as pydicom guessed it."""
    if not source.is_little_endian:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if source.is_implicit_VR else ExplicitVRLittleEndian
