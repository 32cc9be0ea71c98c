"""An archive in a real Orthanc: the documents of the files, whatever is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pydicom
import pytest
from scripts.orthanc import Orthanc, missing
from scripts.phantom_files import write_ct, write_xray
from tests.archive.test_run import Run, children, documents, rows, wait_for

from pneumoscreen.archive.manifest import FAILED, REFUSED, SCREENED, WAITING
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.cxr.networks import NETWORKS
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.models.store import ModelStore
from pneumoscreen.pacs.client import Access, Pacs
from pneumoscreen.pacs.selection import MODALITIES, NOTHING

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"Debian packages are not installed: {' '.join(missing())}")
CTS = 4
PASSWORD = "ge-heim-7731"
PATIENT = {"PatientName": "Quixotemann^Zebulon", "PatientID": "PID55012Q"}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some CTs, a head and an X-ray, with a patient in their headers."""
    root = tmp_path_factory.mktemp("sent")
    volume = generate_phantom(3, "covid19", PhantomSpec(matrix=64, slices=20)).volume
    for number in range(CTS):
        scan = replace(volume, case_id=f"case-{number}", hu=volume.hu + number)
        write_ct(scan, root / str(number), **PATIENT)
    write_ct(replace(volume, case_id="head"), root / "head", BodyPartExamined="HEAD", **PATIENT)
    write_xray(generate_radiograph(12, "covid19").radiograph, root / "film" / "1.dcm", **PATIENT)
    return root


@pytest.fixture
def orthanc(sent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Orthanc]:
    """Holds what was sent, for one user."""
    monkeypatch.setenv("PNEUMOSCREEN_PACS_PASSWORD", PASSWORD)
    # With other threads sums of another order differ in the last digit.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = Orthanc(tmp_path / "orthanc", users={"watcher": PASSWORD})
    made.start()
    try:
        made.send(sent)
        yield made
    finally:
        made.kill()


@pytest.fixture
def models(tmp_path: Path, narrow_models: Path) -> Path:
    """Narrow networks for CTs, the project's own for X-rays."""
    shutil.copytree(narrow_models, tmp_path / "models")
    for name in NETWORKS:
        (tmp_path / "models" / name).symlink_to(ModelStore(None).root / name)
    return tmp_path / "models"


def command(orthanc: Orthanc, out: Path, models: Path) -> list[str]:
    words = [orthanc.dicomweb, "--user", "watcher", "--out", out, "--model-dir", models]
    return ["archive", *map(str, words), "--processes", "1", "--device", "cpu", "--json"]


def images(out: Path) -> dict[str, dict[str, Any]]:
    """The documents by the digests of their images, without what the place of an image names."""
    found = {}
    for document in documents(out).values():
        image = {name: value for name, value in document["image"].items() if name != "source"}
        found[image["sha256"]] = {**document, "image": image, "case_id": ""}
    return found


def test_the_documents_are_those_of_the_files_and_a_second_run_fetches_nothing(
    run: Run, orthanc: Orthanc, models: Path, tmp_path: Path
) -> None:
    out, alone, fetched = tmp_path / "out", tmp_path / "alone", tmp_path / "fetched"
    ended = run(*command(orthanc, out, models))
    assert ended.status == 2 and json.loads(ended.out)["states"] == {SCREENED: CTS + 1, REFUSED: 1}
    pacs = Pacs(Access(orthanc.dicomweb, "watcher", PASSWORD))
    for study in pacs.studies(MODALITIES):
        (series,) = pacs.series(study.uid)
        target = fetched / study.uid / series.uid
        target.mkdir(parents=True)
        pacs.fetch(study.uid, series.uid, target)
    found = {row.place: row for row in rows(out).values()}
    assert {place for place, row in found.items() if row.state == SCREENED} < {
        f"{series.parent.name}/{series.name}" for series in fetched.glob("*/*")
    }
    (head,) = [row for row in found.values() if row.state == REFUSED]
    assert head.reason == NOTHING and (fetched / head.place).is_dir()
    shutil.rmtree(fetched / head.place)
    run("archive", fetched, "--out", alone, "--model-dir", models, "--processes", 1, "--device", "cpu")
    assert images(out) == images(alone) and len(images(out)) == CTS + 1
    assert not (out / ".fetched").exists()
    assert json.loads(run(*command(orthanc, out, models)).out)["run"]["before"] == CTS + 2


