"""Whose scan a case is: what the split into training, validation and test goes by.

In this order: the patient's number in a DICOM series, which is hashed where the header is read; ``patients.csv`` in the
studies folder (columns ``case`` and ``patient``), hashed in the same way, so that a patient whose scans are partly
DICOM and partly not stays one; the case's name without a trailing visit such as ``_day5``.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ..csv_table import read_rows
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
    return patient_name(scan.case_id, found or listed.get(scan.case_id))


def patient_name(case_id: str, key: str | None) -> str:
    """See ``patient_of``; ``key`` is that of a header or a list, where there is one."""
    return f"patient-{key}" if key else _VISIT.sub("", case_id)


def read_patients(folder: Path) -> dict[str, str]:
    """Keys of patients by case from ``patients.csv``; empty where there is no such file.

    Raises:
        PneumoScreenError: if it cannot be read, lacks a column, leaves one empty or gives a case to two patients.
    """
    path = folder / PATIENTS_FILE
    found: dict[str, str] = {}
    for line, (case, number) in read_rows(path, _COLUMNS, optional=True):
        if not case or not number:
            raise PneumoScreenError(f"{path} line {line} lacks a case or a patient; fill it in or remove it")
        if found.setdefault(case, patient_key(number)) != patient_key(number):
            raise PneumoScreenError(f"{path} line {line} gives case {case} to a second patient; correct it")
    return found
