"""Handing out cases: to whom, which, and what is said about it. The app is the real one, its scores are made up."""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pneumoscreen.active_learning.score_file import Finding, StoredScore
from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.case import Case, ImageInfo, ModelInfo
from pneumoscreen.server.access.identity import Role, Speaker, set_speaker
from pneumoscreen.server.app import PneumoScreenApp
from pneumoscreen.server.failures import RequestError, UnknownError
from pneumoscreen.server.inference.engine import scan_state
from pneumoscreen.server.serve import DEFAULT_APP
from pneumoscreen.server.work.strategies import comparable_scores

OLD, NEW = (
    {"ct_candidates": ModelInfo(1, "aa"), "ct_classifier": ModelInfo(version, sha256)}
    for version, sha256 in ((1, "bb"), (2, "cc"))
)
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def app(tmp_path: Path, model_root: Path, monkeypatch: pytest.MonkeyPatch) -> PneumoScreenApp:
    """An app over six scans that nobody opens here."""
    studies = tmp_path / "studies"
    studies.mkdir()
    for number in range(6):
        (studies / f"case-{number}.nii.gz").write_bytes(b"not opened")
    monkeypatch.setenv("PNEUMOSCREEN_MODELS", str(model_root))
    monkeypatch.setenv("MONAI_LABEL_DATASTORE_AUTO_RELOAD", "false")
    return PneumoScreenApp(str(DEFAULT_APP), str(studies), {})


@pytest.fixture
def ask(app: PneumoScreenApp) -> Ask:
    """Asks for the next case as MONAI Label's endpoint does."""

    def call(reader: str, strategy: str = "combined", **params: Any) -> dict[str, Any]:
        return dict(app.next_sample({"strategy": strategy, "client_id": reader, **params}))

    return call


def scored(case_id: str, uncertainty: float, angle: float = 0.0, models: dict[str, ModelInfo] = OLD) -> StoredScore:
    embedding = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    score = CaseScore(case_id, uncertainty, uncertainty, embedding)
    return StoredScore(case_id, score, models, "s", Finding("CT", "covid19", 0.5, 3))


def finish(app: PneumoScreenApp, case_id: str) -> None:
    """Submit an empty document, as a reader would over HTTP."""
    document = Case(case_id, "CT", ImageInfo((4, 4, 4), (1.0, 1.0, 1.0), "00")).with_verdict().to_json().encode()
    app.datastore().submit(case_id, document, "anna")


def test_all_strategies_are_offered_the_default_first(app: PneumoScreenApp) -> None:
    offered = app.info()["strategies"]
    assert list(offered) == ["combined", "uncertainty", "epistemic", "diverse", "random", "first"]
    assert all(entry["description"] for entry in offered.values())


def test_without_scores_a_case_comes_at_random_and_is_said_to(ask: Ask) -> None:
    first = ask("anna")
    assert first["id"] in {f"case-{number}" for number in range(6)}
    assert "drawn at random; POST /scoring/uncertainty" in first["note"]
    assert first["lease"]["reader"] == "anna"
    assert first["path"].endswith(f"{first['id']}.nii.gz")
    assert "note" not in ask("ben", "first")


def test_a_reader_keeps_a_case_until_it_is_submitted_or_skipped(app: PneumoScreenApp, ask: Ask) -> None:
    first = ask("anna", "first")
    again = ask("anna", "random")
    assert (first["id"], again["id"]) == ("case-0", "case-0")
    assert "have not submitted" in again["note"]
    assert ask("ben", "first")["id"] == "case-1"
    finish(app, "case-0")
    assert app.leases.of_reader("anna") == []
    assert ask("anna", "first")["id"] == "case-2"


def test_skipping_goes_through_all_cases_before_one_comes_back(ask: Ask) -> None:
    order = [ask("anna", "first")["id"], *(ask("anna", "first", skip=True)["id"] for _ in range(6))]
    assert order[:6] == [f"case-{number}" for number in range(6)]
    assert order[6] in order[:5]
    assert ask("ben", "first")["id"] == "case-1", "what one reader skips is free for others"


def test_uncertainty_decides_and_unscored_cases_come_after_scored_ones(app: PneumoScreenApp, ask: Ask) -> None:
    for number, value in ((1, 0.2), (3, 0.9), (4, 0.5)):
        app.scores.put(scored(f"case-{number}", value))
    answers = [ask(f"reader-{number}", "uncertainty") for number in range(6)]
    assert [answer["id"] for answer in answers[:3]] == ["case-3", "case-4", "case-1"]
    assert [answer["uncertainty"] for answer in answers[:3]] == [0.9, 0.5, 0.2]
    assert {answer["id"] for answer in answers[3:]} == {"case-0", "case-2", "case-5"}
    assert all(("note" in answer) == (number >= 3) for number, answer in enumerate(answers))
    assert ask("one too many") == {}


