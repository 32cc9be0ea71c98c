"""What a PACS says in JSON, believed in nothing: a field that is not what it should be counts as absent."""

from collections.abc import Mapping
from typing import Any

from pydicom.dataset import Dataset

from ..images.examination import Examination, examination_of_header
from .uids import is_uid

_EXAMINATION = ("00100020", "00100021", "00100030", "00101010", "00080020", "0020000D")
"""PatientID and who gave it, birth date, age, StudyDate, StudyInstanceUID."""


def text_of(item: Mapping[str, Any], tag: str) -> str:
    """The first text of a field, else an empty one."""
    return next((value.strip() for value in _values(item, tag) if isinstance(value, str)), "")


def uid_in(item: Mapping[str, Any], tag: str) -> str:
    """The UID of a field, else an empty text."""
    text = text_of(item, tag)
    return text if is_uid(text) else ""


def number_in(item: Mapping[str, Any], tag: str) -> int | None:
    """The first whole number of a field."""
    try:
        return next((int(value) for value in _values(item, tag)), None)
    except (TypeError, ValueError):
        return None


def examination_in(item: Mapping[str, Any]) -> Examination:
    """Whose study it is, as a hash, how old the patient was, and when it was taken."""
    try:
        return examination_of_header(Dataset.from_json({tag: item[tag] for tag in _EXAMINATION if tag in item}))
    except Exception:
        return Examination()  # pydicom raises whatever an odd value happens to break


def _values(item: Mapping[str, Any], tag: str) -> list[Any]:
    field = item.get(tag)
    values = field.get("Value") if isinstance(field, dict) else None
    return values if isinstance(values, list) else []
