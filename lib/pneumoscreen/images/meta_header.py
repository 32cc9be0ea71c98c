"""Headers of NRRD and MetaImage files: where the voxels lie in the file and in the patient, and what they are.

What other readers fill in silently must be there: they take a missing spacing as 1 mm and a missing NRRD space as
LPS; a report that names sides and volumes cannot.

The voxels are in the file itself. Only .nhdr and .mhd, which are made for it, may name another one: by a plain name,
beside them. Nothing that a server takes from others has these endings.
"""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .faults import DamagedError, DimensionError, GeometryError, UnsupportedError
from .plain_file import open_plain
from .text_header import LONGEST_HEADER, Fields, meta_fields, nrrd_fields

_AGAIN = "copy or export it again"
_DETACHED_SUFFIXES = (".nhdr", ".mhd")
_NRRD_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_META_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_NRRD_FIELDS = {
    "type": "type", "dimension": "dimension", "sizes": "size", "space": "space", "encoding": "encoding",
    "endian": "endian", "kinds": "kinds", "space directions": "directions", "space origin": "origin",
    "space units": "units", "data file": "data file", "datafile": "data file", "byte skip": "byte skip",
    "byteskip": "byte skip", "line skip": "line skip", "lineskip": "line skip",
}  # fmt: skip
_META_FIELDS = {
    "ndims": "dimension", "dimsize": "size", "elementtype": "type", "elementnumberofchannels": "channels",
    "elementspacing": "spacing", "elementsize": "element size", "transformmatrix": "directions",
    "rotation": "directions", "orientation": "directions", "offset": "origin", "position": "origin",
    "origin": "origin", "distanceunits": "units", "binarydata": "binary", "binarydatabyteordermsb": "endian",
    "elementbyteordermsb": "element endian", "compresseddata": "compressed", "headersize": "header size",
    "elementtointensityfunctionslope": "slope", "elementtointensityfunctionoffset": "intercept",
    "elementdatafile": "data file",
}  # fmt: skip
_CODECS: dict[str, "Codec"] = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
# By the signs that turn a space's first two axes to the patient's left and back.
_SPACES = {
    "left-posterior-superior": (1, 1), "lps": (1, 1), "left-anterior-superior": (1, -1), "las": (1, -1),
    "right-anterior-superior": (-1, -1), "ras": (-1, -1),
}  # fmt: skip
_GREY_KINDS = {"domain", "space", "time", "none", "???", "unknown"}
_LENGTH_UNITS = {"mm", "millimeter", "millimetre", "millimeters", "millimetres", "", "?"}
_VECTOR = re.compile(r"\(([^()]*)\)")

Codec = Literal["raw", "gzip", "bzip2", "zlib"]


@dataclass(frozen=True)
class MetaHeader:
    """What a header says, and where its voxels are.

    Attributes:
        size: (x, y, z).
        dtype: of a voxel as stored, with its byte order.
        codec: how the voxels are compressed.
        data: the file that holds them.
        offset: bytes before them.
        data_bytes: bytes that the file holds from there on.
        spacing_mm: of the index axes (i, j, k).
        origin_mm: LPS position of the centre of voxel [0, 0, 0].
        direction: 3x3, columns are the LPS directions of the index axes.
        files: the files that hold header and voxels.
    """

    size: tuple[int, int, int]
    dtype: "np.dtype[np.generic]"
    codec: Codec
    data: Path
    offset: int
    data_bytes: int
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: NDArray[np.float64]
    files: tuple[Path, ...]

    @property
    def needed_bytes(self) -> int:
        """The voxels' bytes before compression."""
        return math.prod(self.size) * self.dtype.itemsize


def read_meta_header(path: Path) -> MetaHeader:
    """Read and check the text header of a .nrrd, .nhdr, .mha or .mhd file.

    Raises:
        ImageError: of the type that names what is wrong with it.
    """
    with open_plain(path) as file:
        start = file.read(LONGEST_HEADER)
    return _nrrd(start, path) if path.suffix.lower() in (".nrrd", ".nhdr") else _meta_image(start, path)