def test_a_kill_and_a_pacs_that_goes_away_cost_nothing_but_another_run(
    run: Run, orthanc: Orthanc, models: Path, sent: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [*command(orthanc, out, models), "--anonymous-ids"]

    def until_first(before: int = 0) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "pneumoscreen", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        wait_for(lambda: len(list(out.glob("cases/*/*.json"))) > before, process)  # type: ignore[arg-type]
        return process

    process = until_first()
    process.kill()
    process.communicate()
    states = Counter(row.state for row in rows(out).values())
    assert states[WAITING] and not states[FAILED]
    # Nobody removes what a killed run fetched but the next one.
    (out / ".fetched" / "left").mkdir(parents=True, exist_ok=True)
    process = until_first(len(list(out.glob("cases/*/*.json"))))
    orthanc.kill()
    printed, errors = process.communicate(timeout=240)
    told = json.loads(printed)
    assert process.returncode == 1 and told["run"]["before"] == states[SCREENED] and told["states"][FAILED], errors
    assert "the PACS does not answer when asked" in errors and not (out / ".fetched").exists()
    before = {path: path.stat().st_mtime_ns for path in out.glob("cases/*/*.json")}
    away = run(*words)
    assert away.status == 2 and len(away.refusals()) == 1 and "does not answer when asked for studies" in away.err
    orthanc.start()
    ended = run(*words)
    assert json.loads(ended.out)["states"] == {SCREENED: CTS + 1, REFUSED: 1} and ended.status == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(documents(out)) == CTS + 1
    uids = [uid for study in sent.iterdir() for uid in uids_of(study)]
    for text in [printed, errors, away.err, ended.err, *(read(file) for file in out.rglob("*") if file.is_file())]:
        assert not any(word in text for word in (PASSWORD, "Quixotemann", "PID55012Q", *uids))


def uids_of(study: Path) -> tuple[str, str]:
    header = pydicom.dcmread(next(study.iterdir()), stop_before_pixels=True)
    return str(header.StudyInstanceUID), str(header.SeriesInstanceUID)


def read(file: Path) -> str:
    return file.read_bytes().decode(errors="replace")


@pytest.mark.slow
def test_actors_of_ray_do_the_same(run: Run, orthanc: Orthanc, models: Path, tmp_path: Path) -> None:
    if find_spec("ray") is None:  # Ray reads its token when it is imported, and other tests set theirs
        pytest.skip("without Ray")
    run(*command(orthanc, tmp_path / "alone", models))
    words = [*command(orthanc, tmp_path / "out", models), "--ray", "auto"]
    ended = subprocess.run([sys.executable, "-m", "pneumoscreen", *words], capture_output=True, encoding="utf-8")
    assert ended.returncode == 2 and json.loads(ended.stdout)["states"] == {SCREENED: CTS + 1, REFUSED: 1}, ended.stderr
    assert images(tmp_path / "out") == images(tmp_path / "alone")
    assert not (tmp_path / "out" / ".fetched").exists() and PASSWORD not in ended.stdout + ended.stderr


@pytest.mark.slow
def test_a_process_that_dies_costs_no_study(orthanc: Orthanc, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-m", "pneumoscreen", *command(orthanc, out, models)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    wait_for(lambda: bool(list(out.glob("cases/*/*.json"))), process)  # type: ignore[arg-type]
    workers = children(process.pid)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    printed, errors = process.communicate(timeout=240)
    assert workers and json.loads(printed)["states"] == {SCREENED: CTS + 1, REFUSED: 1}, errors
    assert len(documents(out)) == CTS + 1 and not (out / ".fetched").exists()
