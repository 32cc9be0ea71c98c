"""A PACS that is slow, away, closed, or answers rubbish: each time one sentence, and nothing of a patient in it."""

import base64
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from pneumoscreen.errors import ConfigError, ImageError
from pneumoscreen.pacs import client
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.client import (
    Access,
    Pacs,
    PacsAwayError,
    PacsError,
    PacsRefusedError,
    PacsRubbishError,
    StudyFound,
)
from pneumoscreen.pacs.documents import secondary_capture
from pneumoscreen.pacs.parts import parts

from .dicomweb_server import DicomwebServer


def pacs_of(server: DicomwebServer, **access: object) -> Pacs:
    return Pacs(Access(server.url, **access), retries=3, backoff_s=0.01)


@pytest.fixture
def studies(server: DicomwebServer, about_of: Callable[..., About], tmp_path: Path) -> list[str]:
    """Seven studies of one image each, and one CT of twenty slices that comes last."""
    uids = [f"1.2.3.{number}" for number in range(7)]
    about_of(tmp_path / "ct", PatientName="Mustermann^Erika")
    slices = sorted((tmp_path / "ct").iterdir())
    for number, uid in enumerate(uids):
        image = pydicom.dcmread(slices[0])
        image.StudyInstanceUID, image.SOPInstanceUID = uid, f"{uid}.1"
        image.SeriesInstanceUID, image.StudyDate = f"{uid}.2", f"202001{number + 10}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(tmp_path / "one.dcm")
        server.add(tmp_path / "one.dcm")
    server.add(tmp_path / "ct")
    return [*uids, str(pydicom.dcmread(slices[0]).StudyInstanceUID)]


@pytest.mark.parametrize(("page", "knows_offset"), [(100, True), (3, True), (1, True), (100, False)])
def test_all_studies_come_page_by_page(
    page: int, knows_offset: bool, server: DicomwebServer, studies: list[str]
) -> None:
    server.pages, server.knows_offset = page, knows_offset
    found = list(pacs_of(server).studies(["CT", "CR"]))
    assert found == [StudyFound(uid, 1) for uid in studies[:-1]] + [StudyFound(studies[-1], 20)]
    assert list(pacs_of(server).studies(["CR"])) == []


def test_days_are_asked_for(server: DicomwebServer, studies: list[str]) -> None:
    assert [study.uid for study in pacs_of(server).studies(["CT"], "20200114-")] == studies[4:7]
    assert list(pacs_of(server).studies(["CT"], "20210101-")) == []


def test_a_series_comes_as_the_pacs_keeps_it(server: DicomwebServer, studies: list[str], tmp_path: Path) -> None:
    pacs, out = pacs_of(server), tmp_path / "out"
    out.mkdir()
    (series,) = pacs.series(studies[-1])
    assert (series.modality, series.instances) == ("CT", 20)
    instances = pacs.instances(studies[-1], series.uid)
    assert pacs.fetch(studies[-1], series.uid, out) == len(instances) == 20
    for path in out.iterdir():
        dataset = pydicom.dcmread(path)
        assert dataset == pydicom.dcmread(pydicom.filebase.DicomBytesIO(server.files[dataset.SOPInstanceUID]))
    assert pacs.header(studies[-1], series.uid, instances[3]).SOPInstanceUID == instances[3]
    assert pacs.fetch(studies[-1], series.uid, tmp_path, instances[3]) == 1
    assert pydicom.dcmread(tmp_path / "00001.dcm").SOPInstanceUID == instances[3]


def test_a_result_is_stored_and_a_second_time_is_the_same(server: DicomwebServer, about: About) -> None:
    image = secondary_capture(about)
    assert len(image.PixelData) > 2_000_000  # more than the library sends in one piece by itself
    pacs_of(server).store(image)
    pacs_of(server).store(image)
    assert set(server.stored) == {image.SOPInstanceUID} and "Transfer-Encoding" not in server.seen[0][2]
    server.refuses = 0x0111  # duplicate
    pacs_of(server).store(image)
    server.refuses = 0xA700
    with pytest.raises(PacsError, match=r"does not take a result \(reason 0xa700\); allow this program to store"):
        pacs_of(server).store(image)


def test_passing_faults_are_waited_out(server: DicomwebServer, studies: list[str], about: About) -> None:
    answers = [503, 429, 502]
    server.fault = lambda method, path: answers.pop() if answers else None
    assert len(list(pacs_of(server).studies(["CT"]))) == 8
    answers += [503, 504]
    pacs_of(server).store(secondary_capture(about))
    assert len(server.stored) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (503, PacsAwayError, "cannot serve now when asked for studies (503)"),
        (500, PacsAwayError, "cannot serve now when asked for studies (500)"),
        (401, PacsRefusedError, "refuses this program when asked for studies (401); check user and password, or token"),
        (403, PacsRefusedError, "(403)"),
        (404, PacsError, "says no when asked for studies (404); check that the address is its DICOMweb service"),
        (b"<html>Mustermann</html>", PacsRubbishError, "gives no DICOMweb answer when asked for studies"),
        (b'"Mustermann"', PacsRubbishError, "gives no DICOMweb answer"),
        (b'{"0020000D": ["Mustermann"]', PacsRubbishError, "gives no DICOMweb answer"),
        (b"[1, 2]", PacsRubbishError, "gives no DICOMweb answer"),
    ],
)
def test_each_failure_is_one_sentence(
    answer: int | bytes, kind: type[PacsError], sentence: str, server: DicomwebServer
) -> None:
    server.fault = lambda method, path: answer
    with pytest.raises(PacsError) as raised:
        list(pacs_of(server).studies(["CT"]))
    assert type(raised.value) is kind
    assert sentence in str(raised.value) and str(raised.value).startswith(f"127.0.0.1:{server.port}: ")
    assert "Mustermann" not in str(raised.value) and "\n" not in str(raised.value)


