"""Whose scan a case is: the header's number, the site's list, or the name; never a number in clear."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.studies.cases import Study, find_scans
from pneumoscreen.studies.patients import PATIENTS_FILE, read_patients
from pneumoscreen.studies.split import side_of

from ..images.conftest import make_chest, write_series


def _scan(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(make_chest()), folder / f"{name}.nii.gz")


def _patients(folder: Path) -> dict[str, str]:
    return {study.case_id: study.patient for study in find_scans(folder)}


def _series(folder: Path, **fields: Any) -> str:
    write_series(folder, make_chest()[:3], **fields)
    return folder.name


def test_two_series_of_one_patient_are_on_one_side(tmp_path: Path) -> None:
    # Names that the split would part, were it to go by them.
    names = [f"scan-{number}" for number in range(40)]
    far = {side_of(name): name for name in names}
    cases = [_series(tmp_path / name, PatientID="MRN 0012345") for name in far.values()]
    other = _series(tmp_path / "other", PatientID="MRN 0012346")
    found = _patients(tmp_path)
    assert len(cases) == 3 and len({found[case] for case in cases}) == 1
    assert len({side_of(found[case]) for case in cases}) == 1
    assert found[other] != found[cases[0]]


def test_the_number_of_the_patient_is_kept_nowhere(tmp_path: Path) -> None:
    _series(tmp_path / "scan", PatientID="MRN 0012345", PatientName="Mustermann^Erika")
    (study,) = find_scans(tmp_path)
    assert isinstance(study, Study)
    for secret in ("0012345", "Mustermann", "MRN"):
        assert secret not in repr(study)
        assert not any(secret in str(header) for header in study.scan.headers)


@pytest.mark.parametrize("number", ["ANONYMOUS", "000000", "", None])
def test_a_number_that_stands_for_nobody_does_not_join_patients(tmp_path: Path, number: str | None) -> None:
    cases = [
        _series(tmp_path / f"scan-{study}", PatientID=number, StudyInstanceUID=f"1.2.3.{study}") for study in (1, 2)
    ]
    found = _patients(tmp_path)
    assert found[cases[0]] != found[cases[1]]


def test_the_sites_list_joins_dicom_and_other_files(tmp_path: Path) -> None:
    _series(tmp_path / "first", PatientID="4712")
    for name in ("second", "third", "fourth_day7"):
        _scan(tmp_path, name)
    listed = tmp_path / PATIENTS_FILE
    for text in ("case,patient\nsecond,4712\nthird,4713\n", "\ufeffPatient;Case\r\n4712;second\r\n4713; third\r\n"):
        listed.write_text(text, encoding="utf-8")
        found = _patients(tmp_path)
        assert found["second"] == found["first"] != found["third"]
        assert "4713" not in found["third"]
        assert found["fourth_day7"] == "fourth"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("case,person\na,1\n", "needs the columns case and patient"),
        ("", "needs the columns case and patient"),
        ("case,patient\na,1\nb,\n", "line 3 lacks a case or a patient"),
        ("case,patient\na,1\nb\n", "line 3 lacks a case or a patient"),
        ("case,patient\na,1\na,2\n", "line 3 gives case a to a second patient"),
        ("case,patient\n" + "a" * 200_000 + ",1\n", "is no CSV after line 1"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / PATIENTS_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(PneumoScreenError, match=rf"patients\.csv {named}"):
        read_patients(tmp_path)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / PATIENTS_FILE).write_bytes(b"case,patient\na,\xff\n")
    with pytest.raises(PneumoScreenError, match="save it as CSV in UTF-8"):
        read_patients(tmp_path)
    shutil.rmtree(tmp_path)
    assert read_patients(tmp_path) == {}
