"""The cases of a server on a PACS: which there are, which series is shown, and what of a study that grows or goes."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from scripts.phantom_files import write_ct

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.errors import ImageError
from pneumoscreen.pacs.cases import PacsCases
from pneumoscreen.pacs.catalogue import case_name
from pneumoscreen.pacs.choices import Kernel
from pneumoscreen.pacs.client import Access, Pacs
from pneumoscreen.pacs.faults import PacsAwayError, PacsError, PacsGoneError
from pneumoscreen.pacs.settings import PacsSettings
from pneumoscreen.pacs.uids import uid_of
from pneumoscreen.studies.layout import ELSEWHERE

from .dicomweb_server import DicomwebServer

STUDY = uid_of("phantom-000003", "study")


@pytest.fixture
def sent(server: DicomwebServer, phantom: Phantom, tmp_path: Path) -> list[Path]:
    """A CT in the PACS; its files."""
    files = write_ct(phantom.volume, tmp_path / "sent", PatientID="4711", PatientBirthDate="19500101")
    server.add(tmp_path / "sent")
    return files


@pytest.fixture
def cases_of(server: DicomwebServer, tmp_path: Path) -> Callable[..., PacsCases]:
    def make(**settings: object) -> PacsCases:
        (tmp_path / "state").mkdir(exist_ok=True)
        wanted = PacsSettings(server.url, **{"days": 0, "quiet_s": 0.0, **settings})
        pacs = Pacs(Access(server.url), retries=0)
        return PacsCases(tmp_path / "state", wanted, pacs=pacs, pause=lambda seconds: None)

    return make


def series_of_files(files: list[Path], kernel: str, uid: str) -> None:
    """Turn files into those of a further series of their study."""
    for number, file in enumerate(files):
        image = pydicom.dcmread(file)
        image.SeriesInstanceUID, image.SeriesNumber, image.ConvolutionKernel = uid, 2, kernel
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{number}"
        image.save_as(file)


def only(cases: PacsCases) -> str:
    (name,) = cases.offered()
    return name


def test_the_list_stays_when_the_pacs_is_away_and_says_since_when(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases]
) -> None:
    cases = cases_of()
    assert cases.offered() == {} and cases.looks().at is None
    cases.look()
    assert only(cases) == case_name(STUDY)
    assert cases.examination(only(cases)).age is None or cases.examination(only(cases)).age >= 69
    server.stop()
    with pytest.raises(PacsAwayError):
        cases.look()
    since = cases.looks().away_since
    again = cases_of()
    with pytest.raises(PacsAwayError):
        again.look()
    assert only(again) == case_name(STUDY) and again.looks().away_since == since
    server.start()
    again.look()
    assert again.looks().away_since is None


def test_a_study_is_shown_once_it_rests_but_those_of_the_first_list_at_once(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases], phantom: Phantom, tmp_path: Path
) -> None:
    cases = cases_of(quiet_s=3600.0)
    cases.look()
    write_ct(phantom.volume, tmp_path / "later", StudyInstanceUID="1.2.3")
    for number, file in enumerate(sorted((tmp_path / "later").iterdir())):
        image = pydicom.dcmread(file)
        image.SOPInstanceUID = f"1.2.3.{number}"
        image.save_as(file)
    server.add(tmp_path / "later")
    cases.look()
    assert only(cases) == case_name(STUDY) and cases.growing() == {case_name("1.2.3")}
    assert set(cases_of().offered()) == {case_name(STUDY), case_name("1.2.3")}


def test_a_study_that_left_the_list_stays_only_where_it_was_used(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases]
) -> None:
    cases = cases_of()
    cases.look()
    server.tags, kept = {}, server.tags
    cases.look()
    assert cases.offered() == {}
    server.tags = kept
    cases.look()
    with cases.held(only(cases)):
        pass
    server.tags = {}
    cases.look()
    name = only(cases)
    with cases.held(name):  # it is here
        assert len(list(cases.folder(name).glob("*.dcm"))) == 20


def test_what_is_not_in_the_pacs_any_more_leaves_the_list_when_it_is_wanted(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases]
) -> None:
    cases = cases_of()
    cases.look()
    name = only(cases)
    server.tags = {}
    with pytest.raises(PacsGoneError, match=f"case {name} is not in the PACS any more"), cases.held(name):
        pass
    assert cases.offered() == {}


@pytest.mark.parametrize(("kernel", "taken"), [(Kernel.SOFT, "series"), (Kernel.SHARP, "1.2.9"), (Kernel.ANY, "1.2.9")])
def test_the_rule_chooses_the_series_and_the_note_says_so(
    kernel: Kernel,
    taken: str,
    server: DicomwebServer,
    sent: list[Path],
    cases_of: Callable[..., PacsCases],
) -> None:
    series_of_files(sent, "Br64", "1.2.9")
    for file in sent:  # thinner than the soft one
        image = pydicom.dcmread(file)
        image.SliceThickness = 0.5
        image.save_as(file)
    server.add(sent[0].parent)
    cases = cases_of(kernel=kernel)
    cases.look()
    with cases.held(only(cases)) as folder:
        uids = {str(pydicom.dcmread(path).SeriesInstanceUID) for path in folder.glob("*.dcm")}
    assert uids == {uid_of("phantom-000003", "series") if taken == "series" else taken}
    assert cases.note(only(cases)).startswith("The study holds 2 series that may be screened; this one was taken")


def test_a_series_that_grows_is_another_one_but_results_change_nothing(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases]
) -> None:
    cases = cases_of()
    missing = {uid: server.tags.pop(uid) for uid in list(server.tags)[:2]}
    cases.look()
    name = only(cases)
    marker = cases.folder(name) / ELSEWHERE
    with cases.held(name):
        assert len(list(cases.folder(name).glob("*.dcm"))) == 18
    before = marker.stat().st_mtime_ns
    result = pydicom.dcmread(sent[0])
    result.SeriesInstanceUID, result.SOPInstanceUID, result.Modality = "1.2.8", "1.2.8.1", "SR"
    result.file_meta.MediaStorageSOPInstanceUID = "1.2.8.1"
    result.save_as(sent[0])
    server.take(sent[0].read_bytes())
    cases.look()
    assert only(cases) == name and marker.stat().st_mtime_ns == before
    server.tags.update(missing)
    cases.look()
    assert only(cases) == name and marker.stat().st_mtime_ns != before
    with cases.held(name):
        assert len(list(cases.folder(name).glob("*.dcm"))) == 20


def test_a_study_without_images_is_looked_at_again_when_it_grows(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases]
) -> None:
    cases = cases_of()
    missing = {uid: server.tags.pop(uid) for uid in list(server.tags)[5:]}
    cases.look()
    name = only(cases)
    before = (cases.folder(name) / ELSEWHERE).stat().st_mtime_ns
    with pytest.raises(ImageError, match="no axial chest CT"), cases.held(name):
        pass
    server.tags.update(missing)
    cases.look()
    assert only(cases) == name and (cases.folder(name) / ELSEWHERE).stat().st_mtime_ns != before
    with cases.held(name) as folder:
        assert len(list(folder.glob("*.dcm"))) == 20


def test_a_fetch_is_tried_again_and_a_series_that_lacks_images_is_none(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases]
) -> None:
    cases = cases_of()
    cases.look()
    name, faults = only(cases), [503, None]

    def fault(method: str, path: str) -> int | None:
        return faults.pop(0) if faults and path.endswith(uid_of("phantom-000003", "series")) else None

    server.fault = fault
    with cases.held(name):
        assert len(list(cases.folder(name).glob("*.dcm"))) == 20 and faults == []
    other = cases_of()
    other._catalogue.renew(name, 20)
    server.drops = 1
    with pytest.raises(PacsError, match="the PACS sent 19 of 20 images of a series"), other.held(name):
        pass
    assert not list(cases.folder(name).glob("*.dcm"))


def test_a_study_is_found_by_whatever_names_it(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases], tmp_path: Path
) -> None:
    for file in sent:
        image = pydicom.dcmread(file)
        image.AccessionNumber = "A-77"
        image.save_as(file)
    server.add(sent[0].parent)
    cases = cases_of()
    assert cases.find(STUDY) == case_name(STUDY)
    assert cases.find("A-77") == case_name(STUDY)
    series = uid_of("phantom-000003", "series")
    assert cases.find(series) == case_name(STUDY)
    series_of_files(sent, "Br64", "1.2.9")
    server.add(sent[0].parent)
    assert cases.find("1.2.9") == case_name(STUDY, "1.2.9")
    with cases.held(case_name(STUDY, "1.2.9")) as folder:
        assert {pydicom.dcmread(path).SeriesInstanceUID for path in folder.glob("*.dcm")} == {"1.2.9"}
    assert [cases.find(name) for name in ("A-*", "1.2.3", "A-7", "", "x" * 65, "A\n77")] == [None] * 6
    with sqlite3.connect(tmp_path / "state" / ".pneumoscreen" / "pacs" / "cases.sqlite") as base:
        assert "A-77" not in "".join(base.iterdump())


def test_many_hold_one_case_at_a_time_and_it_is_fetched_once(
    server: DicomwebServer, sent: list[Path], cases_of: Callable[..., PacsCases]
) -> None:
    cases_of().look()
    counts = []

    @contextmanager
    def held():
        cases = cases_of()
        with cases.held(only(cases)) as folder:
            yield folder

    def use() -> None:
        with held() as folder:
            counts.append(len(list(folder.glob("*.dcm"))))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [20] * 4
    fetched = [path for method, path, _ in server.seen if path.endswith(uid_of("phantom-000003", "series"))]
    assert len(fetched) == 1
