"""Scoring in the background of a real server: started, watched, stopped, resumed, and out of the readers' way."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.active_learning.score_file import Finding, ScoreStore, StoredScore
from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.case import Case, ImageInfo
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import ModelStore
from pneumoscreen.server import WORK_FOLDER
from pneumoscreen.server.inference.engine import Engine
from pneumoscreen.server.work.background_scoring import BackgroundScoring
from pneumoscreen.server.work.scoring import models_in_use, score_image, stored_score
from pneumoscreen.verdict import Infection, Verdict

from ..conftest import RunningServer, copied_models, serving

SCANS = ("a", "b", "c")
LIMIT_S = 280.0

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def clinic(phantom: Volume, model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Three scans and one that is damaged."""
    studies = tmp_path_factory.mktemp("clinic")
    sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / "a.nii.gz")
    content = (studies / "a.nii.gz").read_bytes()
    for name in SCANS[1:]:
        (studies / f"{name}.nii.gz").write_bytes(content)
    (studies / "broken.nii.gz").write_bytes(content[:5000])
    models = copied_models(model_root, tmp_path_factory.mktemp("models"))
    with serving(studies, models, tmp_path_factory) as running:
        yield running


def scores(server: RunningServer) -> dict[str, StoredScore]:
    return ScoreStore(server.studies / WORK_FOLDER / "scores").all()


def start(server: RunningServer) -> requests.Response:
    return requests.post(f"{server.client.address}/scoring/uncertainty", timeout=60)


def status(server: RunningServer) -> dict[str, Any]:
    return dict(server.client.get("/scoring/").json())


def wait_for(what: str, holds: Any) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def score_all(server: RunningServer) -> None:
    """See to it that every case has its score; an earlier test on this server may have done so."""
    if scores(server).keys() != {*SCANS, "broken"}:
        assert start(server).status_code == 200
        wait_for("the scoring ends", lambda: status(server)["status"] != "RUNNING")


def workers(server: RunningServer) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if "pneumoscreen.server.work.scoring_process" in child.cmdline()]


def test_scores_are_made_in_the_background_and_the_next_scoring_takes_up_where_one_was_stopped(
    clinic: RunningServer,
) -> None:
    assert clinic.client.get("/info/").json()["scoring"].keys() == {"uncertainty"}
    assert requests.get(f"{clinic.client.address}/scoring/", timeout=60).status_code == 404, "none was ever started"
    assert start(clinic).json()["status"] == "RUNNING"
    refused = start(clinic)
    assert refused.status_code == 429
    assert "runs already" in refused.json()["detail"]

    wait_for("a first case is scored", lambda: any(stored.score for stored in scores(clinic).values()))
    (worker,) = workers(clinic)
    assert worker.nice() == 19 or os.sched_getscheduler(worker.pid) == os.SCHED_IDLE
    assert os.getsid(worker.pid) == os.getsid(clinic.process.pid), (
        "in a session of its own its priority would not count"
    )
    begin = time.perf_counter()
    clinic.client.get("/info/")
    assert time.perf_counter() - begin < 5.0
    wait_for("the scored case is counted", lambda: status(clinic)["progress"]["done"] >= 1)
    progress = status(clinic)["progress"]
    assert progress["total"] == 4
    assert progress["done"] <= 4

    stopped = requests.delete(f"{clinic.client.address}/scoring/", timeout=60).json()
    assert stopped["status"] == "STOPPED"
    wait_for("the process is gone", lambda: not worker.is_running())
    before = scores(clinic)

    assert start(clinic).status_code == 200
    wait_for("the second scoring ends", lambda: status(clinic)["status"] != "RUNNING")
    ended = status(clinic)
    assert ended["status"] == "DONE", ended
    assert ended["progress"]["total"] == ended["progress"]["done"] == 4 - len(before)
    after = scores(clinic)
    assert after.keys() == {*SCANS, "broken"}
    assert {name: after[name].at for name in before} == {name: stored.at for name, stored in before.items()}

    broken = after["broken"]
    assert broken.score is None and broken.finding is None
    assert broken.error is not None and "damaged" in broken.error
    assert all(stored.score is not None for name, stored in after.items() if name != "broken")
    one, other = after["a"], after["b"]
    assert one.score is not None and other.score is not None
    assert one.score.uncertainty == pytest.approx(other.score.uncertainty), "the same scan scores the same"
    assert one.score.epistemic == pytest.approx(other.score.epistemic) and one.score.epistemic > 0.0
    assert {name: info.version for name, info in one.models.items()} == {"ct_candidates": 1, "ct_classifier": 1}


