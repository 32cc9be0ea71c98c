"""What one client may take of the server, and that a sentence says where it ends; the pages and their headers."""

import asyncio
import errno
import io
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
from fastapi import FastAPI
from starlette.testclient import TestClient

from pneumoscreen.errors import Cancelled, ConfigError
from pneumoscreen.limits import Limits
from pneumoscreen.models.atomic_files import is_full_disk
from pneumoscreen.server import failures
from pneumoscreen.server.failures import BusyError, RequestError, TooLargeError, has_no_room
from pneumoscreen.server.http.application import _answer_errors
from pneumoscreen.server.http.routes import inference as infer_route
from pneumoscreen.server.inference.jobs import JobBoard, State
from pneumoscreen.server.store.datastore import StudiesDatastore
from pneumoscreen.server.store.submissions import MOST_REGIONS

from ...studies.conftest import document
from ..conftest import RunningServer, serving


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "1e3", "9" * 30, "²", "١"])
def test_a_limit_that_is_no_number_is_named(value: str) -> None:
    with pytest.raises(ConfigError, match="PNEUMOSCREEN_READ_SECONDS"):
        Limits.of_environment({"PNEUMOSCREEN_READ_SECONDS": value})


def test_limits_come_from_the_environment() -> None:
    found = Limits.of_environment({"PNEUMOSCREEN_READ_SECONDS": " 7 ", "PNEUMOSCREEN_MAX_JOBS": "", "OTHER": "x"})
    assert found == Limits(read_seconds=7)


def test_the_administrator_can_read_of_every_limit() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, value in vars(Limits()).items():
        assert re.search(rf"`PNEUMOSCREEN_{name.upper()}` \| +\| {value} ", text), name


def test_the_administrator_can_read_of_every_variable() -> None:
    root = Path(__file__).resolve().parents[3]
    text = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (root / "lib").rglob("*.py")]
    found = {name for source in sources for name in re.findall(r"[\"`](PNEUMOSCREEN_[A-Z_]*[A-Z])[\"`]", source)}
    assert len(found) > 5
    assert {name for name in found if name not in text} == {"PNEUMOSCREEN_PARENT"}, "between processes of one server"


class TestJobs:
    def test_one_reader_has_a_limit_and_all_have_one(self) -> None:
        board = JobBoard(most=3, most_of_reader=2)
        first = board.add("ct", "a", "mallory")
        board.add("ct", "b", "mallory")
        with pytest.raises(BusyError, match="2 inferences of mallory"):
            board.add("ct", "c", "mallory")
        assert not board.is_full
        board.add("ct", "d", "alice")
        assert board.is_full
        with pytest.raises(BusyError, match="3 inferences wait"):
            board.add("ct", "e", "bob")
        with board.running(first):
            pass
        board.add("ct", "e", "mallory")

    def test_without_names_only_all_count(self) -> None:
        board = JobBoard(most=5, most_of_reader=1)
        for name in "abcde":
            board.add("ct", name)
        with pytest.raises(BusyError):
            board.add("ct", "f")

    @pytest.mark.parametrize("has_begun", [False, True])
    def test_a_job_leaves_with_its_client(self, has_begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(infer_route, "_ASKED_EVERY_S", 0.01)
        board, may_end, begun = JobBoard(), threading.Event(), threading.Event()
        job = board.add("ct", "a")

        class Gone:
            async def is_disconnected(self) -> bool:
                return True

        def work() -> dict:
            with board.running(job):
                begun.set()
                while True:
                    job.report("read", 0.5)

        with ThreadPoolExecutor(1) as pool:
            if not has_begun:
                pool.submit(may_end.wait)
            done = pool.submit(work)
            if has_begun:
                assert begun.wait(60)
            with pytest.raises(Cancelled):
                asyncio.run(infer_route._while_wanted(done, job, board, Gone()))  # type: ignore[arg-type]
            may_end.set()
        assert job.state is State.CANCELLED
        assert begun.is_set() is has_begun


class TestFailures:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
    def test_a_full_disk_is_known(self, number: int) -> None:
        assert is_full_disk(OSError(number, "no"))
        assert not is_full_disk(OSError(errno.ENOENT, "no"))
        assert not is_full_disk(RuntimeError("no"))

    @pytest.mark.parametrize(("error", "status"), [(OSError(errno.ENOSPC, "no"), 503), (RuntimeError("no"), 500)])
    def test_an_answer_after_a_fault_says_that_the_connection_ends(
        self, error: Exception, status: int, tmp_path: Path
    ) -> None:
        """The server hangs up then; a client that sends its next request on the same connection would lose it."""
        app = FastAPI()
        _answer_errors(app, cast(Any, SimpleNamespace(studies=str(tmp_path))))

        @app.get("/fail")
        def fail() -> None:
            raise error

        answer = TestClient(app, raise_server_exceptions=False).get("/fail")
        assert (answer.status_code, answer.headers["connection"]) == (status, "close")
        assert answer.json().keys() == {"detail"}

    def test_room_is_looked_for_where_a_library_does_not_say(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not has_no_room("http://elsewhere")
        monkeypatch.setattr(failures, "_LEAST_ROOM", 1 << 62)
        assert has_no_room(str(tmp_path))


def test_a_document_with_thousands_of_regions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"unread")
    datastore = StudiesDatastore(str(tmp_path))
    text = json.loads(document("a").to_json())
    region = text["regions"][0]
    text["regions"] = [{**region, "id": f"r{number}"} for number in range(MOST_REGIONS + 1)]
    with pytest.raises(RequestError, match=f"at most {MOST_REGIONS}"):
        datastore.submit("a", json.dumps(text).encode())


def test_a_large_document_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "a.nii.gz").write_bytes(b"unread")
    datastore = StudiesDatastore(str(tmp_path / "studies"))
    (tmp_path / "label.json").write_bytes(b"[" + b"[1]," * 400_000 + b"1]")
    monkeypatch.setenv("PNEUMOSCREEN_MAX_DOCUMENT_MB", "1")
    for tag in ("final", "original"):
        with pytest.raises(TooLargeError, match="PNEUMOSCREEN_MAX_DOCUMENT_MB"):
            datastore.save_label("a", str(tmp_path / "label.json"), tag, {})


