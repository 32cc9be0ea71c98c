"""The client and the helper process against a real ``pneumoscreen serve`` with a phantom; nothing of ours is mocked."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from tests.server.conftest import REPOSITORY, RunningServer, copied_models, model_root, phantom, serving
from tests.slicer_extension.doubles.misbehaving import routed

from pneumoscreen.images.volume import Volume
from PneumoScreenLib.client.server import Server, ServerError
from PneumoScreenLib.contract import Case
from PneumoScreenLib.reading.reading import Reading

__all__ = ["model_root", "phantom"]

PACKAGE = REPOSITORY / "slicer_extension" / "PneumoScreen"


@pytest.fixture(scope="module")
def clinic(model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server over two scans, one of them in another format."""
    studies = tmp_path_factory.mktemp("studies")
    image = phantom.to_sitk(phantom.hu)
    sitk.WriteImage(image, studies / "upright.nii.gz")
    sitk.WriteImage(image, studies / "second.nrrd")
    models = copied_models(model_root, tmp_path_factory.mktemp("models"))
    with serving(studies, models, tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="module")
def server(clinic: RunningServer) -> Server:
    return Server(clinic.client.address, reader="dr-a")


@pytest.fixture(scope="module")
def patient_server(model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a scan so large that there is time to cancel its screening."""
    studies = tmp_path_factory.mktemp("studies")
    image = sitk.GetImageFromArray(phantom.hu.repeat(10, 0).repeat(4, 1).repeat(4, 2))
    small = phantom.to_sitk(phantom.hu)
    image.CopyInformation(sitk.Expand(small, [4, 4, 10], sitk.sitkNearestNeighbor))
    sitk.WriteImage(image, studies / "large.nrrd")
    with serving(studies, copied_models(model_root, tmp_path_factory.mktemp("models")), tmp_path_factory) as running:
        yield Server(running.client.address, reader="dr-a")


@pytest.fixture(scope="module")
def screening(server: Server) -> dict[str, Any]:
    """Document of a screening, with what was said meanwhile."""
    said: list[tuple[str, float | None]] = []
    document = server.screen("upright", lambda text, fraction: said.append((text, fraction)))
    assert said and all(fraction is None or 0.0 <= fraction <= 1.0 for _, fraction in said)
    return document


class Worker:
    """The helper process, spoken to as ``calls.py`` does."""

    def __init__(self, address: str, reader: str = "dr-a") -> None:
        start = "import sys; sys.path.insert(0, sys.argv.pop()); from PneumoScreenLib.client.worker import main; main()"
        self.server = {"address": address, "token": None, "ca_file": None, "reader": reader}
        self.process = subprocess.Popen(
            [sys.executable, "-c", start, str(PACKAGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def say(self, **message: Any) -> None:
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, number: int, call: str, **args: Any) -> None:
        self.say(id=number, call=call, server=self.server, args=args)

    def hear(self) -> dict[str, Any]:
        return json.loads(self.process.stdout.readline())

    def answer(self, number: int) -> dict[str, Any]:
        while True:
            message = self.hear()
            if message["id"] == number and "progress" not in message:
                return message


@pytest.fixture
def worker(clinic: RunningServer) -> Iterator[Worker]:
    worker = Worker(clinic.client.address)
    yield worker
    worker.say(quit=True)
    assert worker.process.wait(20) == 0


def job_of(server: Server, image: str) -> dict[str, Any]:
    """The newest inference of an image, as the server's board shows it."""
    return server._transport.json("GET", f"/pneumoscreen/progress/{image}")


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def fetched_when_offered(server: Server, case_id: str, folder: Path) -> bytes:
    """The volume of a case that somebody may still be writing, as the server sees it."""
    fetched: list[str] = []

    def is_fetched() -> bool:
        try:
            fetched.append(server.download(case_id, str(folder)))
        except ServerError as error:
            # Not seen yet, or not at rest yet.
            if error.kind != "missing" and "is being copied" not in str(error):
                raise
        return bool(fetched)

    wait_until(is_fetched)
    return Path(fetched[0]).read_bytes()


def remove(server: Server, file: Path) -> None:
    """Take a scan out of the studies again; the other tests count what the server offers."""
    file.unlink()
    wait_until(lambda: file.stem not in {row["id"] for row in server.worklist()})


def test_the_server_describes_itself(server: Server) -> None:
    told = server.describe()
    assert told["models"] == {"ct_candidates": 1, "ct_classifier": 1}
    assert told["strategies"][0] == "combined" and "ct_classifier" in told["trainers"]
    assert (told["user"], told["is_known"], told["offers_xray"]) == ("local", False, True)
    assert told["roles"] == ["administrator"]


def test_next_case_is_leased_and_given_back(server: Server) -> None:
    assert {row["id"] for row in server.worklist()} == {"upright", "second"}
    found = server.next_case("first")
    assert found["lease"]["reader"] == "dr-a"
    other = Server(server.address, reader="dr-b").next_case("first")
    assert {found["id"], other["id"]} == {"upright", "second"}
    assert Server(server.address, reader="dr-c").next_case("first") == {}
    server.release(found["id"])
    server.release(found["id"])
    Server(server.address, reader="dr-b").release(other["id"])
    assert [row["lease"] for row in server.worklist()] == [None, None]


def test_a_download_is_whole_kept_and_checked(server: Server, clinic: RunningServer, tmp_path: Path) -> None:
    original = (clinic.studies / "upright.nii.gz").read_bytes()
    told: list[float | None] = []
    path = Path(server.download("upright", str(tmp_path), lambda text, fraction: told.append(fraction)))
    assert path.name == "volume.nii.gz" and path.read_bytes() == original and told[-1] == 1.0
    before = path.stat().st_mtime_ns
    told.clear()
    assert server.download("upright", str(tmp_path), lambda text, fraction: told.append(fraction)) == str(path)
    assert told == [] and path.stat().st_mtime_ns == before
    path.write_bytes(original[:-1])
    assert Path(server.download("upright", str(tmp_path))).read_bytes() == original
    assert sorted(each.name for each in path.parent.iterdir()) == ["kept.json", "volume.nii.gz"]


def test_a_changed_scan_is_fetched_again(server: Server, clinic: RunningServer, tmp_path: Path) -> None:
    # A scan of its own: one that was written only now is not offered to the other tests.
    image, file = sitk.ReadImage(str(clinic.studies / "second.nrrd")), clinic.studies / "changing.nrrd"
    try:
        sitk.WriteImage(image, file)
        original = fetched_when_offered(server, "changing", tmp_path)
        assert original == file.read_bytes()
        sitk.WriteImage(image + 1, file)
        assert fetched_when_offered(server, "changing", tmp_path) == file.read_bytes() != original
    finally:
        remove(server, file)


def test_a_scan_that_is_being_copied_is_said_to_be(server: Server, clinic: RunningServer, tmp_path: Path) -> None:
    file, said = clinic.studies / "growing.nrrd", ""

    def is_said() -> bool:
        nonlocal said
        with file.open("ab") as growing:
            growing.write(b"more of it")
        try:
            server.download("growing", str(tmp_path))
        except ServerError as error:
            said = str(error)
        return "is being copied" in said

    try:
        wait_until(is_said)
        assert said == "Image growing is being copied into the studies folder; try again in ten seconds."
    finally:
        remove(server, file)


def test_a_cancelled_download_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ServerError) as caught:
        server.download("upright", str(tmp_path), cancelled=lambda: True)
    assert caught.value.kind == "cancelled"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ServerError, match="make room there or choose another folder") as caught:
        server.download("upright", str(tmp_path / "file"))
    assert caught.value.kind == "fault"


