"""Scores on the disk: whole or absent, and old ones told from fresh."""

import json
import os
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.active_learning.score_file import Finding, ScoreStore, StoredScore
from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.case import ModelInfo
from pneumoscreen.errors import CaseError

MODELS = {"ct_candidates": ModelInfo(1, "aa"), "ct_classifier": ModelInfo(4, "bb")}


def stored(case_id: str = "case-1", value: float = 0.25, scan: str = "s1") -> StoredScore:
    embedding = np.full(256, 1 / 16, dtype=np.float32)
    score = CaseScore(case_id, value, 0.5, embedding, {"entropy": value, "disagreement": 0.0, "margin": 1.0})
    return StoredScore(case_id, score, MODELS, scan, Finding("CT", "covid19", 0.7, 3))


def failed(case_id: str = "case-2") -> StoredScore:
    return StoredScore(case_id, None, MODELS, "s1", error="the scan shows no lungs")


unit = st.floats(0.0, 1.0)


@given(unit, unit, st.lists(st.floats(-1.0, 1.0, width=32), max_size=12))
def test_what_is_written_is_read(uncertainty: float, epistemic: float, embedding: list[float]) -> None:
    score = CaseScore("x", uncertainty, epistemic, np.array(embedding, dtype=np.float32), {"margin": uncertainty})
    before = StoredScore("x", score, MODELS, "s", Finding("CT", "influenza_a", 0.5, 2))
    after = StoredScore.from_dict(json.loads(json.dumps(before.to_dict())))
    assert after.score is not None
    assert (after.score.uncertainty, after.score.epistemic, after.score.parts) == (uncertainty, epistemic, score.parts)
    assert np.allclose(after.score.embedding, score.embedding, atol=1e-6)
    assert replace(after, score=None) == replace(before, score=None)


def test_a_store_keeps_the_newest_of_each_case(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path / "scores")
    assert (store.all(), store.get("case-1")) == ({}, None)
    store.put(stored(value=0.1))
    store.put(failed())
    store.put(stored(value=0.9))
    found = store.all()
    assert found.keys() == {"case-1", "case-2"}
    assert found["case-1"].score is not None and found["case-1"].score.uncertainty == 0.9
    assert found["case-2"].score is None and found["case-2"].error == "the scan shows no lungs"
    assert store.get("case-2") == found["case-2"]
    assert sorted(os.listdir(tmp_path / "scores")) == ["case-1.json", "case-2.json"]


def test_another_process_is_seen(tmp_path: Path) -> None:
    ours, theirs = ScoreStore(tmp_path), ScoreStore(tmp_path)
    theirs.put(stored(value=0.1))
    assert ours.all()["case-1"].score.uncertainty == 0.1  # type: ignore[union-attr]
    theirs.put(stored(value=0.2))
    assert ours.all()["case-1"].score.uncertainty == 0.2  # type: ignore[union-attr]
    (tmp_path / "case-1.json").unlink()
    assert ours.all() == {}


def test_old_scores_are_told_from_fresh_ones() -> None:
    score = stored()
    newer = {**MODELS, "ct_classifier": ModelInfo(5, "cc")}
    assert score.is_fresh(MODELS)
    assert score.is_fresh(MODELS, "s1")
    assert not score.is_fresh(MODELS, "s2"), "the scan changed"
    assert not score.is_fresh(newer, "s1"), "another version is in use"
    assert not score.is_fresh({**MODELS, "ct_candidates": ModelInfo(1, "zz")}, "s1"), "same number, other weights"
    assert not score.is_fresh({}), "no models"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"case_id": "case-9"},
        {"uncertainty": 2},
        {"uncertainty": float("nan")},
        {"embedding": [1e99]},
        {"embedding": [[1.0]]},
        {"embedding": None},
        {"models": []},
        {"finding": {}},
        {"finding": []},
        {"finding": {**asdict(Finding("CT", "covid19", 0.7, 3)), "decided": "no"}},
        {"finding": {**asdict(Finding("CT", "covid19", 0.7, 3)), "infection": 1.5}},
        {"parts": None},
    ],
)
def test_a_damaged_score_is_passed_over(
    tmp_path: Path, change: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    store = ScoreStore(tmp_path)
    store.put(stored())
    file = tmp_path / "case-1.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **change}))
    assert store.all() == {}
    assert store.get("case-1") is None
    assert "damaged" in caplog.text
    assert "case-1" not in caplog.text, "names of cases may be those of patients"
    store.put(stored())
    assert store.all().keys() == {"case-1"}


@pytest.mark.parametrize("content", [b"", b"{", b"3", b"[]", b"\xff", b"[" * 100_000])
def test_files_that_are_no_json_are_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "case-1.json").write_bytes(content)
    (tmp_path / ".case-2.json-half").write_bytes(b"{")
    assert ScoreStore(tmp_path).all() == {}


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "a\x00b", "a\\b", "x" * 300])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    store = ScoreStore(tmp_path / "scores")
    with pytest.raises(CaseError, match="case id"):
        store.put(replace(stored(), case_id=name))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_readers_beside_a_writer_see_whole_scores(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, stop, seen = ScoreStore(tmp_path), threading.Event(), set[float]()

    def read() -> None:
        other = ScoreStore(tmp_path)
        while not stop.is_set():
            score = other.get("case-1")
            if score is not None and score.score is not None:
                seen.add(score.score.uncertainty)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(40):
        store.put(stored(value=number / 100))
    stop.set()
    for thread in threads:
        thread.join()
    assert seen <= {number / 100 for number in range(40)}
    assert "damaged" not in caplog.text


@pytest.mark.parametrize("decided", [True, False, None])
@pytest.mark.parametrize("infection", [0.0, 0.93, None])
def test_a_finding_keeps_whether_the_type_was_decided_and_the_infection(
    decided: bool | None, infection: float | None
) -> None:
    before = replace(stored(), finding=Finding("CT", "covid19", 0.5, 2, decided, infection))
    after = StoredScore.from_dict(json.loads(json.dumps(before.to_dict())))
    assert after.finding == before.finding


def test_a_score_of_before_there_were_these_fields_is_read(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.put(stored())
    file = tmp_path / "case-1.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    for name in ("decided", "infection"):
        del document["finding"][name]
    file.write_text(json.dumps(document))
    found = ScoreStore(tmp_path).get("case-1")
    assert found is not None and found.finding == Finding("CT", "covid19", 0.7, 3, None, None)
