"""PDF, Secondary Capture, and what all objects have alike: patient, references, UIDs, and no error in validators."""

import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.results import results_of
from pneumoscreen.pacs.source import source_of
from pneumoscreen.pacs.uids import digest_of

from .conftest import only_input


def written(about: About, folder: Path) -> dict[str, Path]:
    paths = {}
    for name, dataset in results_of(about).items():
        paths[name] = folder / f"{name}.dcm"
        dataset.save_as(paths[name], write_like_original=False)
    return paths


def test_each_object_belongs_to_the_patient_and_study_in_any_script(about: About, tmp_path: Path) -> None:
    first = about.source.first
    for name, path in written(about, tmp_path).items():
        dataset = pydicom.dcmread(path)
        assert dataset.SpecificCharacterSet == "ISO_IR 192", name
        assert str(dataset.PatientName) == "Müller^Jörg=田中^太郎"
        for keyword in ("PatientID", "AccessionNumber", "StudyInstanceUID", "StudyDate"):
            assert dataset[keyword].value == first[keyword].value
        assert dataset.SeriesInstanceUID != first.SeriesInstanceUID


def test_a_header_in_latin_1_and_without_optional_fields(about_of: Callable[..., About], tmp_path: Path) -> None:
    about = about_of(tmp_path / "latin", SpecificCharacterSet="ISO_IR 100", PatientName="Grün^Zoë")
    for path in (tmp_path / "latin").iterdir():
        header = pydicom.dcmread(path)
        for keyword in ("StudyID", "AccessionNumber", "PatientSex", "ReferringPhysicianName", "StudyTime"):
            delattr(header, keyword)
        header.save_as(path)
    about = replace(about, source=source_of(only_input(tmp_path / "latin")))
    for path in written(about, tmp_path).values():
        dataset = pydicom.dcmread(path)
        assert str(dataset.PatientName) == "Grün^Zoë" and dataset.StudyID in ("", None)


def test_a_header_with_values_that_are_none(about_of: Callable[..., About], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        about = about_of(
            tmp_path / "odd", PatientSex="X1", PatientBirthDate="17.02.1943", StudyDate="", StudyTime="25:00",
            PatientName="Schmidt", AccessionNumber="A" * 30,
        )  # fmt: skip
        for path in written(about, tmp_path).values():
            dataset = pydicom.dcmread(path)
            assert (dataset.PatientName, dataset.AccessionNumber) == ("Schmidt", "A" * 30)
            assert not dataset.PatientSex and not dataset.PatientBirthDate and not dataset.StudyTime


def test_the_same_document_gives_the_same_uids_and_another_others(about: About) -> None:
    uids = {name: dataset.SOPInstanceUID for name, dataset in results_of(about).items()}
    assert list(uids) == ["seg", "sr", "pdf", "sc"] and len(set(uids.values())) == 4
    # Screened again elsewhere: other times and another place, the same findings.
    again = replace(about.case, timings_s={"total": 9.0}, image=replace(about.case.image, source="elsewhere"))
    again = replace(again, case_id="other")
    assert digest_of(again) == digest_of(about.case)
    assert uids == {name: dataset.SOPInstanceUID for name, dataset in results_of(replace(about, case=again)).items()}
    corrected = replace(about.case, notes=("corrected",))
    others = {dataset.SOPInstanceUID for dataset in results_of(replace(about, case=corrected)).values()}
    assert not others & set(uids.values())
    assert all(re.fullmatch(r"2\.25\.[1-9]\d{1,38}", uid) for uid in uids.values())


def test_the_pdf_refers_to_the_images(about: About) -> None:
    document = results_of(about)["pdf"]
    assert document.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert document.EncapsulatedDocument[: document.EncapsulatedDocumentLength].startswith(b"%PDF-")
    assert RESEARCH_USE_ONLY in document.DocumentTitle
    references = [item.ReferencedSOPInstanceUID for item in document.SourceInstanceSequence]
    assert references == [image.SOPInstanceUID for image in about.source.images]


def test_the_capture_says_how_it_lies_and_what_is_burnt_in(about: About) -> None:
    image = results_of(about)["sc"]
    assert image.pixel_array.shape == (900, 900, 3) and image.BurnedInAnnotation == "YES"
    assert list(image.PatientOrientation) == ["L", "F"] and image.ImageComments == RESEARCH_USE_ONLY
    references = [item.ReferencedSOPInstanceUID for item in image.SourceImageSequence]
    assert references == [image.SOPInstanceUID for image in about.source.images]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian: dicom3tools)")
def test_dciodvfy_finds_no_error(about: About, tmp_path: Path) -> None:
    for name, path in written(about, tmp_path).items():
        ended = subprocess.run(["dciodvfy", str(path)], capture_output=True, encoding="utf-8", errors="replace")
        assert not [line for line in ended.stderr.splitlines() if line.startswith("Error")], (name, ended.stderr)


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dsrdump is not installed (Debian: dcmtk)")
def test_dsrdump_reads_the_report(about: About, tmp_path: Path) -> None:
    path = written(about, tmp_path)["sr"]
    ended = subprocess.run(["dsrdump", str(path)], capture_output=True, encoding="utf-8", errors="replace")
    assert ended.returncode == 0 and not re.findall(r"^[EF]:", ended.stderr, re.MULTILINE), ended.stderr
    assert "Verdict of the screening" in ended.stdout
