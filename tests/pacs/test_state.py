"""What was done with each study outlives the program, and says nothing of a patient."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pneumoscreen.pacs.client import StudyFound
from pneumoscreen.pacs.state import FIRST_RETRY_S, LONGEST_RETRY_S, State, StateError, read_entries


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock, tmp_path: Path) -> State:
    return State(tmp_path / "state", clock)


def due(state: State, quiet: float = 60.0) -> list[str]:
    return [entry.study_uid for entry in state.due(quiet)]


def test_a_study_is_due_when_it_has_not_grown_for_a_while(state: State, clock: Clock) -> None:
    state.see([StudyFound("1.1", 10), StudyFound("1.2", 20)])
    assert due(state) == []
    clock.now += 40
    state.see([StudyFound("1.1", 10), StudyFound("1.2", 25)])
    clock.now += 30
    assert due(state) == ["1.1"]
    clock.now += 30
    assert due(state) == ["1.1", "1.2"]


def test_a_stored_study_stays_stored_whatever_is_added_to_it(state: State, clock: Clock) -> None:
    state.see([StudyFound("1.1", 10)])
    state.begin("1.1")
    state.screened("1.1", "1.1.5", "covid19")
    state.see([StudyFound("1.1", 12)])
    assert [(one.state, one.instances) for one in state.entries()] == [("screened", 10)]
    state.stored("1.1")
    state.see([StudyFound("1.1", 14)])
    clock.now += 10**6
    (entry,) = state.entries()
    assert (entry.state, entry.series_uid, entry.verdict, entry.begun) == ("stored", "1.1.5", "covid19", 0)
    assert due(state) == []


def test_a_failure_is_tried_again_ever_later(state: State, clock: Clock) -> None:
    state.see([StudyFound("1.1", 10)])
    clock.now += 60
    waits = []
    for _ in range(14):
        state.begin("1.1")
        state.failed("1.1", "away")
        (entry,) = state.entries()
        assert entry.state == "failed" and entry.reason == "away" and due(state) == []
        waits.append(entry.next_try - clock.now)
        clock.now = entry.next_try
        assert due(state) == ["1.1"]
    assert waits[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S] and waits[-1] == LONGEST_RETRY_S
    assert waits == sorted(waits)
    state.failed("1.1", "away")
    state.hurry()
    assert due(state) == ["1.1"]


def test_results_that_wait_to_be_stored_stay_so_when_storing_fails(state: State) -> None:
    state.see([StudyFound("1.1", 10)])
    state.screened("1.1", "1.1.5", "covid19")
    state.failed("1.1", "away")
    assert [(one.state, one.verdict) for one in state.entries()] == [("screened", "covid19")]


def test_a_refused_study_is_looked_at_again_when_it_has_grown(state: State, clock: Clock) -> None:
    state.see([StudyFound("1.1", 10)])
    state.refused("1.1", "no chest")
    clock.now += 10**6
    state.see([StudyFound("1.1", 10)])
    assert due(state) == []
    state.see([StudyFound("1.1", 300)])
    clock.now += 60
    assert due(state) == ["1.1"]


def test_the_most_urgent_comes_first_and_of_equal_ones_the_oldest(state: State, clock: Clock) -> None:
    state.see([StudyFound(f"1.{number}", 10) for number in range(5)])
    assert [entry.study_uid for entry in state.unranked()] == [f"1.{number}" for number in range(5)]
    for study, priority in (("1.1", 1), ("1.2", 2), ("1.3", 0), ("1.4", 2)):
        state.ranked(study, priority)
    clock.now += 60
    assert due(state) == ["1.2", "1.4", "1.1", "1.0", "1.3"]
    assert [entry.study_uid for entry in state.unranked()] == ["1.0"]
    state.begin("1.2")
    state.failed("1.2", "away")
    assert due(state)[0] == "1.4"


def test_what_may_be_coming_still_is_complete_a_while_after_a_start(state: State, clock: Clock) -> None:
    state.see([StudyFound("1.1", 10), StudyFound("1.2", 10)])
    state.screened("1.2", "1.2.5", "covid19")
    clock.now += 60
    state.still_coming()
    assert due(state) == ["1.2"]
    clock.now += 60
    assert due(state) == ["1.1", "1.2"]


def test_a_state_of_an_earlier_version_is_used_on(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    base = sqlite3.connect(tmp_path / "state" / "state.sqlite")
    base.execute(
        "CREATE TABLE studies (study_uid TEXT PRIMARY KEY, state TEXT NOT NULL, instances INTEGER, changed REAL "
        "NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL "
        "DEFAULT 0, "
        "reason TEXT NOT NULL DEFAULT '', series_uid TEXT NOT NULL DEFAULT '', verdict TEXT NOT NULL DEFAULT '')"
    )
    base.execute("INSERT INTO studies (study_uid, state, instances, changed) VALUES ('1.1', 'stored', 10, 1.0)")
    base.commit()
    base.close()
    (old,) = read_entries(tmp_path / "state")
    assert (old.study_uid, old.priority, old.late) == ("1.1", None, 0)
    state = State(tmp_path / "state")
    state.grown("1.1", 3)
    assert [(one.study_uid, one.state, one.late) for one in state.entries()] == [("1.1", "stored", 3)]
    state.close()


def test_it_is_there_after_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from pneumoscreen.pacs.client import StudyFound\n"
        "from pneumoscreen.pacs.state import State\n"
        "state = State(Path(sys.argv[1]))\n"
        "state.see([StudyFound('1.1', 10)])\n"
        "state.begin('1.1')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], env={"PYTHONPATH": ":".join(sys.path)})
    (entry,) = State(tmp_path).entries()
    assert (entry.study_uid, entry.state, entry.begun) == ("1.1", "seen", 2)


def test_a_second_watcher_is_refused_and_others_may_read(state: State, tmp_path: Path) -> None:
    state.see([StudyFound("1.1", 10)])
    with pytest.raises(StateError, match=r"another watcher uses it; stop that one or name another folder"):
        State(tmp_path / "state")
    assert read_entries(tmp_path / "state") == state.entries()
    state.close()
    State(tmp_path / "state").close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_full_disk_is_a_sentence_and_changes_nothing(state: State) -> None:
    state.see([StudyFound("1.1", 10)])
    (pages,) = state._base.execute("PRAGMA page_count").fetchone()
    state._base.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StateError, match=r"--state .*: cannot be written \(.*full\); free the disk, start again"):
        state.see([StudyFound(f"1.2.{number}", 10) for number in range(5000)])
    assert [entry.study_uid for entry in state.entries()] == ["1.1"]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateError, match=r"--state .*file: cannot be used \(.*\); name another folder"):
        State(tmp_path / "file")
    with pytest.raises(StateError, match="no watcher was here"):
        read_entries(tmp_path / "none")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "state.sqlite").write_text("no base at all" * 100)
    with pytest.raises(StateError, match="cannot be used"):
        State(tmp_path / "bad")
    with pytest.raises(StateError, match="cannot be read"):
        read_entries(tmp_path / "bad")