def test_a_case_that_is_not_there(server: Server, tmp_path: Path) -> None:
    for ask in (server.screen, server.annotations, lambda case: server.download(case, str(tmp_path))):
        with pytest.raises(ServerError) as caught:
            ask("nobody")
        assert caught.value.kind == "missing" and "nobody" in str(caught.value)
    assert server.screening_of("nobody") is None and server.training() is None
    with pytest.raises(ServerError) as caught:
        server.stop_training()
    assert caught.value.kind == "missing"


def test_read_correct_classify_submit_and_a_conflict(server: Server, screening: dict[str, Any], tmp_path: Path) -> None:
    assert server.screening_of("upright") == screening
    labels = sitk.ReadImage(server.masks("upright", str(tmp_path)))
    assert labels.GetSize() == tuple(screening["image"]["size"])
    assert set(sitk.GetArrayViewFromImage(labels).ravel().tolist()) >= {1, 2}

    reading = Reading(Case.from_dict(screening), server.annotations("upright")["counting"] or 0, "dr-a")
    first = reading.case.regions[0]
    reading.mark(first.id, "influenza_a")
    reading.set_note("seen twice")
    added = reading.add(first.center_mm, (30.0, 24.0, 20.0), "covid19")
    reading.move(first.id, first.center_mm, tuple(1.5 * edge for edge in first.size_mm))
    wanted = [region for region in reading.case.to_dict()["regions"] if region["id"] in (added, first.id)]
    reading.classified(server.classify("upright", wanted))
    assert all(reading.region(key).patches and reading.region(key).reader for key in (added, first.id))

    stored = server.submit("upright", reading.document(), reading.base)
    reading.submitted(stored["version"])
    assert not reading.is_modified and stored["reader"] == "dr-a"
    version = server.annotation("upright", stored["version"])
    assert Case.from_dict(version["document"]) == reading.case

    other = Reading(Case.from_dict(screening), 0, "dr-b")
    other.mark(first.id, "irrelevant")
    with pytest.raises(ServerError) as caught:
        Server(server.address, reader="dr-b").submit("upright", other.document(), other.base)
    assert caught.value.kind == "conflict"
    assert (caught.value.detail["other"]["reader"], caught.value.detail["other"]["version"]) == (
        "dr-a",
        stored["version"],
    )
    assert other.is_modified
    answer = Server(server.address, reader="dr-b").submit("upright", other.document(), stored["version"])
    assert answer["version"] == stored["version"] + 1


