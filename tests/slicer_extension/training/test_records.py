from typing import Any

from PneumoScreenLib.training.records import Training, versions_of

PROGRESS = {
    "state": "training",
    "epoch": 3,
    "epochs": 10,
    "step": 30,
    "steps": 100,
    "metric_name": "f1",
    "metrics": {"10": 0.7, "2": 0.6, "1": 0.5},
    "time_left_s": 170.0,
}


def answer(status: str, **progress: Any) -> dict[str, Any]:
    return {"model": "ct_classifier", "status": status, "progress": {**PROGRESS, **progress}}


def test_nothing_was_trained() -> None:
    assert Training.of(None) is None


def test_a_training_that_runs() -> None:
    training = Training.of(answer("RUNNING"))
    assert training.is_running and training.fraction == 0.3
    assert training.headline == "Patch classifier: training, epoch 3 of 10, about 3 min left"
    assert training.points == ((1.0, 0.5), (2.0, 0.6), (10.0, 0.7))
    assert training.outcome == "" and training.in_use is None


def test_a_training_that_waits() -> None:
    training = Training.of(
        {
            "model": "ct_classifier",
            "status": "SUBMITTED",
            "progress": {"state": "preparing", "message": "about to start"},
        }
    )
    assert training.is_running and training.fraction is None
    assert training.headline == "Patch classifier: preparing the cases, about to start"
    assert Training.of({"model": "ct_classifier", "status": "RUNNING", "progress": None}).is_running


def test_how_it_ended() -> None:
    publication = {
        "published": True,
        "version": 4,
        "reason": "it is not worse",
        "metric": "f1",
        "current": {"estimate": 0.4},
    }
    done = Training.of(answer("DONE", state="done", publication=publication))
    assert done.outcome == "Published as version 4: it is not worse." and done.in_use == 0.4
    refused = {"published": False, "candidate_id": "c-1", "reason": "it is worse", "metric": "other", "current": None}
    kept = Training.of(answer("DONE", state="done", publication=refused))
    assert kept.outcome == "Not published, kept as candidate c-1: it is worse." and kept.in_use is None
    failed = Training.of(answer("ERROR", state="failed", message="no labelled cases"))
    assert failed.headline.endswith("no labelled cases") and "left" not in failed.headline


def test_versions_and_candidates() -> None:
    models = {
        "ct_classifier": {
            "versions": [
                {"version": 2, "current": True, "damage": None, "published": "2026-01-02T03:04:05Z",
                 "publication": {"candidate": {"estimate": 0.8125}}},
                {"version": 1, "current": False, "damage": "cut short"},
            ],
            "candidates": [{"id": "c-1", "reason": "it is worse"}],
        }
    }  # fmt: skip
    newest, oldest = versions_of(models, "ct_classifier")
    assert newest.is_current and newest.texts == ("2", "in use", "0.812", "2026-01-02")
    assert oldest.texts == ("1", "damaged", "–", "")
    assert versions_of(models, "unknown") == []