def _nrrd(start: bytes, path: Path) -> MetaHeader:
    fields, length = nrrd_fields(start, path, _NRRD_FIELDS, may_end=path.suffix.lower() == ".nhdr")
    size = fields.three()
    signs = _SPACES.get(fields.text("space", "").lower())
    if signs is None:
        raise GeometryError(
            f"{path} does not say which side is left (its space is none of LPS, RAS and LAS); "
            "export it again with its orientation"
        )
    vectors = np.array(_vectors(fields, path)) * (*signs, 1)
    spacing = _spacing(tuple(math.hypot(*vector) for vector in vectors), path, "space directions")
    _check_unit(re.findall(r'"([^"]*)"', fields.text("units", "")), path)
    if not _GREY_KINDS.issuperset(fields.text("kinds", "domain").lower().split()):
        raise DimensionError(f"{path} holds colours or several values in a voxel; give the CT itself")
    letters = next((key for key, names in _NRRD_TYPES.items() if fields.text("type").lower() in names), None)
    if letters is None:
        raise DimensionError(f"{path} holds no grey values; give the CT itself")
    codec = _CODECS.get(fields.text("encoding").lower())
    if codec is None:
        raise UnsupportedError(f"{path} has an encoding that is not read; export it again as raw or gzip")
    origin = _VECTOR.fullmatch(fields.text("origin", "(0,0,0)"))
    position = np.array(fields.numbers(origin[1] if origin else "", 3, ",")) * np.array((*signs, 1.0))
    order = {"little": "<", "big": ">"}.get(fields.text("endian", "little" if letters[1] == "1" else "").lower())
    skip = fields.whole("byte skip", "0")[0]
    if order is None or fields.whole("line skip", "0") != (0,) or skip < -1 or (skip and codec != "raw"):
        raise UnsupportedError(f"{path} does not say plainly how its voxels are stored; export it again")
    place = _Place(path, length, fields.text("data file") if "data file" in fields else None, skip)
    return _header(place, size, np.dtype(order + letters), codec, spacing, position, (vectors.T / spacing))


def _vectors(fields: Fields, path: Path) -> list[tuple[float, ...]]:
    """The three space directions, in the header's space."""
    text = fields.text("directions", "")
    found = _VECTOR.findall(text)
    if len(found) != 3 or _VECTOR.sub("", text).strip():
        raise GeometryError(f"{path} has no voxel spacing (space directions); export it again with its spacing")
    return [fields.numbers(vector, 3, ",") for vector in found]


def _meta_image(start: bytes, path: Path) -> MetaHeader:
    fields, length = meta_fields(start, path, _META_FIELDS)
    size = fields.three()
    if fields.whole("channels", "1") != (1,):
        raise DimensionError(f"{path} holds colours or several values in a voxel; give the CT itself")
    words = fields.text("spacing", fields.text("element size", ""))
    if len(words.split()) != 3:
        raise GeometryError(f"{path} has no voxel spacing (ElementSpacing); export it again with its spacing")
    spacing = _spacing(fields.numbers(words, 3), path, "ElementSpacing")
    _check_unit([fields.text("units", "")], path)
    if "directions" not in fields:
        raise GeometryError(
            f"{path} does not say which side is left (no TransformMatrix); export it again with its orientation"
        )
    # A row of the matrix is the direction of an axis.
    direction = np.array(fields.numbers(fields.text("directions"), 9)).reshape(3, 3).T
    letters = _META_TYPES.get(fields.text("type").upper())
    if letters is None:
        raise DimensionError(f"{path} holds no grey values; give the CT itself")
    if _numbers_or(fields, "slope", 1.0) != 1.0 or _numbers_or(fields, "intercept", 0.0) != 0.0:
        raise UnsupportedError(f"{path} scales its values in its header; export it again with Hounsfield units")
    if not _is_true(fields, "binary", "true"):
        raise UnsupportedError(f"{path} holds its voxels as text; export it again as binary data")
    order = ">" if _is_true(fields, "endian", fields.text("element endian", "false")) else "<"
    codec: Codec = "zlib" if _is_true(fields, "compressed", "false") else "raw"
    name = fields.text("data file")
    is_local, skip = name.upper() == "LOCAL", fields.whole("header size", "0")[0]
    if skip < -1 or (skip and codec != "raw") or (skip > 0 and is_local):
        raise UnsupportedError(f"{path} does not say plainly how its voxels are stored; export it again")
    place = _Place(path, length, None if is_local else name, skip)
    position = np.array(fields.numbers(fields.text("origin", "0 0 0"), 3))
    return _header(place, size, np.dtype(order + letters), codec, spacing, position, direction)


