"""What a header says of patient and date, and what it is not believed."""

import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.images.dicom_header import patient_key
from pneumoscreen.images.examination import Examination, examination_of

from .conftest import make_chest, make_slice, write_series

TODAY = date(2026, 11, 28)
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


def header(folder: Path, **fields: Any) -> Path:
    path = folder / "one.dcm"
    make_slice(make_chest()[:1], 0, "1.2.3", **fields).save_as(path, write_like_original=False)
    return path


def found(folder: Path, **fields: Any) -> Examination:
    return examination_of(header(folder, **fields), TODAY)


def test_a_series_tells_patient_age_day_and_its_uids(tmp_path: Path) -> None:
    fields = {"PatientID": "4711", "PatientAge": "063Y", "StudyDate": "20200131", "AcquisitionDate": "20200201"}
    fields["SeriesInstanceUID"] = "1.2.3.4"
    folder = write_series(tmp_path / "series", make_chest()[:3], **fields)
    assert examination_of(folder, TODAY) == Examination(patient_key("4711"), 63, "2020-02-01", "1.2.3.9", "1.2.3.4")


def test_two_hospitals_that_give_one_number_have_two_patients(tmp_path: Path) -> None:
    keys = {
        issuer: found(tmp_path, PatientID="4711", IssuerOfPatientID=issuer).patient_key for issuer in ("", "A", "B")
    }
    assert keys[""] == patient_key("4711")
    assert len(set(keys.values())) == 3
    assert found(tmp_path, PatientID=" 4711 ", IssuerOfPatientID="A").patient_key == keys["A"]


def test_a_number_that_stands_for_nobody_gives_way_to_the_study(tmp_path: Path) -> None:
    anonymous = found(tmp_path, PatientID="ANONYMOUS", IssuerOfPatientID="A", StudyInstanceUID="1.2.9")
    assert anonymous.patient_key == patient_key("1.2.9")


@pytest.mark.parametrize(
    ("fields", "age"),
    [
        ({"PatientAge": "007Y"}, 7),
        ({"PatientAge": "18M"}, 1),
        ({"PatientAge": "051W"}, 0),
        ({"PatientAge": "400D"}, 1),
        ({"PatientAge": "121Y"}, None),
        ({"PatientAge": "-05Y"}, None),
        ({"PatientAge": "63"}, None),
        ({"PatientAge": "old", "PatientBirthDate": "19600301", "StudyDate": "20200229"}, 59),
        ({"PatientBirthDate": "19600301", "StudyDate": "20200301"}, 60),
        ({"PatientBirthDate": "1960.03.01", "StudyDate": "2020.03.01"}, 60),
        ({"PatientBirthDate": "20200302", "StudyDate": "20200301"}, None),
        ({"PatientBirthDate": "18500101", "StudyDate": "20200301"}, None),
        ({"PatientBirthDate": "19600301"}, None),
    ],
)
def test_an_age_is_one_that_a_patient_can_have(tmp_path: Path, fields: dict[str, Any], age: int | None) -> None:
    assert found(tmp_path, **fields).age == age


@pytest.mark.parametrize(
    ("fields", "day"),
    [
        ({"StudyDate": "20200131"}, "2020-01-31"),
        ({"StudyDate": "20200131", "SeriesDate": "20200201"}, "2020-02-01"),
        ({"AcquisitionDateTime": "20200203112233.5+0100", "StudyDate": "20200131"}, "2020-02-03"),
        ({"AcquisitionDate": "20209999", "StudyDate": "20200131"}, "2020-01-31"),
        ({"AcquisitionDate": "19000101", "StudyDate": "20200131"}, "2020-01-31"),
        ({"StudyDate": "20261129"}, "2026-11-29"),
        ({"StudyDate": "20261130"}, None),
        ({"StudyDate": "99991231"}, None),
        ({"StudyDate": "today"}, None),
        ({"StudyDate": ""}, None),
    ],
)
def test_a_day_is_one_on_which_an_image_can_have_been_taken(
    tmp_path: Path, fields: dict[str, Any], day: str | None
) -> None:
    assert found(tmp_path, **fields).acquired == day


def test_what_is_no_dicom_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("PatientID 4711")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "note.txt", tmp_path, tmp_path / "folder", tmp_path / "absent"):
        assert examination_of(path, TODAY) == Examination()


def test_a_damaged_first_file_does_not_hide_the_others(tmp_path: Path) -> None:
    fields = {"PatientAge": "063Y", "StudyDate": "20200131", "SeriesInstanceUID": "1.2.3.4"}
    folder = write_series(tmp_path / "series", make_chest()[:3], **fields)
    first = sorted(folder.iterdir())[0]
    first.write_bytes(first.read_bytes()[:200])
    assert examination_of(folder, TODAY) == Examination(patient_key("4711"), 63, "2020-01-31", "1.2.3.9", "1.2.3.4")


def test_a_damaged_header_is_never_an_exception(tmp_path: Path) -> None:
    path = header(tmp_path, PatientAge="063Y", StudyDate="20200131", PatientBirthDate="19600301")
    content, chance = path.read_bytes()[:2000], random.Random(1)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(132, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        told = examination_of(path, TODAY)
        assert told.age is None or 0 <= told.age <= 120
        assert told.acquired is None or "1970" <= told.acquired <= "2026-11-29"
