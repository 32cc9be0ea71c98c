"""The table of a site's own scans: a CSV with a row a scan, its class and the state of each lung.

Columns ``path`` (relative to the table's folder), ``class``, ``left`` and ``right`` (states of the patient's lungs),
and ``patient`` where scans share one; X-rays may have a ``group``, their source, and ``score_left`` and
``score_right``, a reader's severity of each lung, and ``opacity``, a picture that is black but where a reader drew an
opacity. Further columns are ignored, except by a condition that names them.
An empty state says that it is not known.
"""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..case import SIDES
from ..errors import PneumoScreenError
from ..images.case_ids import VOLUME_SUFFIXES, unique_id
from ..images.inputs import Input, Refused, find_inputs
from ..verdict import Classes

COLUMNS = ("path", "class", "left", "right")
PATIENT, GROUP, OPACITY = "patient", "group", "opacity"
SCORE = "score_"
MOST_A_LUNG = 9.0
"""Of the Brixia score: three zones of 0 to 3."""
INFECTED, CLEAR, OTHER, ABSENT = STATES = ("infected", "clear", "other", "absent")
OTHER_PNEUMONIA = "cap"
"""Pneumonia of another type than the classifier knows (community-acquired)."""

RESERVED_NAMES = ("evaluation", "index")
"""Names of the page's own files in the output folder."""

CLEARLY_LARGER = 2.0
"""Ours: of several files in a row's folder the largest is the scan if it is so many times as large as the next;
masks and reduced copies beside a scan are smaller than that."""


class TableError(PneumoScreenError):
    """A table of scans that cannot be used; the message names table, row and column."""


@dataclass(frozen=True)
class Condition:
    """``column=value``: which rows count."""

    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}={self.value}"


@dataclass(frozen=True)
class SiteCase:
    """A row of the table.

    Attributes:
        row: its line in the table, from 1 with the names of the columns.
        path: as the table writes it.
        file: where the scan lies.
        patient: whose scan it is; intervals draw patients.
        label: the class, in small letters.
        lungs: state of each lung by the patient's side; a side whose state is not known is left out.
        counted: whether the row meets the conditions; the others are screened and shown, but enter no figure.
        group: X-rays of one source, which are judged together; empty where the table has no such column.
        scores: a reader's severity of each lung, from 0 to ``MOST_A_LUNG``; a side without one is left out.
        opacity: a picture of the same size that is black but where a reader drew an opacity; None without one.
    """

    row: int
    path: str
    file: Path
    patient: str
    label: str
    lungs: Mapping[str, str]
    counted: bool = True
    group: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    opacity: Path | None = None


def pneumonias(classes: Classes) -> tuple[str, ...]:
    """The classes of a table that are pneumonia; every other class is none."""
    return tuple(dict.fromkeys((*classes.infections, OTHER_PNEUMONIA)))


def parse_conditions(texts: Sequence[str]) -> list[Condition]:
    """The conditions of ``column=value`` texts.

    Raises:
        TableError: if one has no column or no ``=``.
    """
    found = []
    for text in texts:
        column, sign, value = (part.strip() for part in text.partition("="))
        if not column or not sign:
            raise TableError(f"--where {text!r} is not COLUMN=VALUE; write it as in --where use=measure")
        found.append(Condition(column.lower(), value))
    return found


def read_table(table: Path, conditions: Sequence[Condition] = ()) -> list[SiteCase]:
    """The rows of a table.

    Conditions on different columns must all hold; several values of one column are alternatives.

    Args:
        table: a CSV in UTF-8, separated by commas, semicolons or tabs.
        conditions: which rows count; without any, all do.

    Raises:
        TableError: if the table cannot be read or used, or no row counts; the message names row and column.
    """
    names, rows = _rows(table)
    for condition in conditions:
        if condition.column not in names:
            raise TableError(
                f"{table} has no column {condition.column} for --where {condition}; its columns are {', '.join(names)}"
            )
    cases = [_case(table, row, values, conditions) for row, values in rows]
    if not cases:
        raise TableError(f"{table} has no rows below the names of its columns; add a row a scan")
    _refuse_duplicates(table, cases)
    if not any(case.counted for case in cases):
        asked = " ".join(f"--where {condition}" for condition in conditions)
        column = conditions[0].column
        there = ", ".join(sorted({values[column] or "(empty)" for _, values in rows}))
        raise TableError(f"{table}: no row meets {asked}; column {column} holds {there}")
    return cases


def check_classes(table: Path, cases: Sequence[SiteCase], known: Sequence[str]) -> None:
    """See that no row contradicts itself: a misspelt class would count as no pneumonia without a word.

    Args:
        table: for the message.
        cases: its rows.
        known: the classes of pneumonia.

    Raises:
        TableError: if a lung is infected in a row whose class is no pneumonia.
    """
    for case in cases:
        side = next((side for side in SIDES if case.lungs.get(side) == INFECTED), None)
        if side is not None and case.label not in known:
            raise TableError(
                f"{table} row {case.row}: column {side} says infected, but column class says {case.label!r}, which is "
                f"no pneumonia; the classes of pneumonia are {', '.join(known)}"
            )


