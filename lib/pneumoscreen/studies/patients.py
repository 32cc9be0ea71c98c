"""Whose scan a case is: what the split into training, validation and test goes by.

In this order: the patient's number in a DICOM series, which is hashed where the header is read; ``patients.csv`` in the
studies folder (columns ``case`` and ``patient``), hashed in the same way, so that a patient whose scans are partly
DICOM and partly not stays one; the case's name without a trailing visit such as ``_day5``.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import PneumoScreenError
from ..images.dicom_header import patient_key
from ..images.inputs import Input

PATIENTS_FILE = "patients.csv"
_COLUMNS = ("case", "patient")
_VISIT = re.compile(r"[_-](day|d|t)\d+$", re.IGNORECASE)


def patient_of(scan: Input, listed: Mapping[str, str]) -> str:
    """A name of the patient that tells nothing but who is the same: never a number or name from a header or list.

    Args:
        scan: the case.
        listed: keys of patients by case, as ``read_patients`` gives them.
    """
    found = next((header.patient_key for header in scan.headers if header.patient_key), None)
    key = found or listed.get(scan.case_id)
    return f"patient-{key}" if key else _VISIT.sub("", scan.case_id)


def read_patients(folder: Path) -> dict[str, str]:
    """Keys of patients by case from ``patients.csv``; empty where there is no such file.

    Raises:
        PneumoScreenError: if it cannot be read, lacks a column, leaves one empty or gives a case to two patients.
    """
    path = folder / PATIENTS_FILE
    try:
        # Spreadsheets write a byte order mark and, in some countries, semicolons.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise PneumoScreenError(f"{path} cannot be read ({error}); save it as CSV in UTF-8") from None
    header = lines[0] if lines else ""
    rows = csv.DictReader(lines, delimiter=";" if ";" in header else ",", skipinitialspace=True)
    try:
        names = [name.strip().lower() for name in rows.fieldnames or ()]
        rows.fieldnames = names
        table = [(rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise PneumoScreenError(f"{path} is no CSV after line {rows.line_num} ({error}); save it again") from None
    if not set(_COLUMNS) <= set(names):
        raise PneumoScreenError(f"{path} needs the columns {' and '.join(_COLUMNS)} in its first line; add them")
    found: dict[str, str] = {}
    for line, row in table:
        case, number = ((row[column] or "").strip() for column in _COLUMNS)
        if not case or not number:
            raise PneumoScreenError(f"{path} line {line} lacks a case or a patient; fill it in or remove it")
        if found.setdefault(case, patient_key(number)) != patient_key(number):
            raise PneumoScreenError(f"{path} line {line} gives case {case} to a second patient; correct it")
    return found
