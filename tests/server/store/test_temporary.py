"""Nothing is left in the temporary folder or among the studies: by requests, by a server that ends, by one killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.images.volume import Volume
from pneumoscreen.server.store.temporary import clear_leftovers, own_folder

from ...studies.conftest import document
from ..conftest import RunningServer, environment, serving

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _own_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def test_a_servers_folder_goes_with_it(tmp_path: Path) -> None:
    with own_folder() as folder:
        assert Path(tempfile.mkdtemp()).parent == folder == Path(os.environ["TMPDIR"])
        (folder / "left").write_text("x")
        with own_folder() as other:
            assert folder.exists(), "a server that runs keeps its folder"
            assert other != folder
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_folder_of_a_killed_server_goes_at_the_next_start(tmp_path: Path) -> None:
    code = (
        "import os, signal, tempfile; from pneumoscreen.server.store.temporary import own_folder\n"
        "with own_folder() as folder: (folder / 'scan').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code], env={**environment(tmp_path), "TMPDIR": str(tmp_path / "tmp")})
    assert ended.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "tmp").iterdir()
    assert (left / "scan").exists()
    mine = tmp_path / "tmp" / "pneumoscreen-server-young"
    mine.mkdir()
    with own_folder():
        assert not left.exists()
        assert mine.exists(), "it may be that of a server that starts this very moment"


def test_a_server_that_is_stopped_as_services_are_takes_its_folder_along(tmp_path: Path) -> None:
    code = (
        "import os, signal, time; from pneumoscreen.server.store.temporary import own_folder\n"
        "with own_folder() as folder: (folder / 'scan').write_text('x'); os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(600)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**environment(tmp_path), "TMPDIR": str(tmp_path / "tmp")}, timeout=500
    )
    assert ended.returncode == -signal.SIGTERM, "whoever stopped it sees that it ended by that"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_was_staged_among_the_studies_is_removed(tmp_path: Path) -> None:
    studies, long_ago = tmp_path / "studies", time.time() - 10
    staged = [
        ".part-abcd1234",
        ".datastore_v2.json-abcd1234",
        "labels/final/.a.json-abcd1234",
        "labels/original/.part-abcd1234",
        "annotations/a/.000001.json-abcd1234",
        "annotations/a/.000001.nii.gz-abcd1234",
        ".pneumoscreen/.leases.json-abcd1234",
        ".pneumoscreen/scores/.a.json-abcd1234",
        ".pneumoscreen/screened_before/a/.0123456789abcdef.json-abcd1234",
        f".pneumoscreen/reports/.{2**22 - 1}.a.html",
        ".pneumoscreen/images/0123456789abcdef.part.nrrd",
    ]
    kept = [
        ".DS_Store",
        ".hidden.nrrd",
        "._a.nii.gz",
        "a.nii.gz",
        "patient/.part-abcd1234",
        "annotations/a/.lock",
        "annotations/a/000001.json",
        f".pneumoscreen/reports/.{os.getppid()}.a.html",
        ".pneumoscreen/reports/a.html",
    ]
    for name in [*staged, *kept, "labels/final/.young.json-abcd1234"]:
        (studies / name).parent.mkdir(parents=True, exist_ok=True)
        (studies / name).write_text("x")
        os.utime(studies / name, (long_ago, long_ago))
    os.utime(studies / "labels/final/.young.json-abcd1234")
    (studies / "labels" / "linked").symlink_to(studies / "patient")
    assert clear_leftovers(studies, time.time() - 5) == len(staged)
    assert not any((studies / name).exists() for name in staged)
    assert all((studies / name).exists() for name in [*kept, "labels/final/.young.json-abcd1234"])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server's temporary files."""
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def clinic(
    tmp_path_factory: pytest.TempPathFactory, model_root: Path, phantom: Volume, base: Path, home: Path
) -> Iterator[RunningServer]:
    studies = tmp_path_factory.mktemp("studies")
    sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / "one.nii.gz")
    with serving(studies, model_root, tmp_path_factory, TMPDIR=str(base), HOME=str(home)) as running:
        yield running
    assert list(base.iterdir()) == [], "the server ended"


