"""Whole runs on a small studies folder: frozen at the start, resumed after any end, and told of in a file."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import Tensor

from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.learning.candidates import CandidateTrainingSettings
from pneumoscreen.ct.learning.classifier import ClassifierTrainingSettings
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.errors import Cancelled, ConfigError, PneumoScreenError
from pneumoscreen.evaluation.sides import studies_of_side
from pneumoscreen.methods import recipe_for
from pneumoscreen.models.store import ModelStore
from pneumoscreen.studies.layout import FINAL_LABELS
from pneumoscreen.studies.split import Side
from pneumoscreen.training.plan import TrainingPlan
from pneumoscreen.training.publishing import Publication
from pneumoscreen.training.runs import LOCK_FILE, can_resume, run_training
from pneumoscreen.training.status import ENDED, TrainingState, TrainStatus, read_status

NARROW = {
    "channels": (8, 8),
    "encoder_blocks": (1, 1),
    "decoder_blocks": (1,),
    "batch_norm_stages": 1,
    "proposal_stages": (1,),
    "proposal_channels": 8,
    "anchor_scales": (1.0,),
}
# Of phantoms 1 to 6 the fourth validates, the sixth tests.
SPLIT = {"validation": 0.3, "test": 0.1}
SETTINGS: dict[str, Any] = {
    "ct_candidates": CandidateTrainingSettings.model_validate(
        {
            "model": {"network": NARROW},
            "crop": (16, 32, 32),
            "steps": 6,
            "split": SPLIT,
            "workers": 0,
            "save_every": 2,
            "validate_every": 3,
        }
    ),
    "ct_classifier": ClassifierTrainingSettings.model_validate(
        {
            "network": {"widths": (8, 8, 8, 8), "features": 16, "dropout": 0.2},
            "data": {"loosened": 0, "random": 1},
            "epochs": 4,
            "batch": 16,
            "split": SPLIT,
        }
    ),
}
TASKS = tuple(SETTINGS)


def quiet(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven labelled phantoms, of which the last is not labelled yet; not to be changed."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_studies(folder, 7, 1, PhantomSpec(matrix=64, slices=20))
    (folder / FINAL_LABELS / "phantom-000007.json").rename(folder / "later.json")
    return folder


@pytest.fixture
def studies(phantoms: Path, tmp_path: Path) -> Path:
    return shutil.copytree(phantoms, tmp_path / "studies")


def _train(task: str, studies: Path, root: Path, name: str = "run", **options: Any) -> Publication:
    options = {"device": "cpu", "say": quiet, **options}
    settings = options.pop("settings", SETTINGS[task])
    return run_training(
        recipe_for(task), studies, settings, root / name, ModelStore(root / f"{name}-models"), **options
    )


def _weights(root: Path, name: str, task: str) -> dict[str, Tensor]:
    return ModelStore(root / f"{name}-models").load(task).state


def _stop_when(holds: Callable[[TrainStatus], bool]) -> Callable[[TrainStatus], None]:
    def look(status: TrainStatus) -> None:
        if holds(status):
            raise Cancelled

    return look


def _relabel(studies: Path, number: int) -> None:
    path = studies / FINAL_LABELS / f"phantom-{number:06d}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["regions"] = document["regions"][:1]
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("moment", ["preparing", "training"])
def test_a_resumed_run_trains_on_what_it_began_with(task: str, moment: str, studies: Path, tmp_path: Path) -> None:
    _train(task, studies, tmp_path, "whole")
    # Status is told once a second at most, so that a stop in training comes with a figure, which is told at once.
    stop = {
        "preparing": lambda status: status.message.startswith("preparing case 1"),
        "training": lambda status: status.metric is not None,
    }[moment]
    with pytest.raises(Cancelled):
        _train(task, studies, tmp_path, "parts", status=_stop_when(stop))
    out = tmp_path / "parts"
    stopped = read_status(out)
    assert stopped is not None and stopped.state is TrainingState.CANCELLED
    assert can_resume(task, SETTINGS[task], out)
    # Meanwhile readers correct a case, withdraw another and label a third.
    _relabel(studies, 1)
    (studies / FINAL_LABELS / "phantom-000002.json").unlink()
    (studies / "later.json").rename(studies / FINAL_LABELS / "phantom-000007.json")
    publication = _train(task, studies, tmp_path, "parts", resume=True)
    assert publication.published
    whole, parts = _weights(tmp_path, "whole", task), _weights(tmp_path, "parts", task)
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())
    ended = [read_status(tmp_path / name) for name in ("whole", "parts")]
    assert ended[0] is not None and ended[1] is not None
    assert ended[0].metrics == ended[1].metrics
    assert not can_resume(task, SETTINGS[task], out), "a run that came to its end is over"


@pytest.mark.parametrize("task", TASKS)
def test_the_next_run_takes_the_labels_of_its_day(task: str, studies: Path, tmp_path: Path) -> None:
    _train(task, studies, tmp_path, "first")
    first = TrainingPlan.load(tmp_path / "first")
    assert first is not None and first.test_cases == 1
    assert [study.case_id for study in studies_of_side(studies, Side.TEST)] == ["phantom-000006"]
    sides = {case.case_id: case.side for case in first.cases}
    assert [name for name, side in sides.items() if side is Side.VALIDATION] == ["phantom-000004"]
    assert "phantom-000006" not in sides
    for folder in ("cases", "patches"):
        assert not list((tmp_path / "first" / folder).rglob("*phantom-000006*"))
    _relabel(studies, 1)
    (studies / "later.json").rename(studies / FINAL_LABELS / "phantom-000007.json")
    _train(task, studies, tmp_path, "second")
    second = TrainingPlan.load(tmp_path / "second")
    assert second is not None
    before = {case.case_id: case.document_sha256 for case in first.cases}
    after = {case.case_id: case.document_sha256 for case in second.cases}
    assert set(after) - set(before) == {"phantom-000007"}
    assert [name for name in before if before[name] != after[name]] == ["phantom-000001"]
    weights = [_weights(tmp_path, name, task) for name in ("first", "second")]
    assert any(not torch.equal(weights[1][name], tensor) for name, tensor in weights[0].items())


def test_the_status_tells_every_state_and_is_whole_at_any_time(studies: Path, tmp_path: Path) -> None:
    told: list[TrainStatus] = []

    def look(status: TrainStatus) -> None:
        told.append(status)
        assert read_status(tmp_path / "run") == status

    publication = _train("ct_classifier", studies, tmp_path, status=look)
    states = [status.state for status in told]
    assert states == sorted(states, key=list(TrainingState).index) or TrainingState.VALIDATING in states
    assert set(states) == set(TrainingState) - {TrainingState.FAILED, TrainingState.CANCELLED}
    assert told[0].message == "looking for labelled cases"
    last = told[-1]
    assert (last.state, last.message) == (TrainingState.DONE, publication.sentence)
    assert last.publication == publication.to_dict() and last.publication["published"]
    assert (last.epoch, last.epochs) == (4, 4) and last.step == last.steps
    assert list(last.metrics) == [1, 2, 3, 4] and last.metric_name == "m2 f1"
    assert set(last.losses) == {"m1", "m2"} and last.loss == pytest.approx(sum(last.losses.values()))
    assert last.updated >= last.started > "2026"
    again = json.loads((tmp_path / "run" / "publication.json").read_text(encoding="utf-8"))
    assert again["sentence"] == publication.sentence


def test_a_failure_is_told_in_the_status(studies: Path, tmp_path: Path) -> None:
    lonely = SETTINGS["ct_classifier"].model_copy(
        update={"split": SETTINGS["ct_classifier"].split.model_copy(update={"validation": 0.0})}
    )
    with pytest.raises(ConfigError, match="is on the validation side of the split"):
        _train("ct_classifier", studies, tmp_path, settings=lonely)
    status = read_status(tmp_path / "run")
    assert status is not None and status.state is TrainingState.FAILED and status.state in ENDED
    assert "label cases of more patients, or change the shares" in status.message

    def break_down(status: TrainStatus) -> None:
        if status.metric is not None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _train("ct_classifier", studies, tmp_path, "broken", status=break_down)
    status = read_status(tmp_path / "broken")
    assert status is not None and status.message == "the training failed (ZeroDivisionError); its log has the reason"


def test_a_contradiction_is_named_and_the_others_are_trained_on(studies: Path, tmp_path: Path) -> None:
    for number, diagnosis in ((1, "no_infection_found"), (2, None)):
        path = studies / FINAL_LABELS / f"phantom-{number:06d}.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        document["diagnosis"] = diagnosis
        for region, label in zip(document["regions"], ("covid19", "influenza_a"), strict=False):
            region["reader"]["label"] = label
        path.write_text(json.dumps(document), encoding="utf-8")
    for task in TASKS:
        said: list[str] = []
        _train(task, studies, tmp_path, task, say=said.append)
        status = read_status(tmp_path / task)
        assert status is not None
        notes = {note.split()[0]: note for note in status.notes if "is left out" in note}
        assert set(notes) == {"phantom-000001", "phantom-000002"}
        assert "field diagnosis is no_infection_found but a region is marked as infection" in notes["phantom-000001"]
        assert "field diagnosis is missing" in notes["phantom-000002"]
        assert set(notes.values()) <= set(said)
        assert "2 left out" in ModelStore(tmp_path / f"{task}-models").card(task, 1)["data"]


class TestFineTuning:
    def _published(self, root: Path, with_candidates: bool = False) -> ModelStore:
        store = ModelStore(root / "run-models")
        card = {"data": "none", "seed": 0, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}
        classifier = ClassifierModel.untrained(
            ClassifierSettings(widths=(8, 8, 8, 8), features=16, temperatures={"m2": 3.0}), seed=9
        )
        store.publish("ct_classifier", classifier.state(), {**card, "network": classifier.card_network()})
        if not with_candidates:
            return store
        candidates = CandidateModel.untrained(CandidateSettings.model_validate({"network": NARROW}), seed=9)
        store.publish("ct_candidates", candidates.state(), {**card, "network": candidates.card_network()})
        return store

    @pytest.mark.parametrize("task", TASKS)
    def test_it_goes_on_from_the_weights_in_use(self, task: str, studies: Path, tmp_path: Path) -> None:
        store = self._published(tmp_path, with_candidates=True)
        # So slow that the weights stay what they were: nothing but they tells where the run began.
        settings = {
            "ct_classifier": ClassifierTrainingSettings.model_validate(
                {"epochs": 1, "batch": 16, "learning_rate": 1e-9, "split": SPLIT, "data": {"loosened": 0, "random": 1}}
            ),
            "ct_candidates": CandidateTrainingSettings.model_validate(
                {"steps": 1, "learning_rate": 1e-9, "crop": (16, 32, 32), "split": SPLIT, "workers": 0}
            ),
        }[task]
        publication = _train(task, studies, tmp_path, settings=settings)
        weights = (
            store.load_candidate(task, publication.candidate_id) if not publication.published else store.load(task)
        )
        learnt = [name for name in weights.state if name.endswith("weight")]
        before = store.load(task, 1).state
        for name in learnt:
            torch.testing.assert_close(weights.state[name], before[name], atol=2e-3, rtol=2e-3)
        plan = TrainingPlan.load(tmp_path / "run")
        assert plan is not None and plan.starts_from is not None and plan.starts_from.version == 1
        assert "began with version 1" in weights.card["data"]
        if task == "ct_classifier":
            network = weights.card["network"]
            assert (network["widths"], network["features"], network["dropout"]) == ([8, 8, 8, 8], 16, 0.2)
            assert network["temperatures"] == {}, "those of the old weights are not taken over"
            assert plan.candidates is not None and plan.candidates.version == 1

    def test_a_network_that_does_not_fit_begins_anew_and_says_so(self, studies: Path, tmp_path: Path) -> None:
        self._published(tmp_path)
        wide = SETTINGS["ct_classifier"]
        wide = wide.model_copy(update={"network": wide.network.model_copy(update={"widths": (8, 8, 8, 16)})})
        said: list[str] = []
        publication = _train("ct_classifier", studies, tmp_path, settings=wide, say=said.append)
        reason = "ct_classifier begins with random weights: ct_classifier version 1 is another network (its widths are"
        assert any(line.startswith(reason) for line in said)
        assert publication.compared_with == 1

    def test_one_head_of_two_is_taken_along(self, studies: Path, tmp_path: Path) -> None:
        store = self._published(tmp_path)
        only = ClassifierTrainingSettings.model_validate(
            {"network": {"heads": ["m2"]}, "epochs": 1, "batch": 16, "learning_rate": 1e-9, "split": SPLIT}
        )
        publication = _train("ct_classifier", studies, tmp_path, settings=only)
        weights = (
            store.load_candidate("ct_classifier", publication.candidate_id)
            if not publication.published
            else store.load("ct_classifier")
        )
        assert not any(name.startswith("heads.m1") for name in weights.state)
        name = "heads.m2.embed.weight"
        torch.testing.assert_close(
            weights.state[name], store.load("ct_classifier", 1).state[name], atol=2e-3, rtol=2e-3
        )

    def test_from_scratch_begins_with_random_weights(self, studies: Path, tmp_path: Path) -> None:
        self._published(tmp_path)
        _train("ct_classifier", studies, tmp_path, pretrained=False)
        plan = TrainingPlan.load(tmp_path / "run")
        assert plan is not None and plan.starts_from is None
        assert not can_resume("ct_classifier", SETTINGS["ct_classifier"], tmp_path / "run", pretrained=True)


def test_what_is_in_the_folder_is_not_trained_over(studies: Path, tmp_path: Path) -> None:
    task = "ct_candidates"
    _train(task, studies, tmp_path)
    with pytest.raises(ConfigError, match="add --resume or name another folder"):
        _train(task, studies, tmp_path)
    other = SETTINGS[task].model_copy(update={"learning_rate": 0.5})
    with pytest.raises(ConfigError, match="has other settings"):
        _train(task, studies, tmp_path, resume=True, settings=other)
    # What does not change what is learnt may differ.
    freer = SETTINGS[task].model_copy(update={"save_every": 1, "device": "cpu"})
    _train(task, studies, tmp_path, resume=True, settings=freer)
    (tmp_path / "run" / "plan.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"plan\.json is damaged"):
        _train(task, studies, tmp_path, resume=True)
    (tmp_path / "run" / "plan.json").unlink()
    with pytest.raises(ConfigError, match="holds checkpoints of an earlier run"):
        _train(task, studies, tmp_path, resume=True)


def test_two_trainings_do_not_share_a_folder(studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pneumoscreen.training.runs._LOCK_WAIT_S", 0.1)
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / LOCK_FILE), pytest.raises(ConfigError, match="another training runs"):
        _train("ct_classifier", studies, tmp_path)


def test_an_unknown_task_is_refused(studies: Path, tmp_path: Path) -> None:
    with pytest.raises(PneumoScreenError, match="ct_lungs cannot be trained"):
        run_training(recipe_for("ct_lungs"), studies, SETTINGS["ct_classifier"], tmp_path, ModelStore(tmp_path / "m"))


def test_a_status_of_something_else_is_none(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    for text in ("{", "[]", '{"state": "asleep"}', '{"task": "x", "state": "done", "metrics": 3, "notes": []}'):
        (tmp_path / "status.json").write_text(text, encoding="utf-8")
        assert read_status(tmp_path) is None
    status = replace(TrainStatus("ct_classifier"), metrics={3: 0.5}, notes=("a",))
    (tmp_path / "status.json").write_text(json.dumps(status.to_dict()), encoding="utf-8")
    assert read_status(tmp_path) == status
