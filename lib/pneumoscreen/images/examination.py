"""Whose image it is, how old the patient was, and when it was taken: what a worklist shows of a DICOM header.

The patient's number and birth date are looked at here and never kept: of the number stays a hash, of the date an age.
What a header says is checked against limits: it may be damaged, made up, or shifted by whoever took the names out.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from .dicom_header import patient_key, patient_key_of
from .dicom_start import looks_like_dicom

_DATES = ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate")
_TAGS = [
    Tag(keyword)
    for keyword in (
        *_DATES, "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientAge",
        "StudyInstanceUID", "SeriesInstanceUID",
    )
]  # fmt: skip
_BEHIND = Tag("SeriesInstanceUID")
_FILES_PROBED = 8
_OLDEST = 120
"""Ours: years beyond which an age is none."""
_FIRST_DAY = date(1970, 1, 1)
"""Ours: no digital image is older; a date before it is a filler."""
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


@dataclass(frozen=True)
class Examination:
    """What a header tells of the examination.

    Attributes:
        patient_key: the same for all images of a patient, see ``SliceHeader.patient_key``; where the header says who
            gave the number, that counts as well. Empty where it is not known.
        age: of the patient in whole years; None where it is not known.
        acquired: day on which the image was taken, ISO 8601; None where it is not known.
        study_uid: of the study; empty where it is not known.
        series_uid: of the series, likewise.
    """

    patient_key: str = ""
    age: int | None = None
    acquired: str | None = None
    study_uid: str = ""
    series_uid: str = ""


def examination_of(path: Path, today: date | None = None) -> Examination:
    """The examination of a DICOM file or of a folder of DICOM files: by the first file that says whose it is.

    Args:
        path: file or folder; of an image of another kind nothing is known.
        today: default: today. Nothing was taken later, but for the difference between two clocks.
    """
    found = Examination()
    for file in _files(path):
        found = _examination_of_file(file, today or date.today())
        if found.patient_key:
            break
    return found


def _files(path: Path) -> Iterator[Path]:
    """The first DICOM files of a folder, or the file itself."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        shown = [file for file in files if file.name[0] != "." and file.name.lower() != "dicomdir"]
        yield from filter(looks_like_dicom, (file for file in shown[:_FILES_PROBED] if file.is_file()))
    except OSError:
        return  # reading the image says what is wrong


def _examination_of_file(file: Path, today: date) -> Examination:
    def is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:
        return tag > _BEHIND

    try:
        with warnings.catch_warnings(), pydicom_config.disable_value_validation(), file.open("rb") as opened:
            warnings.simplefilter("ignore")  # they quote values of the header
            return _of_header(read_partial(opened, is_behind, force=True, specific_tags=_TAGS), today)
    except Exception:
        return Examination()  # pydicom raises whatever a damaged header happens to break


def _of_header(header: Dataset, today: date) -> Examination:
    texts = {str(element.keyword): _text(element.value) for element in header}
    dates = (_date(texts.get(keyword, ""), _FIRST_DAY, today + timedelta(days=1)) for keyword in _DATES)
    acquired = next(filter(None, dates), None)
    born = _date(texts.get("PatientBirthDate", ""), date.min, acquired or today)
    return Examination(
        _patient_key(header, texts),
        _age(texts.get("PatientAge", ""), born, acquired),
        None if acquired is None else acquired.isoformat(),
        texts.get("StudyInstanceUID", ""),
        texts.get("SeriesInstanceUID", ""),
    )


def _text(value: object) -> str:
    return str(value or "").strip(" \0")


def _patient_key(header: Dataset, texts: dict[str, str]) -> str:
    key = patient_key_of(header)
    number, issuer = texts.get("PatientID", ""), texts.get("IssuerOfPatientID", "")
    # Two hospitals may give one number to two patients.
    return patient_key(f"{number}\n{issuer}") if issuer and key == patient_key(number) else key


def _date(text: str, first: date, last: date) -> date | None:
    """A date that lies between two others; None where there is none."""
    match = _DATE.match(text)
    try:
        found = date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
    return found if found is not None and first <= found <= last else None


def _age(text: str, born: date | None, acquired: date | None) -> int | None:
    """The age in years: as the header says it, else by the two dates."""
    match = _AGE.fullmatch(text.upper())
    if match:
        years = int(int(match[1]) / _A_YEAR[match[2]])
    elif born is not None and acquired is not None:
        years = acquired.year - born.year - ((acquired.month, acquired.day) < (born.month, born.day))
    else:
        return None
    return years if 0 <= years <= _OLDEST else None
