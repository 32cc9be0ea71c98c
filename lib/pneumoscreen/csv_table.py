"""Small tables that people write: CSV as spreadsheets save it."""

import csv
from collections.abc import Sequence
from pathlib import Path

from .errors import PneumoScreenError


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