@pytest.fixture(scope="module")
def narrow(studies: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with low limits."""
    with serving(
        studies,
        model_root,
        tmp_path_factory,
        PNEUMOSCREEN_MAX_UPLOAD_MB="2",
        PNEUMOSCREEN_MAX_DOCUMENT_MB="1",
        PNEUMOSCREEN_MAX_CONNECTIONS="20",
        PNEUMOSCREEN_HEADER_SECONDS="2",
    ) as running:
        yield running


def refused(answer: requests.Response, variable: str) -> None:
    assert answer.status_code == 413, answer.text[:200]
    assert variable in answer.json()["detail"]


def test_bodies_have_limits(narrow: RunningServer) -> None:
    address = narrow.client.address
    large = {"file": ("a.nii.gz", bytes(40 << 20))}
    refused(requests.post(f"{address}/infer/ct_screening", files=large, timeout=120), "PNEUMOSCREEN_MAX_UPLOAD_MB")
    put = f"{address}/pneumoscreen/annotations/upright"
    refused(requests.put(put, data=bytes(40 << 20), timeout=120), "PNEUMOSCREEN_MAX_DOCUMENT_MB")
    # Without a length nothing is claimed, and what comes is counted.
    parts = io.BytesIO(b"{" + b" " * (2 << 20) + b"}")
    refused(requests.put(put, data=iter(lambda: parts.read(1 << 16), b""), timeout=120), "PNEUMOSCREEN_MAX_DOCUMENT_MB")
    assert narrow.client.get("/info/").status_code == 200


@pytest.mark.parametrize("said", [b"", b"GET /info/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"GET"])
def test_connections_that_say_nothing_are_closed(narrow: RunningServer, said: bytes) -> None:
    port = int(narrow.client.address.rsplit(":", 1)[1])
    connections = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(40)]
    try:
        for connection in connections:
            try:
                connection.sendall(said)
                assert connection.recv(100) in (b"",)
            except (ConnectionResetError, BrokenPipeError):
                continue
    finally:
        for connection in connections:
            connection.close()
    assert narrow.client.get("/info/").status_code == 200


PAGES = ["/", "/docs", "/openapi.json", "/info/", "/logs/", "/ohif/", "/nowhere", "/favicon.ico", "/pneumoscreen/cases"]
PAGES += [
    "/ohif/..",
    "/ohif/../../../../etc/passwd",
    "/ohif/%2e%2e%2f%2e%2e%2fconfig.py",
    "/ohif//etc/passwd",
    "/ohif/%00",
]


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_nothing_from_elsewhere(narrow: RunningServer, path: str) -> None:
    address = narrow.client.address
    prepared = requests.Request("GET", address + path).prepare()
    prepared.url = address + path  # as it is, with its dots
    with requests.Session() as session:
        answer = session.send(prepared, timeout=60, allow_redirects=False)
    assert answer.status_code < 500
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'" if not path.startswith("/ohif") else "default-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "root:" not in answer.text
    if answer.headers["content-type"].startswith("text/html") and not path.startswith("/ohif"):
        assert not re.search(r"https?://|<script|//cdn", answer.text)


def test_the_front_page_lists_what_there_is(narrow: RunningServer) -> None:
    text = narrow.client.get("/").text
    assert "/pneumoscreen/cases" in text
    assert "Research use only" in text
    assert text == narrow.client.get("/docs").text


def test_no_answer_names_a_place_of_the_disk(narrow: RunningServer) -> None:
    address = narrow.client.address
    for answer in (
        requests.post(f"{address}/infer/ct_screening", params={"image": "broken"}, timeout=120),
        requests.post(f"{address}/infer/ct_screening", files={"file": ("a.nii.gz", b"no scan")}, timeout=120),
        requests.put(f"{address}/session/?uncompress=true", files={"files": ("a.tar", b"no archive")}, timeout=120),
    ):
        assert answer.status_code == 422, answer.text
        assert str(narrow.studies) not in answer.text
        assert "/tmp" not in answer.text


def test_the_log_names_no_case(server: RunningServer) -> None:
    server.client.infer("ct_candidates", "upright", output="json")
    log = server.log.read_text(encoding="utf-8")
    assert "ct_candidates of case" in log
    assert "upright" not in log
