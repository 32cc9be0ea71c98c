"""Tables as people write them, and what is wrong with others."""

from pathlib import Path

import pytest

from pneumoscreen.csv_table import harmless, read_rows, writing_rows
from pneumoscreen.errors import PneumoScreenError

COLUMNS = ("case", "patient")


def written(folder: Path, content: bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


def test_columns_come_in_the_order_asked_for_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffPatient; Case ;note\n p1; a ;x\n;b;\n".encode())
    assert read_rows(path, COLUMNS) == [(2, ["a", "p1"]), (3, ["b", ""])]


def test_a_file_that_is_not_there_has_no_rows_only_where_it_may_be_missing(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none.csv", COLUMNS, optional=True) == []
    with pytest.raises(PneumoScreenError, match="cannot be read"):
        read_rows(tmp_path / "none.csv", COLUMNS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"case\na\n", "needs the columns case and patient in its first line"),
        (b"", "needs the columns case and patient"),
        (b"case,patient\n\xff,1\n", "cannot be read"),
        (b"case,patient\na," + b"x" * 200_000 + b"\n", "is no CSV after line"),
    ],
)
def test_what_is_no_table_is_a_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(PneumoScreenError, match=said):
        read_rows(written(tmp_path, content), COLUMNS, optional=True)


def test_no_cell_is_a_formula_and_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with writing_rows(path, COLUMNS, mark=True) as write:
        write(["=1+1", 'ü, "x"'])
        write([-1.5, None])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert read_rows(path, COLUMNS) == [(2, ["'=1+1", 'ü, "x"']), (3, ["-1.5", ""])]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_begins_as_a_formula_does_is_harmless(sign: str) -> None:
    assert harmless(f"{sign}cmd|x") == f"'{sign}cmd|x"
    assert harmless(f"a{sign}b") == f"a{sign}b"
