"""How a DICOM file keeps its pixels: which encodings are read, and where in its word a value lies.

GDCM decodes what is read here. What it does not know it takes for damaged, and values that do not lie in the lowest
bits of their word it takes from there all the same: both are looked at before it sees the file.
"""

import re

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import config as pydicom_config

from .dicom_header import SliceHeader
from .faults import DamagedError, DimensionError, UnsupportedError

_TREE = "1.2.840.10008.1.2"
_PLAIN = ("", _TREE, f"{_TREE}.1", f"{_TREE}.1.99", f"{_TREE}.2")
"""Uncompressed; a file may leave the entry out, and one of them is then the only guess."""
COMPRESSED = {*(f"{_TREE}.4.{number}" for number in (50, 51, 53, 55, 57, 70, 80, 81, 90, 91)), f"{_TREE}.5"}
SYNTAXES = {*_PLAIN, *COMPRESSED}
# By the standard (PS3.6, table A-1); pydicom's own list is older than some of them.
_NAMES = {
    **dict.fromkeys((92, 93), "multi-component JPEG 2000"),
    **dict.fromkeys((94, 95, 204, 205), "a link to another server (JPIP)"),
    **dict.fromkeys((110, 111, 112), "JPEG XL"),
    **dict.fromkeys((201, 202, 203), "High-Throughput JPEG 2000 (HTJ2K)"),
    **dict.fromkeys((100, 101), "MPEG-2 video"),
    **dict.fromkeys((102, 103, 104, 105, 106), "H.264 video"),
    **dict.fromkeys((107, 108), "H.265 video"),
}
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)


def check_encoding(header: SliceHeader, name: str) -> None:
    """Refuse pixels in an encoding that is not read, and fields that do not say what the pixels are.

    Raises:
        UnsupportedError: for the encoding, which the sentence names.
        DamagedError: if values are said to lie outside their words.
        DimensionError: if the file does not say how its grey values are shown.
    """
    if header.transfer_syntax not in SYNTAXES:
        raise UnsupportedError(
            f"{name} keeps its pixels {_name_of(header.transfer_syntax)}, which is not read; "
            "export it again uncompressed, or as JPEG 2000 or JPEG-LS"
        )
    if is_shifted(header) and (header.high_bit >= header.bits_allocated or header.bits_allocated not in (8, 16, 32)):
        raise DamagedError(
            f"{name} contradicts itself on where its values lie in their bits (BitsAllocated, HighBit); export it again"
        )
    if is_shifted(header) and header.transfer_syntax not in _PLAIN:
        raise UnsupportedError(
            f"{name} keeps its values in other than the lowest bits (HighBit) of compressed pixels, which is not read; "
            "export it again uncompressed"
        )
    if header.samples == 1 and not header.photometric:
        raise DimensionError(
            f"{name} does not say how its grey values are shown (PhotometricInterpretation is missing); "
            "export it again with it"
        )


def _name_of(syntax: str) -> str:
    parent, _, number = syntax.rpartition(".")
    if parent == f"{_TREE}.4" and number.isdigit() and int(number) in _NAMES:
        return f"as {_NAMES[int(number)]}"
    # Only numbers are quoted: a damaged field could hold anything.
    return "in an unknown encoding" + (f" (transfer syntax {syntax})" if _UID.fullmatch(syntax) else "")


def is_shifted(header: SliceHeader) -> bool:
    """Whether the highest bit of a value is not where the lowest bits of its word end."""
    return header.high_bit >= header.bits_stored


def read_shifted(header: SliceHeader) -> NDArray[np.int32]:
    """Stored values [frame, row, column] of an uncompressed grey file, out of the bits that its header names.

    Raises:
        Exception: of whatever type pydicom and numpy find for a damaged file.
    """
    with pydicom_config.disable_value_validation():
        source = pydicom.dcmread(header.path, force=True)
    order = "<" if source.is_little_endian else ">"
    shape = (header.frames, header.rows, header.columns)
    words = np.frombuffer(source.PixelData, f"{order}u{header.bits_allocated // 8}", count=int(np.prod(shape)))
    values = (words.reshape(shape) >> (header.high_bit + 1 - header.bits_stored)) & ((1 << header.bits_stored) - 1)
    values = values.astype(np.int32)
    return values - ((values >> (header.bits_stored - 1)) << header.bits_stored) if header.signed else values