def test_the_strategies_choose_by_the_scores(clinic: RunningServer) -> None:
    score_all(clinic)
    given_out = []
    for number in range(3):
        path = f"{clinic.client.address}/activelearning/combined"
        given_out.append(requests.post(path, json={"client_id": f"reader-{number}"}, timeout=60).json())
    assert {answer["id"] for answer in given_out} == set(SCANS), "the damaged one is nobody's next case"
    assert all("note" not in answer and "uncertainty" in answer for answer in given_out)


def test_an_unknown_method_is_refused(clinic: RunningServer) -> None:
    answer = requests.post(f"{clinic.client.address}/scoring/dice", timeout=60)
    assert answer.status_code == 404
    assert "'dice'; there is uncertainty" in answer.json()["detail"]
    assert requests.delete(f"{clinic.client.address}/scoring/", timeout=60).json() is None


def test_a_newer_model_makes_scores_stale_and_a_readers_screening_makes_its_own_fresh(clinic: RunningServer) -> None:
    score_all(clinic)
    store = ModelStore(clinic.models)
    other = ClassifierModel.untrained(ClassifierSettings(widths=(8, 16, 16, 32)), seed=5)
    origin = {"data": "none", "seed": 5, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}
    store.publish("ct_classifier", other.state(), {**origin, "network": other.card_network()})

    def states() -> dict[str, str]:
        return {row["id"]: row["score"] for row in clinic.client.get("/pneumoscreen/cases").json()["cases"]}

    assert states() == {**dict.fromkeys(SCANS, "stale"), "broken": "failed"}
    document = clinic.client.infer("ct_screening", "b", output="json").document
    assert states() == {**dict.fromkeys(SCANS, "stale"), "broken": "failed", "b": "fresh"}
    kept = scores(clinic)["b"]
    assert kept.finding is not None
    assert kept.finding.label == document["verdict"]["label"]
    assert kept.finding.regions == len(document["regions"])


def test_the_scoring_ends_with_its_server(clinic: RunningServer) -> None:
    assert start(clinic).status_code == 200
    wait_for("the scoring is at work", lambda: status(clinic)["progress"] is not None)
    (worker,) = workers(clinic)
    clinic.process.kill()
    clinic.process.wait(20)
    wait_for("the scoring ends", lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_scoring_that_is_asked_for_meanwhile_follows_and_tells_why_it_cannot_score(tmp_path: Path) -> None:
    scoring = BackgroundScoring(tmp_path, tmp_path / "no models", tmp_path / "progress.json")
    assert scoring.listing() == []
    assert scoring.stop() is None
    assert scoring.start() is not None
    assert scoring.start() is None
    assert scoring.start(again=True) is None
    wait_for("both end", lambda: [task["status"] for task in scoring.listing()] == ["ERROR", "ERROR"])
    assert all("there are no models in" in task["details"][0] for task in scoring.listing())
    scoring.start()
    scoring.start(again=True)
    stopped = scoring.stop()
    assert stopped is not None and stopped["status"] == "STOPPED"
    assert scoring.start() is not None, "the next one does not wait for the end of what was stopped"
    scoring.stop()
    assert [task["status"] for task in scoring.listing()][2:] == ["STOPPED", "STOPPED"]


def test_a_scan_without_lungs_is_scored_with_its_reason(tmp_path: Path, phantom: Volume, model_root: Path) -> None:
    image = phantom.to_sitk(phantom.hu) * 0 + 40
    sitk.WriteImage(image, tmp_path / "flesh.nii.gz")
    engine = Engine(ModelStore(model_root))
    with engine.turn:
        stored = score_image("flesh", tmp_path / "flesh.nii.gz", engine)
    assert stored.score is None
    assert stored.error is not None and "lung" in stored.error
    assert stored.is_fresh(models_in_use(engine)), "it is not tried again until models or scan change"
    before = stored.scan
    sitk.WriteImage(image + 1, tmp_path / "flesh.nii.gz")
    with engine.turn:
        assert score_image("flesh", tmp_path / "flesh.nii.gz", engine).scan != before


@pytest.mark.parametrize("infection", [None, Infection(0.93, "100 scans")])
def test_a_stored_finding_says_whether_the_type_was_decided(infection: Infection | None) -> None:
    verdict = Verdict("covid19", "softmax", {}, {"covid19": 0.5, "influenza_a": 0.5}, False, infection)
    case = Case("a", "CT", ImageInfo((4, 4, 4), (1.0, 1.0, 1.0), "00"), verdict=verdict)
    score = CaseScore("a", 0.5, 0.5, np.ones(1, dtype=np.float32))
    probability = None if infection is None else infection.probability
    assert stored_score(score, case, "s").finding == Finding("CT", "covid19", 0.5, 0, False, probability)
    bare = stored_score(score, replace(case, verdict=replace(verdict, decided=True)), "s").finding
    assert bare is not None and bare.decided is True
