"""What was received lies in a folder until its study is done with, and is looked at as a study of a PACS is."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from scripts.phantom_files import write_ct, write_xray

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.pacs.client import StudyFound
from pneumoscreen.pacs.incoming import FullError, Incoming, Room
from pneumoscreen.pacs.reading import StudyReading
from pneumoscreen.pacs.selection import candidates
from pneumoscreen.pacs.state import Entry, StateError


@pytest.fixture(scope="module")
def reading() -> Iterator[StudyReading]:
    made = StudyReading()
    yield made
    made.close()


@pytest.fixture
def incoming(reading: StudyReading, tmp_path: Path) -> Incoming:
    return Incoming(tmp_path / "incoming", reading, Room(), 60.0)


@pytest.fixture
def files(phantom: Phantom, tmp_path: Path) -> list[Path]:
    return write_ct(phantom.volume, tmp_path / "ct")


def take(incoming: Incoming, files: list[Path], sender: object = None) -> str:
    """Receive copies of files; returns their study."""
    for file in files:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        copy = shutil.copy(file, file.with_suffix(".arriving"))
        incoming.take(Path(copy), str(header.SOPClassUID), str(header.SOPInstanceUID), sender)
    return str(header.StudyInstanceUID)


def entry(study: str, state: str, taken: float = 0.0) -> Entry:
    return Entry(study, state, 20, 0.0, 0, 0, 0.0, "", "", "", taken=taken)


def age(incoming: Incoming, seconds: float) -> None:
    """Let what lies there have come so long ago."""
    for file in incoming._folder.rglob("*.dcm"):
        os.utime(file, (time.time() - seconds,) * 2)


def test_a_study_is_found_with_its_series_and_chosen_from(
    incoming: Incoming, files: list[Path], phantom: Phantom, tmp_path: Path
) -> None:
    study = take(incoming, files)
    sharp = write_ct(
        phantom.volume, tmp_path / "sharp", SeriesInstanceUID="1.2.9", ConvolutionKernel="Bl57", SeriesNumber=4
    )
    for number, file in enumerate(sharp):
        image = pydicom.dcmread(file)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{number}"
        image.save_as(file)
    take(incoming, sharp)
    assert incoming.studies() == [StudyFound(study, 40)]
    assert [(one.modality, one.instances) for one in incoming.series(study)] == [("CT", 20), ("CT", 20)]
    found = candidates(incoming, study)
    assert [one.said[:21] for one in found] == ["series 1, soft kernel", "series 4, sharp kerne"]
    folder = incoming.files(study, found[0])
    assert {pydicom.dcmread(file).SeriesNumber for file in folder.iterdir()} == {1}
    names = incoming.instances(study, found[0].series_uid)
    assert [incoming.header(study, found[0].series_uid, name).InstanceNumber for name in names] == list(range(1, 21))


def test_of_an_x_ray_the_one_image_is_chosen(incoming: Incoming, tmp_path: Path) -> None:
    radiograph = generate_radiograph(12, "covid19").radiograph
    lateral = write_xray(radiograph, tmp_path / "lateral.dcm", ViewPosition="LL", SOPInstanceUID="1.2.3.4")
    image = pydicom.dcmread(lateral)
    image.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    image.save_as(lateral)
    study = take(incoming, [lateral, write_xray(radiograph, tmp_path / "pa.dcm", InstanceNumber=2)])
    (found,) = candidates(incoming, study)
    assert found.said == "image 2, postero-anterior"
    assert pydicom.dcmread(incoming.files(study, found)).ViewPosition == "PA"


def test_a_study_that_is_done_with_goes_and_what_came_later_is_counted(incoming: Incoming, files: list[Path]) -> None:
    study = take(incoming, files)
    assert list(incoming.tidy([])) == [] and incoming.studies() == [StudyFound(study, 20)]
    age(incoming, 10.0)
    assert list(incoming.tidy([entry(study, "stored", time.time() - 5.0)])) == [] and incoming.studies() == []
    take(incoming, files[:3])
    stored = entry(study, "stored", time.time() - 100.0)
    assert list(incoming.tidy([stored])) == [] and len(incoming.studies()) == 1
    age(incoming, 61.0)
    assert list(incoming.tidy([stored])) == [(study, 3)] and incoming.studies() == []
    assert list(incoming._folder.iterdir()) == []


def test_what_cannot_be_screened_is_kept_for_a_while(incoming: Incoming, files: list[Path]) -> None:
    refused = entry(take(incoming, files), "refused", time.time())
    age(incoming, 23 * 3600.0)
    assert list(incoming.tidy([refused])) == [] and len(incoming.studies()) == 1
    age(incoming, 25 * 3600.0)
    assert list(incoming.tidy([refused])) == [] and incoming.studies() == []


def test_room_is_counted_over_a_start_and_given_back(reading: StudyReading, files: list[Path], tmp_path: Path) -> None:
    size = files[0].stat().st_size
    room = Room(folder=round(10.5 * size))
    study = take(Incoming(tmp_path / "incoming", reading, room, 0.0), files[:8])
    again = Incoming(tmp_path / "incoming", reading, room, 0.0)
    take(again, files[8:10])
    with pytest.raises(FullError, match=r"study .*: what waits takes .* GB already \(--folder-gb\)"):
        take(again, files[10:11])
    age(again, 10.0)
    assert list(again.tidy([entry(study, "stored", time.time())])) == []
    take(again, files[10:20])


def test_a_study_is_being_sent_until_its_association_ends(incoming: Incoming, files: list[Path]) -> None:
    study = take(incoming, files[:2], "first")
    take(incoming, files[2:4], "second")
    incoming.closed("first")
    assert study in incoming.growing()
    incoming.closed("second")
    assert not incoming.growing()


def test_a_damaged_folder_is_named(incoming: Incoming, files: list[Path]) -> None:
    take(incoming, files[:1])
    (damaged,) = incoming._folder.glob("*/study.json")
    damaged.write_text("{}")
    with pytest.raises(StateError, match=r"study\.json cannot be read; move its folder away"):
        incoming.studies()


def test_what_a_kill_left_is_no_study(incoming: Incoming, files: list[Path], phantom: Phantom, tmp_path: Path) -> None:
    (incoming._folder / "half" / "series").mkdir(parents=True)
    (incoming._folder / ".gone" / "series").mkdir(parents=True)
    assert incoming.studies() == []
    study = take(incoming, files)
    assert incoming.studies() == [StudyFound(study, 20)] and not (incoming._folder / ".gone").exists()
    other = write_ct(replace(phantom.volume, case_id="other"), tmp_path / "other")
    age(incoming, 100.0)
    assert [one.uid for one in incoming.studies()] == [study, take(incoming, other)][:1]
    assert [one.instances for one in incoming.studies()] == [20, 20] and incoming.studies()[0].uid == study