def test_odd_items_of_a_search_are_passed_over(server: DicomwebServer) -> None:
    pages = [b'[{"0020000D": {"Value": "x"}}, {"0020000D": {"Value": ["1.2.3"]}, "00201208": {"Value": ["y"]}}]', b"[]"]
    server.fault = lambda method, path: pages.pop(0)
    assert list(pacs_of(server).studies(["CT"])) == [StudyFound("1.2.3", None)]


def test_images_that_are_none_are_rubbish(server: DicomwebServer, studies: list[str], tmp_path: Path) -> None:
    series = pacs_of(server).series(studies[-1])[0].uid
    server.files = dict.fromkeys(server.files, b"Mustermann")
    with pytest.raises(PacsRubbishError, match="no DICOMweb answer when asked for the images of a series"):
        pacs_of(server).fetch(studies[-1], series, tmp_path)


def test_a_series_without_end_is_refused(
    server: DicomwebServer, studies: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = pacs_of(server).series(studies[-1])[0].uid
    monkeypatch.setenv("PNEUMOSCREEN_MAX_SCAN_MB", "1")
    server.files = {uid: content + bytes(200_000) for uid, content in server.files.items()}
    with pytest.raises(ImageError, match=r"the series is larger than 2 times 1 MB; .* raise PNEUMOSCREEN_MAX_SCAN_MB"):
        pacs_of(server).fetch(studies[-1], series, tmp_path)


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_parts_come_as_they_were_sent_in_whatever_pieces(size: int) -> None:
    bodies = [b"", b"a\r\n--b", b"\r\n\r\n--boun", bytes(range(256))]
    text = b"".join(b"--bound\r\nContent-Type: x\r\n\r\n" + body + b"\r\n" for body in bodies) + b"--bound--\r\n"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert list(parts(pieces, b"bound")) == bodies


def test_a_pacs_that_is_away(server: DicomwebServer) -> None:
    pacs = pacs_of(server)
    server.stop()
    with pytest.raises(PacsAwayError, match="does not answer when asked for studies; check its address and that it"):
        list(pacs.studies(["CT"]))


def test_a_pacs_that_says_nothing(server: DicomwebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_TIMEOUT_S", (0.2, 0.2))
    heard = threading.Event()
    server.fault = lambda method, path: 200 if heard.wait(20) else 500
    try:
        with pytest.raises(PacsAwayError, match="does not answer"):
            list(Pacs(Access(server.url), retries=1, backoff_s=0.01).studies(["CT"]))
    finally:
        heard.set()


def test_user_and_token_are_told(server: DicomwebServer) -> None:
    list(pacs_of(server, user="jörg", password="pass wörd").studies(["CT"]))
    list(pacs_of(server, token="abc.def").studies(["CT"]))
    basic, bearer = (headers["Authorization"] for _, _, headers in server.seen)
    assert base64.b64decode(basic.removeprefix("Basic ")).decode() == "jörg:pass wörd"
    assert bearer == "Bearer abc.def"


@pytest.mark.parametrize("asks_for_one", [False, True])
def test_certificates_are_checked_and_shown(certificate: Path, asks_for_one: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if asks_for_one:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
    server = DicomwebServer().start(context)
    url = server.url.replace("http:", "https:")

    def ask(**access: object) -> list[StudyFound]:
        return list(Pacs(Access(url, **access), retries=1, backoff_s=0.01).studies(["CT"]))

    try:
        with pytest.raises(PacsRefusedError, match=r"certificate cannot be checked; name the file of its authority"):
            ask()
        if asks_for_one:
            with pytest.raises(PacsError):
                ask(ca_file=certificate)
        assert ask(ca_file=certificate, client_cert=certificate) == []
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("access", "sentence"),
    [
        (Access("pacs.clinic.org/dicom-web"), "--pacs: is no address of a DICOMweb service; give one such as"),
        (Access("file:///etc"), "--pacs: is no address"),
        (Access("http://host:99999/x"), "--pacs: is no address"),
        (Access("http://me:secret@host/x"), "--pacs: holds a user or password, which others could read"),
        (Access("http://host", user="me", token="x"), "--user: does not go with a token; leave one of them out"),
        (Access("https://host", ca_file=Path("no/such")), "--ca-file no/such: is no file; name an existing one"),
    ],
)
def test_what_is_no_access_is_said_at_once(access: Access, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Pacs(access)
    assert sentence in str(raised.value) and "secret" not in str(raised.value)