def _numbers_or(fields: Fields, name: str, default: float) -> float:
    return fields.numbers(fields.text(name), 1)[0] if name in fields else default


def _is_true(fields: Fields, name: str, default: str) -> bool:
    return fields.text(name, default).lower() in ("true", "1", "t")


def _spacing(numbers: tuple[float, ...], path: Path, field: str) -> tuple[float, float, float]:
    if not all(number > 0 for number in numbers):
        raise GeometryError(f"{path} has no voxel spacing ({field}); export it again with its spacing")
    return numbers[0], numbers[1], numbers[2]


def _check_unit(units: list[str], path: Path) -> None:
    if any(unit.strip().lower() not in _LENGTH_UNITS for unit in units):
        raise GeometryError(f"{path} gives its spacing in another unit than mm; export it again in mm")


@dataclass(frozen=True)
class _Place:
    """Where voxels are: after ``length`` bytes of the file itself, or in the file that it names.

    ``skip`` more bytes lie before them; -1: they are the last bytes of the file.
    """

    path: Path
    length: int
    name: str | None
    skip: int


def _header(
    place: _Place,
    size: tuple[int, int, int],
    dtype: "np.dtype[np.generic]",
    codec: Codec,
    spacing: tuple[float, float, float],
    origin: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> MetaHeader:
    data = place.path if place.name is None else _beside(place.path, place.name)
    before = place.length if place.name is None else 0
    there = data.stat().st_size - before
    needed = math.prod(size) * dtype.itemsize
    offset = before + (max(there - needed, 0) if place.skip == -1 else place.skip)
    x, y, z = (float(number) for number in origin)
    return MetaHeader(
        size=size,
        dtype=dtype,
        codec=codec,
        data=data,
        offset=offset,
        data_bytes=max(there - (offset - before), 0),
        spacing_mm=spacing,
        origin_mm=(x, y, z),
        direction=direction,
        files=(place.path,) if place.name is None else (place.path, data),
    )


def _beside(path: Path, name: str) -> Path:
    """The data file of a detached header, which must lie in the same folder: a header may not point elsewhere."""
    if path.suffix.lower() not in _DETACHED_SUFFIXES:
        raise UnsupportedError(f"{path} keeps its voxels in another file; export it again as one file")
    if re.search(r"[/\\]", name):
        raise UnsupportedError(f"{path} points to data outside its folder; put both files into one folder")
    if not name.isprintable() or name in ("", ".", ".."):
        raise DamagedError(f"{path} has a damaged header; {_AGAIN}")
    if "%" in name or name.upper().startswith("LIST") or name.startswith("-"):
        raise UnsupportedError(f"{path} points to several data files; export it again as one file")
    file = path.parent / name
    if not file.is_file():
        raise DamagedError(f"{path} names a data file that is not beside it; copy both files")
    # A folder of links keeps header and data beside each other on both sides.
    homes = {os.path.realpath(path.parent), os.path.dirname(os.path.realpath(path))}
    if os.path.dirname(os.path.realpath(file)) not in homes:
        raise UnsupportedError(f"{path} points to data outside its folder; put both files into one folder")
    return file
