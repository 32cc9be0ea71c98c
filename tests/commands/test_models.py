"""``pneumoscreen models``: what is listed, published by hand and rolled back, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.models.store import WEIGHTS_FILE, ModelStore
from pneumoscreen.studies.audit import AuditLog

from .conftest import Ended

Run = Callable[..., Ended]
NAME = "ct_classifier"


@pytest.fixture
def store(narrow_models: Path, tmp_path: Path) -> ModelStore:
    """Two versions of the classifier and a candidate that was kept."""
    shutil.copytree(narrow_models, tmp_path / "models")
    store = ModelStore(tmp_path / "models")
    weights = store.load(NAME)
    card = {**weights.card, "figures": {"patches": 10, "validation_mean_f1": {"m1": 0.5, "m2": 0.625}}}
    store.publish(NAME, weights.state, card)
    candidate = store.stage(NAME, weights.state, card)
    store.annotate(NAME, candidate, {"publication": {"published": False, "reason": "worse [beyond] the interval"}})
    return store


@pytest.fixture
def models(run: Run, store: ModelStore) -> Run:
    return lambda *words: run("models", *words, "--model-dir", store.root)


def listed(models: Run) -> dict[str, Any]:
    ended = models("list", "--json")
    assert (ended.status, ended.err) == (0, "")
    found = {model["name"]: model for model in json.loads(ended.out)["models"]}
    assert list(found) == ["ct_candidates", NAME]
    return dict(found[NAME])


def test_the_projects_own_models_are_listed(run: Run) -> None:
    ended = run("models", "list")
    assert (ended.status, ended.err) == (0, "")
    assert "in use" in ended.out


def test_the_list_shows_versions_figures_and_candidates(
    models: Run, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal breaks the lines of the table
    ended = models("list")
    assert (ended.status, ended.err) == (0, "")
    rows = [line for line in ended.out.splitlines() if "│" in line]
    assert "in use" in next(row for row in rows if row.startswith("│ 2 "))
    assert "validation_mean_f1 m1 0.500, validation_mean_f1 m2 0.625" in ended.out
    (candidate,) = store.candidates(NAME)
    assert "worse [beyond] the interval" in next(row for row in rows if candidate.id in row)
    model = listed(models)
    assert (model["current"], model["problem"]) == (2, None)
    assert [(entry["version"], entry["current"], entry["replaces"]) for entry in model["versions"]] == [
        (2, True, 1),
        (1, False, None),
    ]
    assert [(entry["id"], entry["reason"]) for entry in model["candidates"]] == [(candidate.id, candidate.reason)]


def test_damage_is_marked(models: Run, store: ModelStore) -> None:
    (store.folder(NAME, 2) / WEIGHTS_FILE).write_bytes(b"")
    (store.folder(NAME, 1) / "card.json").write_text("{")
    (store.root / NAME / "current").write_text("x")
    newest, oldest = listed(models)["versions"]
    assert "SHA-256" in newest["damage"] and "card.json is damaged" in oldest["damage"]
    ended = models("list")
    assert ended.status == 0
    assert "in use, damaged" in ended.out and "current is damaged" in ended.out


def test_a_card_is_shown(models: Run, store: ModelStore) -> None:
    shown = models("show", NAME, 2)
    assert json.loads(shown.out) == store.card(NAME, 2)
    (candidate,) = store.candidates(NAME)
    assert json.loads(models("show", NAME, candidate.id).out) == candidate.card


def test_a_candidate_is_published_by_hand(models: Run, store: ModelStore) -> None:
    (candidate,) = store.candidates(NAME)
    ended = models("publish", NAME, candidate.id)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        f"ct_classifier version 3 is in use (before: 2): candidate {candidate.id} was published by hand; "
        "it had been kept because: worse [beyond] the interval\n"
    )
    assert (store.current(NAME), store.candidates(NAME)) == (3, [])


def test_a_rollback_and_the_way_forth(models: Run, store: ModelStore) -> None:
    ended = models("rollback", NAME)
    assert (ended.status, ended.out) == (
        0,
        "ct_classifier version 1 is in use (before: 2); a running server takes it at its next inference\n",
    )
    assert store.current(NAME) == 1
    assert models("rollback", NAME, "--to", 2).status == 0
    assert store.current(NAME) == 2


def test_changes_enter_the_audit_log(models: Run, store: ModelStore, tmp_path: Path) -> None:
    (candidate,) = store.candidates(NAME)
    (tmp_path / "studies").mkdir()
    assert models("publish", NAME, candidate.id, "--studies", tmp_path / "studies").status == 0
    assert models("rollback", NAME).status == 0
    assert models("rollback", NAME, "--to", 9).status == 2
    published, gone_back = AuditLog(store.root).entries()
    assert published["speaker"].endswith(" (command line)")
    told = {"model": NAME, "version": 3, "before": 2, "candidate": candidate.id, "action": "publish"}
    assert told.items() <= published.items()
    assert {"model": NAME, "version": 2, "before": 3, "action": "rollback"}.items() <= gone_back.items()
    (entry,) = AuditLog(tmp_path / "studies").entries()
    assert told.items() <= entry.items()
    assert {model["name"] for model in json.loads(models("list", "--json").out)["models"]} == {"ct_candidates", NAME}
    assert models("publish", NAME, "x", "--studies", tmp_path / "none").status == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rollback", "nothing"), "nothing has no version in "),
        (("rollback", "../ct_classifier"), "is not a model's name"),
        (("rollback", NAME, "--to", "9"), "has no version 9"),
        (("rollback", NAME, "--to", "0"), "--to"),
        (("rollback", "ct_candidates"), "no whole version came before it"),
        (("publish", NAME, "9"), "has no candidate 9"),
        (("show", NAME, "9"), "has no version 9"),
        (("show", NAME, "x"), "has no candidate x"),
    ],
)
def test_a_mistake_is_one_line(models: Run, store: ModelStore, words: tuple[str, ...], said: str) -> None:
    ended = models(*words)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1 and said in ended.err
    assert store.current(NAME) == 2


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    ended = run("models", "list", "--model-dir", tmp_path / "none")
    assert ended.status == 2
    assert "the folder of models does not exist" in ended.err
    empty = run("models", "list", "--model-dir", tmp_path)
    assert (empty.status, empty.out) == (0, f"no models in {tmp_path}; train them or copy them there\n")
