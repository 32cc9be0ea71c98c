"""Text headers of NRRD and MetaImage files: what ITK would fill in silently must be there.

ITK takes a missing spacing as 1 mm and a missing NRRD space as LPS; a report that names sides and
volumes cannot.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from .faults import DamagedError, DimensionError, GeometryError, UnsupportedError

_MAX_HEADER = 1 << 16
_AGAIN = "copy or export it again"
_NRRD_BYTES = {
    1: ("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"),
    2: ("short", "short int", "signed short", "signed short int", "int16", "int16_t",
        "ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    4: ("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t", "float"),
    8: ("longlong", "long long", "int64", "int64_t", "ulonglong", "unsigned long long", "uint64", "uint64_t", "double"),
}  # fmt: skip
_META_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_LONG": 4, "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip


@dataclass(frozen=True)
class MetaHeader:
    """What a header claims and what is there.

    Attributes:
        size: (x, y, z).
        needed_bytes: the voxels' bytes before compression.
        data_bytes: bytes that the files hold after the header.
        compressed: whether the voxels are compressed.
        files: the files that hold header and voxels.
    """

    size: tuple[int, ...]
    needed_bytes: int
    data_bytes: int
    compressed: bool
    files: tuple[Path, ...]


def read_meta_header(path: Path) -> MetaHeader:
    """Read and check the text header of a .nrrd, .nhdr, .mha or .mhd file.

    Raises:
        ImageError: of the type that names what is wrong with it.
    """
    with path.open("rb") as file:
        start = file.read(_MAX_HEADER)
    try:
        return _nrrd(start, path) if path.suffix.lower() in (".nrrd", ".nhdr") else _meta_image(start, path)
    except (ValueError, KeyError):
        raise DamagedError(f"{path} has a damaged header; {_AGAIN}") from None


def _fields(lines: list[str], separator: str) -> dict[str, str]:
    pairs = (line.split(separator, 1) for line in lines if separator in line and not line.startswith("#"))
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _nrrd(start: bytes, path: Path) -> MetaHeader:
    if not start.startswith(b"NRRD000"):
        raise DamagedError(f"{path} is no NRRD file whatever its suffix says; {_AGAIN}")
    head = re.split(rb"(?<=\n)\r?\n", start, maxsplit=1)[0]
    fields = _fields(head.decode("latin-1").splitlines(), ":")
    size = tuple(int(n) for n in fields["sizes"].split())
    if len(size) != 3 or int(fields["dimension"]) != 3:
        raise DimensionError(f"{path} has {len(size)} axes; give one grey volume with three")
    if "space" not in fields:
        raise GeometryError(f"{path} does not say which side is left (no space); export it again with its orientation")
    vectors = re.findall(r"\(([^)]*)\)", fields.get("space directions", ""))
    numbers = [[float(n) for n in vector.split(",")] for vector in vectors]
    if len(numbers) != 3 or not all(0 < math.hypot(*vector) < math.inf for vector in numbers):
        raise GeometryError(f"{path} has no voxel spacing (space directions); export it again with its spacing")
    units = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    if any(unit.strip().lower() not in ("mm", "millimeter", "millimetre", "") for unit in units):
        raise GeometryError(f"{path} gives its spacing in another unit than mm; export it again in mm")
    kind = fields["type"].lower()
    width = next((n for n, names in _NRRD_BYTES.items() if kind in names), None)
    if width is None:
        raise DimensionError(f"{path} holds no grey values; give the CT itself")
    encoding = fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz", "bzip2", "bz2"):
        raise UnsupportedError(f"{path} has an encoding that is not read; export it again as raw or gzip")
    data = fields.get("data file", fields.get("datafile"))
    return _header(path, size, width, encoding != "raw", data, len(head))


def _meta_image(start: bytes, path: Path) -> MetaHeader:
    head = re.match(rb"(?s)(.*?\bElementDataFile\s*=[^\r\n]*)", start)
    if head is None or not re.search(rb"(?m)^\s*NDims\s*=", head[1]):
        raise DamagedError(f"{path} is no MetaImage file whatever its suffix says; {_AGAIN}")
    fields = _fields(head[1].decode("latin-1").splitlines(), "=")
    size = tuple(int(n) for n in fields["dimsize"].split())
    if len(size) != 3 or int(fields["ndims"]) != 3:
        raise DimensionError(f"{path} has {len(size)} axes; give one grey volume with three")
    if int(fields.get("elementnumberofchannels", "1")) != 1:
        raise DimensionError(f"{path} holds colours or several values in a voxel; give the CT itself")
    spacing = [float(n) for n in fields.get("elementspacing", fields.get("elementsize", "")).split()]
    if len(spacing) != 3 or not all(0 < n < math.inf for n in spacing):
        raise GeometryError(f"{path} has no voxel spacing (ElementSpacing); export it again with its spacing")
    width = _META_BYTES.get(fields["elementtype"].upper())
    if width is None:
        raise DimensionError(f"{path} holds no grey values; give the CT itself")
    data = fields["elementdatafile"]
    compressed = fields.get("compresseddata", "false").lower() in ("true", "1")
    return _header(path, size, width, compressed, None if data.upper() == "LOCAL" else data, len(head[1]))


def _header(path: Path, size: tuple[int, ...], width: int, compressed: bool, data: str | None, head: int) -> MetaHeader:
    files = (path,) if data is None else (path, _beside(path, data))
    there = path.stat().st_size - head if data is None else files[-1].stat().st_size
    return MetaHeader(size, math.prod(size) * width, there, compressed, files)


def _beside(path: Path, data: str) -> Path:
    """The data file of a detached header, which must lie in the same folder: a header may not point elsewhere."""
    file = path.parent / data
    if re.search(r"[/\\%\s]", data) and not file.is_file():
        raise UnsupportedError(f"{path} points to several or distant data files; export it again as one file")
    if file.parent.resolve() != path.parent.resolve():
        raise UnsupportedError(f"{path} points to data outside its folder; put both files into one folder")
    if not file.is_file():
        raise DamagedError(f"{path} names a data file that is not beside it; copy both files")
    return file
