"""The lines of a text header, by the rules of NRRD and of MetaImage: parsed once, here, and by nobody else.

Whoever checks a header with one parser and reads the image with another can be shown two different headers. So a
line ends at a line feed and nowhere else, whatever else looks like an end; a field that stands there twice is
refused; and what this module found is all that the reading knows.
"""

import math
import re
from pathlib import Path

from .content_kind import META_IMAGE, NRRD, not_readable
from .faults import DamagedError, DimensionError, GeometryError

LONGEST_HEADER = 1 << 20
"""Bytes; headers of segmentations hold hundreds of lines, none of the formats' writers comes near this."""
_MOST_MM = 1e6
_AGAIN = "copy or export it again"
_WHOLE = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Fields:
    """The fields of one header.

    Args:
        path: of the file, for the sentence that refuses it.
        synonyms: name of each known field by each of its spellings; other fields are passed over.
    """

    def __init__(self, path: Path, synonyms: dict[str, str]) -> None:
        self._path = path
        self._synonyms = synonyms
        self._values: dict[str, str] = {}

    def add(self, name: bytes, value: bytes) -> None:
        """Keep a field.

        Raises:
            DamagedError: if it stands there twice, or holds what no header holds.
        """
        known = self._synonyms.get(name.strip().decode("latin-1").lower())
        if known is None:
            return
        text = value.strip(b" \t\r").decode("latin-1")
        if known in self._values or not text.isprintable():
            raise DamagedError(f"{self._path} has a header with a doubled or unreadable field; {_AGAIN}")
        self._values[known] = text

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        """A field.

        Raises:
            DamagedError: if it is missing and there is no default.
        """
        found = self._values.get(name, default)
        if found is None:
            raise DamagedError(f"{self._path} has a damaged header; {_AGAIN}")
        return found

    def whole(self, name: str, default: str | None = None) -> tuple[int, ...]:
        """A field of whole numbers.

        Raises:
            DamagedError: if it is none.
        """
        words = self.text(name, default).split()
        if not words or not all(_WHOLE.fullmatch(word) for word in words):
            raise DamagedError(f"{self._path} has a damaged header; {_AGAIN}")
        return tuple(int(word) for word in words)

    def three(self) -> tuple[int, int, int]:
        """The field "size" of a volume.

        Raises:
            DimensionError: if "dimension" and it do not name three axes.
        """
        size = self.whole("size")
        if len(size) != 3 or self.whole("dimension") != (3,):
            raise DimensionError(f"{self._path} has {len(size)} axes; give one grey volume with three")
        return size[0], size[1], size[2]

    def numbers(self, text: str, count: int, separator: str | None = None) -> tuple[float, ...]:
        """Numbers in mm or without a unit.

        Raises:
            GeometryError: if they are not ``count`` of a size that a position in mm can have.
        """
        words = [word.strip() for word in text.split(separator)]
        numbers = tuple(float(word) if _NUMBER.fullmatch(word) else math.nan for word in words)
        if len(numbers) != count or not all(abs(number) <= _MOST_MM for number in numbers):
            raise GeometryError(f"{self._path} gives a position, direction or spacing that is none; {_AGAIN}")
        return numbers


def nrrd_fields(start: bytes, path: Path, synonyms: dict[str, str], may_end: bool) -> tuple[Fields, int]:
    """Fields of an NRRD header, and the bytes that it takes with the empty line at its end.

    Args:
        start: the file's beginning.
        path: of the file.
        synonyms: see ``Fields``.
        may_end: the header may also end with the file.

    Raises:
        DamagedError: if it is none.
    """
    if not re.match(rb"NRRD000\d\r?\n", start):
        raise not_readable(path, (NRRD,), f"is no NRRD file whatever its suffix says; {_AGAIN}")
    fields, position = Fields(path, synonyms), 0
    while True:
        line, position, is_whole = _line(start, position)
        if (is_whole and not line) or (may_end and not is_whole):
            break
        if not is_whole:
            raise DamagedError(f"{path} has a damaged header or one without an end; {_AGAIN}")
        name, colon, value = line.partition(b":")
        # A key of the writer's own has ":=" after it, a comment "#" before it.
        if colon and not value.startswith(b"=") and not line.startswith(b"#"):
            fields.add(name, value)
    return fields, position


def meta_fields(start: bytes, path: Path, synonyms: dict[str, str]) -> tuple[Fields, int]:
    """Fields of a MetaImage header, and the bytes that it takes: "ElementDataFile" is its last line.

    Raises:
        DamagedError: if it is none.
    """
    fields, position = Fields(path, synonyms), 0
    while "data file" not in fields:
        line, position, is_whole = _line(start, position)
        name, equals, value = line.partition(b"=")
        if equals:
            fields.add(name, value)
        if not is_whole:
            break
    if "data file" not in fields or "dimension" not in fields:
        raise not_readable(path, (META_IMAGE,), f"is no MetaImage file whatever its suffix says; {_AGAIN}")
    return fields, position


def _line(start: bytes, position: int) -> tuple[bytes, int, bool]:
    """The line at a position without its end, where the next one begins, and whether it has an end."""
    end = start.find(b"\n", position)
    if end < 0:
        return start[position:], len(start), False
    return start[position:end].removesuffix(b"\r"), end + 1, True