def test_a_box_without_a_label_can_be_classified(server: Server, screening: dict[str, Any]) -> None:
    reading = Reading(Case.from_dict(screening), 0, "dr-a")
    added = reading.add(reading.case.regions[0].center_mm, (30.0, 24.0, 20.0))
    reading.classified(server.classify("upright", [reading.case.to_dict()["regions"][-1]]))
    assert reading.region(added).label is not None and reading.problem() is not None
    reading.accept(added)
    assert reading.problem() is None


def test_a_document_that_breaks_the_contract_is_refused(server: Server, screening: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match="case_id") as caught:
        server.submit("second", screening, 0)
    assert caught.value.kind == "refused"


def test_a_volume_is_sent(server: Server, clinic: RunningServer, tmp_path: Path) -> None:
    told: list[float | None] = []
    source = clinic.studies / "upright.nii.gz"
    server.upload(str(source), "sent.case", lambda text, fraction: told.append(fraction))
    assert told[-1] == 1.0 and (clinic.studies / "sent.case.nii.gz").read_bytes() == source.read_bytes()
    with pytest.raises(ServerError, match="save the volume again"):
        server.upload(str(tmp_path / "none.nrrd"), "sent")
    with pytest.raises(ServerError) as caught:
        server.upload(str(source), "stopped", cancelled=lambda: True)
    assert caught.value.kind == "cancelled"
    assert {row["id"] for row in server.worklist()} == {"upright", "second", "sent.case"}


def test_models_and_the_way_back(server: Server) -> None:
    assert server.models()["models"]["ct_classifier"]["current"] == 1
    with pytest.raises(ServerError) as caught:
        server.rollback("ct_classifier")
    assert caught.value.kind == "conflict"
    with pytest.raises(ServerError) as caught:
        server.train("ct_unknown")
    assert caught.value.kind == "missing"


