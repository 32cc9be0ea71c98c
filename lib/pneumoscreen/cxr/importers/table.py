"""A table of chest X-rays: a CSV beside the pictures, a row each.

Columns ``path`` (relative to the table), ``patient`` and ``diagnosis``; where known ``left_lung_box`` and
``right_lung_box`` (``x y w h`` in pixels), ``location``, ``opacity_left``/``_right`` (shares of the lung),
``brixia_left``/``_right`` (scores) and ``mask`` (path of a picture whose bits are 1 left lung, 2 right lung). Left and
right are the patient's. Further columns are passed over, but ``source`` is told in the document.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...case import CXR_LOCATIONS, SIDES, Vector
from ...importers.found import Layout, MarksError, SourceError, read_text

NAME = "radiograph-table"
COLUMNS = ("path", "patient", "diagnosis")
MASK_BITS = {"left": 1, "right": 2}
OPACIFIED = 0.01
"""Ours: share of a lung from which it counts as infected; below it a mask's edge is enough."""


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        table: the file.
        line: of the row in it, from 1.
        values: by column, without spaces around them; empty where nothing is said.
    """

    table: Path
    line: int
    values: Mapping[str, str]

    def get(self, column: str) -> str:
        """What a column says; empty where it says nothing or is not there."""
        return self.values.get(column, "")

    @property
    def picture(self) -> Path:
        """The picture's file."""
        return self.table.parent / self.get("path")

    def boxes(self, shape: tuple[int, ...]) -> dict[str, Vector]:
        """The lung boxes by the patient's side, of their columns or else of the mask; empty where neither is given.

        Args:
            shape: of the picture, rows and columns.

        Raises:
            MarksError: if they cannot be the boxes of two lungs.
        """
        given = {side: self.get(f"{side}_lung_box") for side in SIDES}
        if all(given.values()):
            found = {side: self._box(side, text) for side, text in given.items()}
        elif self.get("mask"):
            bits = read_bits(self.table.parent / self.get("mask"))
            if bits.shape != shape:
                raise MarksError(
                    f"its mask has {bits.shape[1]} x {bits.shape[0]} pixels and the picture {shape[1]} x {shape[0]}; "
                    "export it on the picture"
                )
            found = boxes_of_mask(bits)
        else:
            return {}
        if found and not _center(found["left"]) > _center(found["right"]):
            raise MarksError(
                "its left lung lies to the left in the picture, where a reader sees the right one; exchange the two "
                "boxes, or mirror the picture"
            )
        return found

    def sides(self) -> dict[str, bool] | None:
        """Whether each lung is infected: of the location, else of opacities, else of Brixia scores; None: not known.

        Raises:
            MarksError: if a value is none.
        """
        location = self.get("location")
        if location:
            if location not in CXR_LOCATIONS:
                raise MarksError(f"location {location!r} is not one of {', '.join(CXR_LOCATIONS)}; correct it")
            return {side: location in (side, "bipulmonary") for side in SIDES}
        for column, least in (("opacity", OPACIFIED), ("brixia", 0.0)):
            names = {side: f"{column}_{side}" for side in SIDES}
            if all(self.get(name) for name in names.values()):
                return {side: self._number(name) > least for side, name in names.items()}
        return None

    def _box(self, side: str, text: str) -> Vector:
        parts = text.replace(",", " ").split()
        try:
            box = tuple(float(part) for part in parts)
        except ValueError:
            box = ()
        if len(box) != 4 or not all(map(math.isfinite, box)) or min(box[2:]) <= 0:
            raise MarksError(f"{side}_lung_box {text!r} is not x y w h in pixels; correct it")
        return box

    def _number(self, column: str) -> float:
        try:
            value = float(self.get(column))
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0:
            raise MarksError(f"{column} {self.get(column)!r} is not a number from 0; correct it")
        return value


def find_table(source: Path, annotations: Path) -> Path | None:
    """The table of a source, or of the folder of its annotations; None where there is none."""
    for folder in dict.fromkeys((source, annotations)):
        for path in sorted(folder.glob("*.csv")):
            if set(COLUMNS) <= set(_header(path)):
                return path
    return None


def read_rows(table: Path) -> Iterator[Row]:
    """The rows of a table.

    Raises:
        SourceError: if it cannot be read or lacks a column.
    """
    lines = read_text(table).removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").splitlines()
    rows = csv.reader(lines, delimiter=_delimiter(lines), skipinitialspace=True)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        if not set(COLUMNS) <= set(names):
            raise SourceError(f"{table} needs the columns {', '.join(COLUMNS)} in its first line; add them")
        for values in rows:
            if any(value.strip() for value in values):
                yield Row(table, rows.line_num, dict(zip(names, (value.strip() for value in values), strict=False)))
    except csv.Error as error:
        raise SourceError(f"{table} is no CSV after line {rows.line_num} ({error}); export it again") from None


def read_bits(path: Path) -> NDArray[np.uint8]:
    """A mask of bits, uint8 [y, x].

    Raises:
        MarksError: if it cannot be read.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L") if picture.mode not in ("L", "P") else picture, dtype=np.uint8)
    except (OSError, ValueError) as error:
        raise MarksError(f"its mask {path} cannot be read ({error}); export it again as PNG") from None


def boxes_of_mask(bits: NDArray[np.uint8]) -> dict[str, Vector]:
    """The smallest box x, y, w, h around each lung of a mask; empty where it lacks one."""
    found: dict[str, Vector] = {}
    for side, bit in MASK_BITS.items():
        rows, columns = np.nonzero(bits & bit)
        if not rows.size:
            return {}
        x, y = int(columns.min()), int(rows.min())
        found[side] = (float(x), float(y), float(columns.max() + 1 - x), float(rows.max() + 1 - y))
    return found


def _center(box: Vector) -> float:
    return box[0] + box[2] / 2


def _delimiter(lines: list[str]) -> str:
    return ";" if lines and ";" in lines[0] else ","


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline(10_000)
    except (OSError, UnicodeDecodeError):
        return []
    return [name.strip().lower() for name in line.split(_delimiter([line]))]


def _holds(source: Path, annotations: Path) -> bool:
    return find_table(source, annotations) is not None


def _no_scans(source: Path, annotations: Path) -> list[object]:
    """X-rays are no volumes: ``radiograph_import`` brings them in."""
    raise SourceError(f"{source} is a table of X-rays, which holds no scans")


LAYOUT = Layout(
    name=NAME,
    shape="a CSV with the columns path, patient and diagnosis beside chest X-rays",
    origin="a table of chest X-rays.",
    holds=_holds,
    find=_no_scans,  # type: ignore[arg-type]
)
