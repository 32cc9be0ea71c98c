"""What scanners send by C-STORE is screened once; what is damaged, malicious or too much is refused."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    MRImageStorage,
    UltrasoundImageStorage,
)
from scripts.phantom_files import write_ct
from tests.commands.conftest import narrow_models  # noqa: F401

from pneumoscreen.ct.phantoms.phantom import Phantom

from .receiving import SENDER, TITLE, Program, status_of

RESULTS = ["DOC", "OT", "SEG", "SR"]
VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def program(narrow_models: Path, tmp_path: Path) -> Iterator[Program]:  # noqa: F811
    made = Program(narrow_models, tmp_path)
    yield made
    made.kill()


@pytest.fixture
def study(phantom: Phantom, tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes the files of a CT of its own study."""

    def make(number: int, **fields: object) -> list[Path]:
        return write_ct(replace(phantom.volume, case_id=f"case-{number}"), tmp_path / "sent" / str(number), **fields)

    return make


def uid_of(files: list[Path]) -> str:
    return str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)


def test_studies_are_screened_once_and_later_images_are_said(
    program: Program, study: Callable[..., list[Path]]
) -> None:
    program.start()
    first, second = study(1), study(2)
    both = [image for pair in zip(first, second, strict=True) for image in pair]
    assert program.send(both) == [0] * 40
    program.until_ended(uid_of(first), uid_of(second))
    assert program.results(uid_of(first)) == program.results(uid_of(second)) == RESULTS
    program.until(lambda: not program.waiting())
    assert program.send(first[:3]) == [0, 0, 0]
    program.until(lambda: not program.waiting())
    program.until(lambda: program.entries()[uid_of(first)].late == 3)
    said = program.said()
    assert f"study {uid_of(first)}: 3 images came after it was screened; it is not screened again" in said
    assert said.count("results stored") == 2 and "Traceback" not in said


def test_who_is_not_allowed_is_rejected_with_the_reason_of_the_standard(program: Program) -> None:
    program.start()
    for title, called, reason in ((SENDER, "OTHER", 7), ("STRANGER", TITLE, 3)):
        association = program.associate([VERIFICATION], title, called)
        assert association.is_rejected
        answer = association.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, reason)
    association = program.associate([VERIFICATION])
    assert association.send_c_echo().Status == 0
    association.release()
    wanted = [CTImageStorage, ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation]
    association = program.associate([*wanted, MRImageStorage, UltrasoundImageStorage])
    assert {str(one.abstract_syntax) for one in association.accepted_contexts} == set(wanted)
    association.release()
    assert "STRANGER" not in program.said() and "an association was rejected" in program.said()


@pytest.fixture
def odd(tmp_path: Path) -> Callable[..., Path]:
    """Writes an image with other fields, None takes one out; what is said of it beforehand stays as it was."""
    folder = tmp_path / "odd"
    folder.mkdir()

    def make(image: Path, **fields: object) -> Path:
        found = pydicom.dcmread(image)
        for keyword, value in fields.items():
            if value is None:
                delattr(found, keyword)
            else:
                setattr(found, keyword, value)
        path = folder / f"{len(list(folder.iterdir()))}.dcm"
        found.save_as(path, write_like_original=False)
        return path

    return make


def test_what_is_damaged_or_malicious_is_refused_and_the_next_is_taken(
    program: Program, study: Callable[..., list[Path]], odd: Callable[..., Path], tmp_path: Path
) -> None:
    program.start(quiet=300)
    files = study(1, PatientName="Quixotemann^Zebulon")
    association = program.associate([CTImageStorage])
    assert status_of(association, files[0]) == 0
    for image, status in (
        (odd(files[1], StudyInstanceUID=None), 0xC000),
        (odd(files[1], SeriesInstanceUID=""), 0xC000),
        (odd(files[1], StudyInstanceUID="../../../../tmp/evil"), 0xC000),
        (odd(files[1], SeriesInstanceUID=".."), 0xC000),
        (odd(files[1], StudyInstanceUID="1." * 40 + "1"), 0xC000),
        (odd(files[1], SOPInstanceUID=None), 0xC000),
        # The first image once more is taken; with other content it is not.
        (files[0], 0),
        (odd(files[0], StudyDescription="other"), 0xC000),
        (files[1], 0),
    ):
        assert status_of(association, image) == status, image
    association.release()
    assert len(program.waiting()) == 2 and list((program.state / "arriving").iterdir()) == []
    assert not [path for path in (tmp_path, *program.state.rglob("*")) if "evil" in str(path)]
    said = program.said()
    assert len(re.findall("^refused with status C000: ", said, re.M)) == 7
    assert "Quixotemann" not in said and "Traceback" not in said
