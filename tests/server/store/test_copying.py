"""Images that are copied into the folder of a running server: offered once they are complete, and soon."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pneumoscreen.server.store.image_files import ImageFiles

from ...images.conftest import make_chest, write_series


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(tmp_path: Path, clock: Clock) -> ImageFiles:
    studies = tmp_path / "studies"
    studies.mkdir()
    found = ImageFiles(studies, now=clock)
    found.waits_for_copies = True
    return found


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("source") / "series", make_chest())


def hours_ago(path: Path) -> None:
    os.utime(path, (time.time() - 7200, time.time() - 7200))


@pytest.mark.parametrize("after", [lambda path: None, hours_ago], ids=["cp", "cp -p"])
def test_a_series_is_offered_when_its_last_slice_has_been_there_for_seconds(
    files: ImageFiles, clock: Clock, tmp_path: Path, series: Path, after: Callable[[Path], None]
) -> None:
    target = tmp_path / "studies" / "patient" / "series"
    target.mkdir(parents=True)
    assert files.search() == {}
    slices = sorted(series.iterdir())
    for number, file in enumerate(slices):
        shutil.copyfile(file, target / file.name)
        after(target / file.name)
        assert files.has_changed()
        assert files.search() == {}, f"offered with {number + 1} slices"
        assert len(files.being_copied) == 1
    clock.ahead = 5.0
    assert files.search() == {}
    clock.ahead = 9.0
    assert files.has_changed(), "nothing on the disk changes any more"
    assert list(files.search().values()) == ["patient/series"]
    assert not files.has_changed()
    clock.ahead = 0.0
    assert list(files.search().values()) == ["patient/series"], "what was complete stays so"
    (target / "more.dcm").write_bytes(slices[0].read_bytes())
    assert files.has_changed()
    assert files.search() == {}


def test_a_file_is_offered_when_it_grows_no_more(files: ImageFiles, clock: Clock, tmp_path: Path) -> None:
    scan = tmp_path / "studies" / "scan.nii.gz"
    scan.write_bytes(b"half")
    assert files.has_changed()
    assert files.search() == {}
    clock.ahead = 3.0
    assert files.search() == {"scan": "scan.nii.gz"}
    clock.ahead = 0.0
    scan.write_bytes(b"another one in its place")
    assert files.search() == {}


def test_the_first_half_of_a_file_does_not_say_what_it_is(
    files: ImageFiles, clock: Clock, tmp_path: Path, series: Path
) -> None:
    folder = tmp_path / "studies" / "one"
    folder.mkdir()
    whole = sorted(series.iterdir())[0].read_bytes()
    (folder / "IM1").write_bytes(whole[:100])
    assert files.search() == {}
    assert files.has_changed()
    (folder / "IM1").write_bytes(whole)
    clock.ahead = 9.0
    assert files.has_changed()
    assert files.search() == {"one": "one"}


def test_a_file_that_the_server_put_there_is_complete(files: ImageFiles, tmp_path: Path) -> None:
    scan = tmp_path / "studies" / "scan.nii.gz"
    scan.write_bytes(b"all of it")
    files.is_whole(scan)
    assert files.search() == {"scan": "scan.nii.gz"}


def test_what_the_server_keeps_is_no_change(files: ImageFiles, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    for name in ("annotations", "labels", ".pneumoscreen"):
        (studies / name).mkdir()
    files.search()
    (studies / ".datastore_v2.json-x").write_text("{}")
    (studies / "labels" / "final").mkdir()
    (studies / "annotations" / "case").mkdir()
    assert not files.has_changed()
    (studies / "patient").mkdir()
    assert files.has_changed()
