"""A whole archive: each image once, whatever kills the run; what failed is tried again, what was refused is not."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.commands.conftest import Ended

from pneumoscreen.archive.manifest import FAILED, REFUSED, SCREENED, Manifest, Row
from pneumoscreen.archive.run import MOST_DEATHS
from pneumoscreen.case import Case
from pneumoscreen.models.store import ModelStore

Run = Callable[..., Ended]
IMAGES = 5


@pytest.fixture
def source(tmp_path: Path, studies: Path) -> Path:
    """Five scans in two folders, and a file that is none."""
    root = tmp_path / "archive"
    (root / "ward").mkdir(parents=True)
    for number in range(1, IMAGES + 1):
        target = root / "ward" / f"{number}.nii.gz" if number > 2 else root
        shutil.copy(studies / f"phantom-{number:06d}.nii.gz", target)
    (root / "none.nii.gz").write_text("no scan")
    return root


def documents(out: Path) -> dict[str, dict[str, Any]]:
    """The documents by the id of their case, without times; each must be whole."""
    found = {}
    for path in (out / "cases").glob("*/*.json"):
        document = Case.from_json(path.read_text(encoding="utf-8")).to_dict()
        assert path.with_suffix(".html").is_file()
        assert document["case_id"] not in found
        found[document["case_id"]] = {name: value for name, value in document.items() if name != "timings_s"}
    return found


def rows(out: Path) -> dict[str, Row]:
    manifest = Manifest(out)
    try:
        return {row.place: row for row in manifest.rows()}
    finally:
        manifest.close()


def command(source: Path, out: Path, models: Path) -> list[str]:
    words = ["archive", source, "--out", out, "--model-dir", models, "--processes", 2, "--device", "cpu"]
    return [sys.executable, "-m", "pneumoscreen", *map(str, words)]


def start(source: Path, out: Path, models: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command(source, out, models), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def children(pid: int) -> list[int]:
    """Those of a process that screen, not the one that multiprocessing keeps to count resources."""
    try:
        found = psutil.Process(pid).children()
        return [child.pid for child in found if any("spawn_main" in word for word in child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def wait_for(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    while not is_so() and process.poll() is None:
        time.sleep(0.05)


def test_every_image_is_screened_once_and_as_by_screen(
    run: Run, source: Path, narrow_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    # With other threads sums of another order differ in the last digit.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ended = run("archive", source, "--out", out, "--model-dir", narrow_models, "--processes", 2, "--json")
    assert ended.status == 2
    assert json.loads(ended.out)["states"] == {SCREENED: IMAGES, REFUSED: 1}
    words = [sys.executable, "-m", "pneumoscreen", "screen", source, "--out", alone, "--model-dir", narrow_models]
    subprocess.run([str(word) for word in words], capture_output=True, check=False)
    screened = {}
    for path in alone.glob("*.json"):
        document = Case.from_json(path.read_text(encoding="utf-8")).to_dict()
        screened[document["case_id"]] = {name: value for name, value in document.items() if name != "timings_s"}
    assert documents(out) == screened
    found = rows(out)
    assert found["archive/none.nii.gz"].kind == "DamagedError"
    assert {row.case_id for row in found.values() if row.state == SCREENED} == set(screened)
    table = list(csv.DictReader((out / "images.csv").open(encoding="utf-8")))
    assert [row["state"] for row in table].count(SCREENED) == IMAGES


def test_a_second_run_does_only_what_is_left(run: Run, source: Path, narrow_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("archive", source, "--out", out, "--model-dir", narrow_models, "--processes", 1, "--json")
    run(*words)
    before = rows(out)
    # One scan is another now, one has a copy, one lost its document, one is new and cannot be screened.
    shutil.copy(source / "ward" / "4.nii.gz", source / "ward" / "3.nii.gz")
    shutil.copy(source / "ward" / "5.nii.gz", source / "copy of 5.nii.gz")
    lost = before["archive/phantom-000001.nii.gz"]
    (out / lost.folder / f"{lost.case_id}.json").unlink()
    (source / "ward" / "6.nii.gz").write_bytes(b"")
    told = json.loads(run(*words).out)["run"]
    assert told == {"found": 8, "before": 4, "screened": 1, "refused": 1, "failed": 0, "copies": 2}
    after = rows(out)
    assert after["archive/ward/3.nii.gz"].copy_of == "archive/ward/4.nii.gz"
    assert after["archive/copy of 5.nii.gz"].case_id == after["archive/ward/5.nii.gz"].case_id
    assert (out / lost.folder / f"{lost.case_id}.json").is_file()
    assert after["archive/ward/6.nii.gz"].state == REFUSED
    (source / "ward" / "6.nii.gz").unlink()
    assert json.loads(run(*words).out)["run"]["before"] == 7
    assert "No longer in the source" in (out / "archive.html").read_text(encoding="utf-8")


def publish_again(models: Path) -> None:
    """Publish a classifier of the same weights and another card."""
    store = ModelStore(models)
    weights = store.load("ct_classifier")
    card = {name: weights.card[name] for name in ("data", "seed", "command", "figures", "licence", "network")}
    store.publish("ct_classifier", weights.state, {**card, "seed": 1})


def test_what_other_networks_screened_is_screened_anew_when_asked(
    run: Run, source: Path, narrow_models: Path, tmp_path: Path
) -> None:
    out, models = tmp_path / "out", tmp_path / "models"
    shutil.copytree(narrow_models, models)
    words = ("archive", source / "ward", "--out", out, "--model-dir", models, "--processes", 1, "--json")
    run(*words)
    assert json.loads(run(*words, "--update").out)["run"]["before"] == 3
    publish_again(models)
    assert json.loads(run(*words).out)["run"]["before"] == 3
    assert json.loads(run(*words, "--update").out)["run"]["screened"] == 3


def test_a_run_that_is_killed_goes_on(source: Path, narrow_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kills = 0
    for wanted in (0, 1, 3):
        process = start(source, out, narrow_models)
        wait_for(lambda wanted=wanted: len(list(out.glob("cases/*/*.json"))) > wanted, process)  # type: ignore[misc]
        workers = children(process.pid)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        # They end with the process that began them.
        while any(map(is_running, workers)):
            time.sleep(0.05)
    assert kills >= 2
    # What a kill within a write leaves: too short a moment to be met here each time.
    torn = [out / ".images.csv.4711.part", next(out.glob("cases/*")) / ".a.html.4711.part"]
    for path in torn:
        path.write_text("<html>")
    ended = subprocess.run(command(source, out, narrow_models), capture_output=True, encoding="utf-8", errors="replace")
    assert ended.returncode == 2, ended.stderr
    assert len(documents(out)) == IMAGES
    assert sorted(row.state for row in rows(out).values()) == sorted([SCREENED] * IMAGES + [REFUSED])
    assert not list(out.rglob("*.part"))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def test_a_process_that_dies_costs_the_run_nothing(source: Path, narrow_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(source, out, narrow_models)
    wait_for(lambda: bool(list(out.glob("cases/*/*.json"))), process)
    for worker in children(process.pid)[:1]:
        os.kill(worker, signal.SIGKILL)
    assert process.wait() == 2
    assert len(documents(out)) == IMAGES


def test_what_failed_is_tried_again_and_what_kills_is_left_alone(
    run: Run, source: Path, narrow_models: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("archive", source / "ward", "--out", out, "--model-dir", narrow_models, "--processes", 1, "--json")
    run(*words)
    manifest = Manifest(out)
    for number, row in enumerate(list(manifest.rows())):
        manifest.put(Row(row.key, row.place, "CT", row.stamp, FAILED, "why", "Died", deaths=number * MOST_DEATHS))
    manifest.close()
    ended = run(*words)
    assert json.loads(ended.out)["states"] == {FAILED: 2, SCREENED: 1}
    assert ended.status == 1


def test_the_log_is_json_and_names_nobody(source: Path, narrow_models: Path, tmp_path: Path) -> None:
    named, models, log = tmp_path / "Mustermann", tmp_path / "models", tmp_path / "archive.log"
    shutil.copytree(source, named)
    shutil.copytree(narrow_models, models)
    # The workers say that they pass over a version that cannot be read.
    publish_again(models)
    (models / "ct_classifier" / "2" / "model.safetensors").write_bytes(b"")
    words = [*command(named, tmp_path / "out", models), "--log-file", str(log)]
    ended = subprocess.run(words, capture_output=True, check=False, encoding="utf-8")
    assert ended.returncode == 2, ended.stderr
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["message"] for line in lines].count(SCREENED) == IMAGES
    (refused,) = [line for line in lines if line["message"] == REFUSED]
    assert (refused["kind"], refused["logger"]) == ("DamagedError", "pneumoscreen.archive.command")
    assert {line["image"] for line in lines[:-1]} == {row.key for row in rows(tmp_path / "out").values()}
    assert (lines[-1]["message"], lines[-1]["screened"], lines[-1]["refused"]) == ("ended", IMAGES, 1)
    of_workers = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert {line["message"].partition(":")[0] for line in of_workers} == {"ct_classifier version 2 was passed over"}
    told = log.read_text(encoding="utf-8") + "".join(line["message"] for line in of_workers)
    assert "Mustermann" not in told and "phantom" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--processes", "0"), "--processes 0: must be 1 or more"),
        (("--device", "tpu"), "--device tpu: not a device"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    run: Run, source: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ended = run("archive", source, "--out", tmp_path / "out", *words)
    assert ended.status == 2
    assert said in ended.err


def test_networks_that_are_not_there_end_the_run(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    ended = run("archive", source, "--out", tmp_path / "out", "--model-dir", tmp_path / "nothing", "--processes", 1)
    assert ended.status == 2
    assert "no usable weights" in ended.err