def test_readers_who_ask_one_after_the_other_do_not_get_twins(app: PneumoScreenApp, ask: Ask) -> None:
    for number in range(6):
        kind, twin = divmod(number, 2)
        app.scores.put(scored(f"case-{number}", 0.9 - 0.1 * kind - 0.01 * twin, kind + 0.001 * twin))
    for strategy in ("combined", "diverse"):
        kinds = [int(ask(f"{strategy}-{number}", strategy)["id"][-1]) // 2 for number in range(3)]
        assert sorted(kinds) == [0, 1, 2], strategy
        for number in range(6):
            app.leases.release(f"case-{number}", None)


def test_twins_of_finished_cases_wait_too(app: PneumoScreenApp, ask: Ask) -> None:
    for number in range(6):
        app.scores.put(scored(f"case-{number}", 1.0 - 0.1 * number, float(number // 3)))
    finish(app, "case-0")
    assert ask("anna")["id"] == "case-3", "the likes of case 0 have been read"


def test_finished_cases_come_back_only_when_asked_for(app: PneumoScreenApp, ask: Ask) -> None:
    for number in range(6):
        finish(app, f"case-{number}")
    assert ask("anna") == {}
    assert ask("anna", "first", include_done=True)["id"] == "case-0"
    assert ask("anna", "first") == {}, "a lease on a finished case is not offered as an open one"
    assert ask("anna", "first", include=["case-4"])["id"] == "case-4"
    app.datastore().remove_label("case-2", "final")
    assert ask("ben")["id"] == "case-2", "a withdrawn annotation does not count"


def test_a_case_that_cannot_be_screened_is_the_next_one_only_by_name(app: PneumoScreenApp, ask: Ask) -> None:
    scan = Path(app.datastore().get_image_uri("case-0"))
    app.scores.put(StoredScore("case-0", None, OLD, scan_state(scan), error="the scan shows no lungs"))
    given_out = {ask(f"reader-{number}", "first")["id"] for number in range(5)}
    assert given_out == {f"case-{number}" for number in range(1, 6)}
    assert ask("anna", include_done=True) == {}
    assert ask("anna", include=["case-0"])["id"] == "case-0"
    app.leases.release("case-0", None)
    scan.write_bytes(b"copied again")
    assert ask("zoe", "first")["id"] == "case-0", "its files are others now"


def test_scores_of_two_classifiers_are_never_compared(app: PneumoScreenApp, ask: Ask) -> None:
    for number in range(6):
        app.scores.put(scored(f"case-{number}", 0.1 * number, number))
    newer = scored("case-0", 1.0, models=NEW)
    assert newer.score is not None
    longer = replace(newer.score, embedding=np.full(16, 0.25, dtype=np.float32))
    app.scores.put(replace(newer, score=longer))
    answers = [ask(f"reader-{number}") for number in range(6)]
    assert "case-0" not in [answer["id"] for answer in answers[:4]], "the one score of the newer classifier waits"
    assert {answer["id"] for answer in answers} == {f"case-{number}" for number in range(6)}


def test_the_classifier_that_scored_more_is_heard_and_of_two_the_newer() -> None:
    scores = {f"c{n}": scored(f"c{n}", 0.5, models=OLD if n < 2 else NEW) for n in range(4)}
    assert comparable_scores(scores, scores).keys() == {"c2", "c3"}
    assert comparable_scores(scores, ["c0", "c1", "c2"]).keys() == {"c0", "c1"}
    assert comparable_scores(scores, ["x"]) == {}
    failed = StoredScore("c0", None, NEW, "s", error="no")
    assert comparable_scores({**scores, "c0": failed}, scores).keys() == {"c2", "c3"}


def test_the_token_says_who_the_reader_is(ask: Ask) -> None:
    def as_dora() -> dict[str, Any]:
        set_speaker(Speaker("dora", Role.READER))
        return ask("somebody else", "first")

    assert contextvars.copy_context().run(as_dora)["lease"]["reader"] == "dora"
    assert ask("somebody else", "first")["id"] == "case-1"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"skip": "yes"}, "parameter skip"),
        ({"include_done": 1}, "parameter include_done"),
        ({"include": "case-0"}, "parameter include"),
        ({"include": [1]}, r"parameter include\.0"),
        ({"client_id": 7}, "parameter client_id"),
        ({"client_id": ""}, "parameter client_id"),
        ({"client_id": "a\nb"}, "parameter client_id"),
        ({"client_id": "\udc80"}, "parameter client_id"),
        ({"client_id": "x" * 500}, "parameter client_id"),
    ],
)
def test_a_wrong_parameter_is_named(app: PneumoScreenApp, params: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        app.next_sample({"strategy": "combined", **params})
    assert app.leases.current() == {}


def test_a_case_that_is_not_there_is_named(ask: Ask) -> None:
    with pytest.raises(UnknownError, match=r"'\.\./etc/passwd' is not in the studies folder"):
        ask("anna", include=["case-0", "../etc/passwd"])
    assert ask("anna", include=[]) == {}


def test_all_at_once_get_different_cases_until_none_is_left(app: PneumoScreenApp, ask: Ask) -> None:
    for number in range(6):
        app.scores.put(scored(f"case-{number}", 0.1 * number, number))
    start = threading.Barrier(12)

    def call(number: int) -> str | None:
        start.wait()
        return ask(f"reader-{number}").get("id")

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(call, range(12)))
    assert sorted(filter(None, found)) == [f"case-{number}" for number in range(6)]
