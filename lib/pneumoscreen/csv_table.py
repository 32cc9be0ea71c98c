"""Tables that people write and read: CSV as spreadsheets save and open it."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import PneumoScreenError

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def read_rows(path: Path, columns: Sequence[str], *, optional: bool = False) -> list[tuple[int, list[str]]]:
    """The values of the named columns, without spaces about them, of each row, with the number of its line.

    Args:
        path: CSV in UTF-8, with commas or semicolons.
        columns: in small letters; the first line names them in any order, beside others.
        optional: a file that is not there has no rows.

    Raises:
        PneumoScreenError: if the file cannot be read, is no CSV or lacks a column.
    """
    try:
        # Spreadsheets write a byte order mark and, in some countries, semicolons.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        if optional and isinstance(error, FileNotFoundError):
            return []
        raise PneumoScreenError(f"{path} cannot be read ({error}); save it as CSV in UTF-8") from None
    rows = csv.DictReader(lines, delimiter=";" if lines and ";" in lines[0] else ",", skipinitialspace=True)
    try:
        rows.fieldnames = names = [name.strip().lower() for name in rows.fieldnames or ()]
        table = [(rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise PneumoScreenError(f"{path} is no CSV after line {rows.line_num} ({error}); save it again") from None
    if not set(columns) <= set(names):
        listed = (" and " if len(columns) == 2 else ", ").join(columns)
        raise PneumoScreenError(f"{path} needs the columns {listed} in its first line; add them")
    return [(line, [(row[column] or "").strip() for column in columns]) for line, row in table]


def harmless(value: object) -> object:
    """A value for a cell: a spreadsheet takes what begins as a formula does for one; an apostrophe stops that."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


@contextmanager
def writing_rows(
    path: Path, columns: Sequence[str], *, mark: bool = False
) -> Iterator[Callable[[Sequence[object]], None]]:
    """Give what writes rows into a table: CSV in UTF-8 with commas; texts are made ``harmless``.

    Args:
        path: the file; an old one is written over.
        columns: the first line; each row has its values in their order.
        mark: whether a byte order mark comes first, without which some spreadsheets take the text for another code.
    """
    with path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        yield lambda row: writer.writerow([harmless(value) for value in row])
