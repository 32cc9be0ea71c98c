"""Images on their way to the disk: whole, within limits, and nothing of them in memory or believed."""

from pathlib import Path

import pytest
from scripts.phantom_files import write_ct
from tests.pacs.test_client import pacs_of

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.errors import Cancelled, ImageError
from pneumoscreen.pacs.client import Pacs, PacsAwayError, PacsRubbishError

from .dicomweb_server import DicomwebServer


@pytest.fixture
def series(server: DicomwebServer, phantom: Phantom, tmp_path: Path) -> tuple[str, str]:
    write_ct(phantom.volume, tmp_path / "ct")
    server.add(tmp_path / "ct")
    one = next(iter(server.tags.values()))
    return str(one.StudyInstanceUID), str(one.SeriesInstanceUID)


def fetched(pacs: Pacs, series: tuple[str, str], folder: Path, **options) -> set[str]:
    folder.mkdir()
    count = pacs.fetch(*series, folder, **options)
    names = {path.name for path in folder.iterdir()}
    assert len(names) == count
    return names


def test_a_series_that_comes_again_has_the_same_names(
    server: DicomwebServer, series: tuple[str, str], tmp_path: Path
) -> None:
    names = fetched(pacs_of(server), series, tmp_path / "1")
    server.tags = dict(reversed(server.tags.items()))
    assert fetched(pacs_of(server), series, tmp_path / "2") == names and len(names) == 20


@pytest.mark.parametrize(
    ("variable", "value", "what"), [("MAX_SESSION_MB", "0", ""), ("MAX_ARCHIVE_FILES", "19", "19 images")]
)
def test_more_than_a_series_may_have_is_refused(
    variable: str,
    value: str,
    what: str,
    server: DicomwebServer,
    series: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable == "MAX_SESSION_MB":
        uid = next(iter(server.files))
        server.files[uid] += bytes(1 << 20)
        value, what = "1", "1 MB"
    monkeypatch.setenv(f"PNEUMOSCREEN_{variable}", value)
    with pytest.raises(ImageError, match=f"a series has more than {what}; .*, or raise PNEUMOSCREEN_{variable}$"):
        fetched(pacs_of(server), series, tmp_path / "out")


def test_an_answer_in_json_has_a_limit(
    server: DicomwebServer, series: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscreen.pacs.access._MOST_JSON", 1000)
    server.fault = lambda method, path: b"[" + b" " * 1000 + b"]"
    with pytest.raises(PacsRubbishError):
        list(pacs_of(server).studies(["CT"]))


def test_one_who_is_told_can_stop_it(server: DicomwebServer, series: tuple[str, str], tmp_path: Path) -> None:
    seen = []

    def tell(files: int, size: int) -> None:
        seen.append((files, size))
        if files == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetched(pacs_of(server), series, tmp_path / "out", tell=tell)
    assert seen == sorted(seen) and len(list((tmp_path / "out").glob("*.dcm"))) == 3


def test_a_body_that_breaks_off_is_no_series(server: DicomwebServer, series: tuple[str, str], tmp_path: Path) -> None:
    answer = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + next(iter(server.files.values()))[:-100]
    server.raw = (answer, "multipart/related; boundary=x")
    with pytest.raises(PacsAwayError, match="broke off in the middle of an image"):
        fetched(pacs_of(server), series, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    server.raw = (b"<html>Mustermann</html>", "text/html")
    with pytest.raises(PacsRubbishError):
        fetched(pacs_of(server), series, tmp_path / "page")