def find_scans(table: Path, cases: Sequence[SiteCase]) -> list[Input | Refused]:
    """The scan of each row, named so that no two files in the output folder share a name.

    Raises:
        TableError: if a path holds several scans or an X-ray.
    """
    taken = dict.fromkeys(RESERVED_NAMES, 1)
    found: list[Input | Refused] = []
    for case in cases:
        scan = _scan(table, case)
        if isinstance(scan, Input):
            scan = replace(scan, case_id=unique_id(scan.case_id, taken))
        found.append(scan)
    return found


def _scan(table: Path, case: SiteCase) -> Input | Refused:
    found = find_inputs([case.file])
    inputs = [item for item in found if isinstance(item, Input)]
    scans = [item for item in inputs if item.modality == "CT"]
    if inputs and not scans:
        raise TableError(f"{table} row {case.row}: column path names {case.path!r}, a chest X-ray; name a chest CT")
    if not scans:
        return next(item for item in found if isinstance(item, Refused))
    if len(scans) == 1:
        return scans[0]
    sized = sorted(((_size(item), item.case_id, item) for item in scans), key=lambda entry: entry[:2])
    (second, _, _), (largest, _, scan) = sized[-2:]
    if largest < CLEARLY_LARGER * second or any(item.headers for item in scans):
        raise TableError(
            f"{table} row {case.row}: column path names {case.path!r}, which holds {len(scans)} scans; name one of "
            "them, or give each series its own folder"
        )
    return scan


def _size(item: Input) -> int:
    return item.path.stat().st_size if item.path.name.lower().endswith(VOLUME_SUFFIXES) else 0


def _rows(table: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Names of the columns in small letters, and each row's line and values without spaces around them."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise TableError(f"{table} is no CSV in UTF-8; save it as such") from None
    except OSError as error:
        raise TableError(f"{table} cannot be read ({error.strerror or error}); check the path") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    try:
        lines = [(line, values) for line, values in _lines(reader) if any(values)]
    except csv.Error as error:
        raise TableError(f"{table} row {reader.line_num} is no CSV ({error}); save the table again") from None
    if not lines:
        raise TableError(f"{table} is empty; give it the columns {', '.join(COLUMNS)} and a row a scan")
    names = [name.lower() for name in lines[0][1]]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise TableError(
            f"{table} row {lines[0][0]} has no column {missing[0]}; the first row must name the columns "
            f"{', '.join(COLUMNS)}"
        )
    twice = next((name for name in names if name in (*COLUMNS, PATIENT) and names.count(name) > 1), None)
    if twice is not None:
        raise TableError(f"{table} row {lines[0][0]} names column {twice} twice; keep one of the two")
    blank = [""] * len(names)
    rows = [(line, dict(zip(names, [*values, *blank][: len(names)], strict=True))) for line, values in lines[1:]]
    return names, rows


def _lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    for values in reader:
        yield reader.line_num, [value.strip() for value in values]


def _case(table: Path, row: int, values: Mapping[str, str], conditions: Sequence[Condition]) -> SiteCase:
    for column in ("path", "class"):
        if not values[column]:
            raise TableError(f"{table} row {row}: column {column} is empty; fill it in")
    path = values["path"]
    file = _file(table, row, "path", path)
    lungs = {}
    for side in SIDES:
        state = values[side].lower()
        if state and state not in STATES:
            raise TableError(
                f"{table} row {row}: column {side} says {values[side]!r}, which is not one of {', '.join(STATES)}; "
                "leave it empty where the state is not known"
            )
        if state:
            lungs[side] = state
    return SiteCase(
        row=row,
        path=path,
        file=file,
        patient=values.get(PATIENT) or path,
        label=values["class"].lower(),
        lungs=lungs,
        counted=_meets(values, conditions),
        group=values.get(GROUP, ""),
        scores={side: _score(table, row, values, side) for side in SIDES if values.get(SCORE + side)},
        opacity=_file(table, row, OPACITY, values[OPACITY]) if values.get(OPACITY) else None,
    )


def _file(table: Path, row: int, column: str, path: str) -> Path:
    file = table.parent / path
    if not _exists(file):
        raise TableError(
            f"{table} row {row}: column {column} names {path!r}, which does not exist; "
            "paths begin in the table's folder"
        )
    return file


def _score(table: Path, row: int, values: Mapping[str, str], side: str) -> float:
    column = SCORE + side
    try:
        found = float(values[column])
    except ValueError:
        found = float("nan")
    if not 0.0 <= found <= MOST_A_LUNG:
        raise TableError(
            f"{table} row {row}: column {column} says {values[column]!r}, which is no number from 0 to "
            f"{MOST_A_LUNG:g}; leave it empty where no reader scored the lung"
        )
    return found


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):
        return False  # no name that a file can have


def _meets(values: Mapping[str, str], conditions: Sequence[Condition]) -> bool:
    wanted: dict[str, set[str]] = {}
    for condition in conditions:
        wanted.setdefault(condition.column, set()).add(condition.value.casefold())
    return all(values[column].casefold() in allowed for column, allowed in wanted.items())


def _refuse_duplicates(table: Path, cases: Sequence[SiteCase]) -> None:
    seen: dict[str, int] = {}
    for case in cases:
        # `a` and `b/../a` are one scan.
        first = seen.setdefault(os.path.realpath(case.file), case.row)
        if first != case.row:
            raise TableError(
                f"{table} row {case.row}: column path names {case.path!r}, which row {first} names already; keep one"
            )