NOISE = np.random.default_rng(1).bytes(100_000)
CALLS: dict[str, tuple[Callable[..., requests.Response], str, dict[str, object]]] = {
    "label refused": (requests.put, "/datastore/label?image=one", {"files": {"label": ("x.nrrd", NOISE)}}),
    "label of nobody": (requests.put, "/datastore/label?image=none", {"files": {"label": ("x.json", NOISE)}}),
    "label taken": (requests.put, "/datastore/label?image=one&tag=original", {"files": {"label": ("x.nrrd", NOISE)}}),
    "image refused": (requests.put, "/datastore/image?image=..", {"files": {"file": ("x.nii.gz", NOISE)}}),
    "image taken": (requests.put, "/datastore/image?image=two", {"files": {"file": ("x.nii.gz", NOISE)}}),
    "archive refused": (requests.put, "/session/?uncompress=true", {"files": {"files": ("x.zip", NOISE)}}),
    "upload refused": (requests.post, "/infer/ct_screening?output=json", {"files": {"file": ("x.nii.gz", NOISE)}}),
    "label map": (requests.post, "/infer/ct_candidates?image=one", {}),
    "label not kept": (
        requests.post,
        "/infer/ct_candidates?image=one",
        {"data": {"params": json.dumps({"save_label": True, "label_tag": "../up"})}},
    ),
    "data set": (requests.get, "/datastore/dataset", {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_request_leaves_nothing(clinic: RunningServer, base: Path, name: str) -> None:
    if name == "data set":
        clinic_document = document("one").to_json()
        put = requests.put(f"{clinic.client.address}/pneumoscreen/annotations/one", data=clinic_document, timeout=60)
        assert put.status_code == 200
    method, path, more = CALLS[name]
    method(clinic.client.address + path, timeout=600, **more)
    end = time.monotonic() + PATIENCE_S
    while (left := [path for path in base.rglob("*") if path.is_file() and path.name != ".lock"]) and (
        time.monotonic() < end
    ):
        time.sleep(0.1)  # the last step of an answer comes after its last byte
    assert left == []


def test_a_session_leaves_nothing_once_it_is_deleted(clinic: RunningServer, home: Path) -> None:
    address = clinic.client.address
    made = requests.put(f"{address}/session/", files={"files": ("x.nii.gz", NOISE)}, timeout=60).json()
    assert made["session_info"]["image"] == "x.nii.gz", "no place of the server's disk"
    sessions = home / ".cache" / "monailabel" / "sessions"
    assert [path for path in sessions.rglob("*") if path.is_file()]
    assert requests.delete(f"{address}/session/{made['session_id']}", timeout=60).status_code == 200
    assert [path for path in sessions.rglob("*") if path.is_file()] == []


def test_no_answer_says_where_things_lie(clinic: RunningServer, base: Path, home: Path) -> None:
    address = clinic.client.address
    answers = [
        requests.get(f"{address}{path}", timeout=60)
        for path in (
            "/info/", "/datastore/?output=all", "/datastore/?output=train", "/datastore/image/info?image=one",
            "/pneumoscreen/cases", "/pneumoscreen/models", "/pneumoscreen/progress/one", "/logs/", "/train/",
            "/infer/ct_screening?image=nobody", "/session/none", "/model/nothing", "/scoring/", "/openapi.json",
        )
    ]  # fmt: skip
    answers.append(requests.post(f"{address}/activelearning/first", json={}, timeout=60))
    answers.append(requests.post(f"{address}/infer/cxr_screening?image=one&output=json", timeout=600))
    answers.append(requests.get(f"{address}/pneumoscreen/progress/one", timeout=60))
    assert answers[3].json()["path"] == "one.nii.gz"
    for answer in answers:
        for place in (clinic.studies, clinic.models, base, home, Path(__file__).parents[3]):
            assert str(place) not in answer.text, answer.url
