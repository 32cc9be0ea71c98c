"""``pneumoscreen evaluate --reader-study``: what the files hold, and what is refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..evaluation.reading_room import ReadingRoom, Said, simulated


def test_three_files_and_the_figures_of_both_readers(run: Callable[..., Any], tmp_path: Path) -> None:
    simulated(tmp_path / "study", cases=6)
    ended = run("evaluate", "--studies", tmp_path / "study", "--reader-study", "--out", tmp_path / "out")
    assert ended.status == 0, ended.err
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["population"]["source"] == "studies folder study"
    assert (figures["population"]["cases"], figures["population"]["patients"]) == (6, 3)
    rows = {(row["reader"], row["condition"]): row["readings"] for row in figures["readers"]}
    assert rows["dr-ann", "without"] == rows["dr-bob", "with"] == 6
    assert (tmp_path / "out" / "evaluation.txt").read_text(encoding="utf-8") == ended.out
    assert "Research use only" in (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--reader-study needs --studies"),
        (("--studies", "{room}", "--cases", "5"), "--cases does not go with --reader-study"),
        (("--studies", "{room}", "--processes", "2"), "--processes does not go with --reader-study"),
        (("--studies", "{room}", "--calibrate"), "--calibrate does not go with --reader-study"),
        (("--studies", "{room}"), "no reader has submitted any CT here"),
        (("--studies", "{room}", "--modality", "cxr"), "no reader has submitted any X-ray here"),
        (("--studies", "{room}/absent"), "absent"),
    ],
)
def test_what_does_not_go_is_said(run: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    room = ReadingRoom(tmp_path / "room", {"a": "covid19"})
    room.truth("a", "covid19")
    given = [word.format(room=room.folder) for word in words]
    ended = run("evaluate", "--reader-study", "--out", tmp_path / "out", *given)
    assert ended.status == 2
    assert said in " ".join(ended.err.split())


def test_an_x_ray_without_a_submission_does_not_hide_the_ct_readings(run: Callable[..., Any], tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path / "room", {"a": "covid19"})
    (room.folder / "x.png").write_bytes(b"not opened")
    room.submit(Said("a", "ann", "covid19", 20.0, True))
    ended = run("evaluate", "--studies", room.folder, "--reader-study", "--out", tmp_path / "out", "--json")
    assert ended.status == 0
    assert [reading["case_id"] for reading in json.loads(ended.out)["readings"]] == ["a"]