def test_a_cancelled_screening_ends_on_the_server(patient_server: Server) -> None:
    server = patient_server
    stop, seen = threading.Event(), []

    def progress(text: str, fraction: float | None) -> None:
        seen.append(text)
        stop.set()

    with pytest.raises(ServerError) as caught:
        server.screen("large", progress, stop.is_set)
    assert caught.value.kind == "cancelled" and seen
    end = time.monotonic() + 20
    while job_of(server, "large")["state"] in ("queued", "running"):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert job_of(server, "large")["state"] == "cancelled"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"detail": "image ct-1 is being copied; try again in ten seconds"}, "Image ct-1 is being copied; try again"),
        (
            {"detail": "the ct_screening of ct-1 was cancelled", "cancelled": True},
            "stopped on the server; start it",
        ),
    ],
)
def test_a_screening_that_the_server_does_not_end_is_told(answer: dict[str, Any], sentence: str) -> None:
    answers = {"GET /pneumoscreen/progress": (200, {"jobs": []}), "POST /infer/": (409, answer)}
    with routed(answers) as address, pytest.raises(ServerError, match=sentence) as caught:
        Server(address).screen("ct-1")
    # Not as the reader's own cancelling, of which the panel says nothing.
    assert caught.value.kind == "conflict"


def test_the_helper_answers_side_by_side_and_cancels_at_once(worker: Worker, server: Server) -> None:
    worker.ask(1, "screen", case_id="second")
    assert worker.hear()["progress"]["text"]
    worker.ask(2, "worklist")
    assert len(worker.answer(2)["result"]) >= 2
    asked = time.monotonic()
    worker.say(id=1, cancel=True)
    assert worker.answer(1)["error"]["kind"] == "cancelled" and time.monotonic() - asked < 0.5
    worker.ask(3, "annotation", case_id="second", version=99)
    error = worker.answer(3)["error"]
    assert (error["kind"], error["status"]) == ("missing", 404)


def test_the_helper_survives_rubbish(worker: Worker) -> None:
    worker.process.stdin.write(b"no json\n[]\n{}\n")
    worker.ask(1, "unknown")
    worker.ask(2, "annotation", wrong=1)
    answers = {message["id"]: message["error"] for message in (worker.hear(), worker.hear())}
    assert {error["kind"] for error in answers.values()} == {"fault"}
    assert all("Traceback" not in error["message"] for error in answers.values())


def test_a_helper_that_is_told_to_end_stops_its_screening(patient_server: Server) -> None:
    server = patient_server
    worker = Worker(server.address)
    worker.ask(1, "screen", case_id="large")
    worker.hear()
    job = job_of(server, "large")["id"]
    worker.process.stdin.close()
    assert worker.process.wait(20) == 0
    end = time.monotonic() + 20
    while job_of(server, "large")["state"] in ("queued", "running"):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert job_of(server, "large") | {"id": job, "state": "cancelled"} == job_of(server, "large")


def test_a_killed_server_loses_nothing(
    model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory, screening: dict[str, Any]
) -> None:
    studies = tmp_path_factory.mktemp("studies")
    sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / "upright.nii.gz")
    with serving(studies, model_root, tmp_path_factory) as running:
        server = Server(running.client.address, reader="dr-a")
        reading = Reading(Case.from_dict(screening), 0, "dr-a")
        reading.mark(reading.case.regions[0].id, "irrelevant")
        killed: list[float] = []

        def kill(text: str, fraction: float | None) -> None:
            if not killed:
                killed.append(time.monotonic())
                os.kill(running.process.pid, signal.SIGKILL)

        with pytest.raises(ServerError) as caught:
            server.screen("upright", kill)
        assert caught.value.kind == "unreachable" and time.monotonic() - killed[0] < 10
        with pytest.raises(ServerError) as caught:
            server.submit("upright", reading.document(), reading.base)
        assert caught.value.kind == "unreachable" and "nothing is lost" in str(caught.value)
        assert reading.is_modified and reading.region(reading.case.regions[0].id).reader.label == "irrelevant"
