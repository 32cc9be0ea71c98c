"""The studies of a PACS as jobs, and what a worker does with each; the PACS can be told to fail."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from scripts.phantom_files import write_ct
from tests.commands.conftest import Ended
from tests.pacs.dicomweb_server import DicomwebServer

from pneumoscreen.archive import study_worker
from pneumoscreen.archive.coming import Coming
from pneumoscreen.archive.jobs import Job
from pneumoscreen.archive.manifest import SCREENED, WAITING, Row
from pneumoscreen.archive.run import Request, Tally, _Finder
from pneumoscreen.archive.studies import Query, StudyJob, dates_of, jobs_of_studies, stamp_of
from pneumoscreen.archive.study_worker import FOLDER, StudyWorker, UnfitError
from pneumoscreen.archive.worker import Place
from pneumoscreen.commands.screen import Reading
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.errors import ConfigError, ImageError
from pneumoscreen.pacs.access import Access
from pneumoscreen.pacs.client import PacsAwayError


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return generate_phantom(3, "covid19", PhantomSpec(matrix=64, slices=20))


@pytest.fixture
def server() -> Iterator[DicomwebServer]:
    started = DicomwebServer().start()
    yield started
    started.stop()


@pytest.fixture
def worker(server: DicomwebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyWorker:
    monkeypatch.setattr(study_worker, "silence", lambda: None)  # this process has other tests to do
    (tmp_path / "out").mkdir()
    return StudyWorker(Access(server.url), tmp_path / "out", False)


def small(server: DicomwebServer, folder: Path, study: str, **fields: object) -> None:
    """A study of one header."""
    file = pydicom.dcmread(folder / "0000.dcm")
    file.StudyInstanceUID, file.SeriesInstanceUID, file.SOPInstanceUID = study, f"{study}.1", f"{study}.1.1"
    for name, value in fields.items():
        setattr(file, name, value)
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID
    file.save_as(folder / "one.dcm")
    server.add(folder / "one.dcm")


def jobs(server: DicomwebServer, **more: object) -> list[StudyJob]:
    return list(jobs_of_studies(Query(Access(server.url), **more)))


def test_studies_come_page_by_page_and_what_no_method_reads_does_not_count(
    server: DicomwebServer, phantom: Phantom, tmp_path: Path
) -> None:
    write_ct(phantom.volume, tmp_path)
    for number in range(7):
        small(server, tmp_path, f"1.2.{number}", StudyDate=f"2020010{number + 1}")
    server.pages = 3
    before = jobs(server)
    assert [job.study_uid for job in before] == [f"1.2.{number}" for number in range(7)]
    assert len([path for _, path, _ in server.seen if path.endswith("/dicom-web/studies")]) == 4 + 1 + 1
    assert [job.study_uid for job in jobs(server, dates="20200103-20200104")] == ["1.2.2", "1.2.3"]
    assert jobs(server, modalities=("CR", "DX")) == []
    small(server, tmp_path, "1.2.3", SeriesInstanceUID="1.2.3.9", SOPInstanceUID="1.2.3.9.9", Modality="SR")
    assert jobs(server) == before
    small(server, tmp_path, "1.2.4", SOPInstanceUID="1.2.4.1.2")
    small(server, tmp_path, "1.2.5", SeriesInstanceUID="1.2.5.2", SOPInstanceUID="1.2.5.2.1")
    changed = [(was, now) for was, now in zip(before, jobs(server), strict=True) if was.stamp != now.stamp]
    assert [now.study_uid for _, now in changed] == ["1.2.4", "1.2.5"]
    # What was screened of the first has another image now; the second has another series beside it.
    assert [now.is_as_before(stamp_of(was.series[0])) for was, now in changed] == [False, True]
    hidden = list(jobs_of_studies(Query(Access(server.url)), anonymous=True))
    assert {job.key for job in hidden} == {job.key for job in before}
    assert not any("1.2" in job.place for job in hidden)


def test_what_was_found_before_the_pacs_went_away_is_done(
    server: DicomwebServer, phantom: Phantom, tmp_path: Path
) -> None:
    write_ct(phantom.volume, tmp_path)
    for number in range(7):
        small(server, tmp_path, f"1.2.{number}")
    server.pages, searches = 3, iter([None, None, 500])
    server.fault = lambda method, path: next(searches) if path.endswith("/dicom-web/studies") else None
    request, tally = Request([], Place(tmp_path, None, False), query=Query(Access(server.url))), Tally()
    with _Finder(request, tally) as found:
        assert [job.place for job in found] == [f"1.2.{number}" for number in range(6)]
    assert "cannot serve now when asked for studies (500)" in tally.lost and not tally.is_all_found


def test_a_search_whose_pages_turn_is_not_asked_for_in_one_piece(
    server: DicomwebServer, phantom: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscreen.pacs.client.PAGE", 3)
    write_ct(phantom.volume, tmp_path)
    for number in range(6):
        small(server, tmp_path, f"1.2.{number}")
    pages: list[int] = []
    search = server.search

    def counted(level: str, *more: object) -> list[dict[str, object]]:
        found = search(level, *more)  # type: ignore[arg-type]
        pages.append(level == "StudyInstanceUID")
        return found

    server.search = counted  # type: ignore[method-assign]
    assert len(jobs(server, modalities=("CT",))) == 6
    assert sum(pages) == 3  # two full ones, and the empty one behind them


def test_a_study_is_fetched_while_another_one_is_screened_and_then_deleted(
    server: DicomwebServer, worker: StudyWorker, phantom: Phantom, tmp_path: Path
) -> None:
    for number in range(3):
        write_ct(replace(phantom.volume, case_id=f"case-{number}"), tmp_path / str(number))
    server.add(*(tmp_path / str(number) for number in range(3)))
    first, second, third = jobs(server)
    held: list[int] = []

    def screen(read: Reading, row: Row) -> Row:
        assert worker._coming is None or len(worker._coming[1].result().found) == 1
        held.append(len(list((tmp_path / "out" / FOLDER).iterdir())))
        assert read.image.study_uid == row.place.split("/")[0] and read.image.source_below is None
        return replace(row, state=SCREENED, case_id=read.image.case_id)

    def done(job: Job) -> Row | None:
        turn = worker.turn(job)  # type: ignore[arg-type]
        return turn and turn[1](Row(turn[0].key, turn[0].place, turn[0].modality, turn[0].stamp), screen)

    assert done(first) is None
    rows = [done(second), done(second.at_once()), done(third), done(first.at_once())]
    assert [row and row.key for row in rows] == [first.key, second.key, None, first.key]
    assert rows[0] is not None and first.is_as_before(rows[0].stamp) and rows[0].case_id.startswith("study-")
    assert rows[0].place == f"{first.study_uid}/{first.series[0].uid}"
    assert held[:2] == [2, 1]
    worker._thread.shutdown()
    assert list((tmp_path / "out" / FOLDER).iterdir()) == []


def screened_of(worker: StudyWorker, job: StudyJob) -> Row:
    turn = worker.turn(job)
    assert turn is not None
    row = Row(job.key, job.place, job.modality, job.stamp)
    return turn[1](row, lambda read, row: replace(row, state=SCREENED))


def test_the_next_series_is_tried_and_the_reason_of_the_best_is_told(
    server: DicomwebServer, worker: StudyWorker, phantom: Phantom, tmp_path: Path
) -> None:
    thin = {"SliceThickness": 1, "SeriesInstanceUID": "1.2.1", "StudyInstanceUID": "1.2"}
    write_ct(replace(phantom.volume, case_id="thin"), tmp_path / "thin", **thin)
    (tmp_path / "thin" / "0010.dcm").unlink()
    server.add(tmp_path / "thin")

    def screened() -> Row:
        (job,) = jobs(server)
        return screened_of(worker, replace(job, is_ahead=False))

    with pytest.raises(UnfitError, match=r"^the series lacks slices") as raised:
        screened()
    assert raised.value.row.place == "1.2/1.2.1" and type(raised.value.cause).__name__ == "MissingSlicesError"
    write_ct(
        replace(phantom.volume, case_id="thick"), tmp_path / "thick", SeriesInstanceUID="1.2.2", StudyInstanceUID="1.2"
    )
    server.add(tmp_path / "thick")
    assert not jobs(server)[0].is_as_before(raised.value.row.stamp)
    assert screened().place == "1.2/1.2.2"
    server.drops = 3
    with pytest.raises(PacsAwayError, match="sent 16 of 19 images of a series"):
        screened()
    server.tags = {uid: tags for uid, tags in server.tags.items() if tags.InstanceNumber == 1}
    with pytest.raises(ImageError, match="holds no axial chest CT"):
        screened()
    server.stop()
    with pytest.raises(PacsAwayError, match="does not answer"):
        screened_of(worker, StudyJob("k", "1.2", "s", "CT", "1.2", (), is_ahead=False))
    assert list((tmp_path / "out" / FOLDER).iterdir()) == []


def test_what_is_with_a_worker_is_known_in_whichever_order_answers_come() -> None:
    a, b, c = (StudyJob(name, name, "s", "CT", name, ()) for name in "abc")
    rows = {job.key: Row(job.key, job.key, "CT", "s", SCREENED) for job in (a, b, c)}
    coming = Coming()
    assert not coming.is_result(a, Row("a", "a", "CT", "s", WAITING))
    assert coming.is_result(c, rows["b"])  # heard of before the answer to b
    assert coming.is_result(b, rows["a"])
    assert [job.key for job in coming.left()] == ["c"] and coming.left() == []
    assert coming.is_result(c.at_once(), rows["c"]) and coming.left() == []


@pytest.mark.parametrize("wrong", ["2024", "20241301-", "20240102-20240101", "2024010120240102", "-", "today"])
def test_dates_that_are_none(wrong: str) -> None:
    assert [dates_of(0, right) for right in ("20240101-20240131", "20240101-", "-20240101", None)][-1] is None
    with pytest.raises(ConfigError, match="is no range of days; write it as in"):
        dates_of(0, wrong)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("https://me:secret@host/dicom-web",), "SOURCE: holds a user or password, which others could read"),
        (("https://a/x", "https://b/x"), "SOURCE: names several PACS"),
        (("https://a/x", "--days", 3, "--dates", "20240101"), "--dates: does not go with --days"),
        (("https://a/x", "--ca-file", "/none/ca.pem"), "--ca-file /none/ca.pem: is no file"),
        (("ftp://a/x",), "SOURCE: is no address of a DICOMweb service"),
        ((".", "--days", 3), "are for the address of a PACS"),
        (("http://127.0.0.1:9/dicom-web",), "127.0.0.1:9: the PACS does not answer when asked for studies"),
    ],
)
def test_a_mistake_is_one_sentence(run: "object", words: tuple[object, ...], said: str, tmp_path: Path) -> None:
    ended: Ended = run("archive", *words, "--out", tmp_path / "out")  # type: ignore[operator]
    assert ended.status == 2 and len(ended.refusals()) == 1 and said in ended.refusals()[0]
    assert "secret" not in ended.err


def test_a_studies_folder_gives_its_images_and_nothing_else(studies: Path, tmp_path: Path) -> None:
    root = tmp_path / "studies"
    shutil.copytree(studies, root)
    image = root / "phantom-000001.nii.gz"
    for place in (
        "labels/final",
        "labels/original",
        ".pneumoscreen/masks",
        ".pneumoscreen/pacs",
        "annotations",
        "audit",
    ):
        (root / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(image, root / place / image.name)
    (root / "datastore_v2.json").write_text("{}")
    request = Request([root], Place(tmp_path, None, False))
    assert sorted(job.place for job in request.jobs()) == [
        f"studies/phantom-{number:06d}.nii.gz" for number in range(1, 7)
    ]
