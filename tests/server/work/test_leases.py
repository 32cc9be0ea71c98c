"""Leases: one reader a case, whoever asks at once, until submitted, given back or expired."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.server.failures import ServeError
from pneumoscreen.server.work.leases import MINUTES_VARIABLE, HeldError, Leases

HOUR = 3600.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(tmp_path: Path, clock: Clock) -> Leases:
    return Leases(tmp_path / "work" / "leases.json", HOUR, clock)


def test_a_case_is_with_one_reader(leases: Leases) -> None:
    assert leases.take("a", "anna").expires - leases.take("a", "anna").taken == HOUR
    with pytest.raises(HeldError, match=r"case a is with anna until 2027-01-15T09:00:00\.000Z") as raised:
        leases.take("a", "ben")
    assert raised.value.status == 409
    assert leases.take("b", "ben").case_id == "b"
    assert {case: lease.reader for case, lease in leases.current().items()} == {"a": "anna", "b": "ben"}


def test_a_lease_expires_without_activity(leases: Leases, clock: Clock) -> None:
    leases.take("a", "anna")
    clock.time += HOUR - 1
    assert "a" in leases.current()
    clock.time += 1
    assert leases.current() == {}
    assert leases.take("a", "ben").reader == "ben"


def test_activity_renews_a_lease_of_ones_own(leases: Leases, clock: Clock) -> None:
    leases.take("a", "anna")
    for _ in range(10):
        clock.time += HOUR / 2
        leases.touch("a", "anna")
    assert leases.current()["a"].reader == "anna"
    leases.touch("a", "ben")
    clock.time += HOUR / 2
    leases.touch("a", None)
    clock.time += HOUR / 2
    assert "a" in leases.current(), "on a server of a single user any activity is the reader's"
    clock.time += HOUR / 2
    leases.touch("a", "ben")
    assert leases.current() == {}
    leases.touch("a", "anna")
    assert leases.current() == {}, "an expired lease is not brought back by activity"


def test_many_small_activities_renew_as_one_large(leases: Leases, clock: Clock) -> None:
    leases.take("a", "anna")
    for _ in range(200):
        clock.time += HOUR / 100
        leases.touch("a", "anna")
    assert "a" in leases.current()


def test_release_is_by_the_holder_or_by_nobody_in_particular(leases: Leases) -> None:
    leases.take("a", "anna")
    assert not leases.release("a", "ben")
    assert leases.release("a", "anna")
    assert not leases.release("a", "anna")
    leases.take("a", "anna")
    assert leases.release("a", None)
    assert leases.current() == {}


def test_a_skipped_case_is_free_for_others_and_comes_back_later(leases: Leases, clock: Clock) -> None:
    leases.take("a", "anna")
    leases.skip("a", "anna")
    assert leases.current() == {}
    assert (leases.skipped_by("anna"), leases.skipped_by("ben")) == ({"a"}, set())
    clock.time += HOUR
    assert leases.skipped_by("anna") == set()
    leases.skip("b", "anna")
    leases.take("b", "anna")
    assert leases.skipped_by("anna") == set(), "whoever takes a case wants it"


def test_the_newest_of_a_readers_cases_comes_first(leases: Leases, clock: Clock) -> None:
    for case in "abc":
        leases.take(case, "anna")
        clock.time += 1
    leases.take("a", "anna")
    assert [lease.case_id for lease in leases.of_reader("anna")] == ["c", "b", "a"]
    assert leases.of_reader("ben") == []


def test_leases_survive_a_restart(leases: Leases, tmp_path: Path, clock: Clock) -> None:
    leases.take("a", "Ännå \U0001f9d1")
    leases.take("b\udce4", "ben")  # a file name that is not UTF-8
    leases.skip("c", "ben")
    after = Leases(tmp_path / "work" / "leases.json", HOUR, clock)
    assert after.current() == leases.current()
    assert after.skipped_by("ben") == {"c"}
    clock.time += HOUR
    assert Leases(tmp_path / "work" / "leases.json", HOUR, clock).current() == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"leases": [{}], "skipped": []}', b'{"leases": 3}', b"\xff\xfe", b"[" * 9999],
)
def test_a_damaged_file_costs_the_leases_and_not_the_server(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "leases.json"
    file.write_bytes(content)
    leases = Leases(file, HOUR)
    assert leases.current() == {}
    leases.take("a", "anna")
    assert json.loads(file.read_bytes())["leases"][0]["case_id"] == "a"


def test_a_disk_that_cannot_be_written_costs_no_reader_a_case(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "work").write_text("a file where the folder should be")
    leases = Leases(tmp_path / "work" / "leases.json", HOUR)
    leases.take("a", "anna")
    assert "cannot be written" in caplog.text
    with pytest.raises(HeldError):
        leases.take("a", "ben")


def test_thirty_two_readers_at_once_get_thirty_two_cases(leases: Leases, tmp_path: Path, clock: Clock) -> None:
    cases, start = [f"case-{number:02d}" for number in range(40)], threading.Barrier(32)

    def ask(number: int) -> str:
        start.wait()
        for case_id in cases:
            with suppress(HeldError):
                return leases.take(case_id, f"reader-{number}").case_id
        raise AssertionError("there are more cases than readers")

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(ask, range(32)))
    assert len(set(found)) == 32
    kept = Leases(tmp_path / "work" / "leases.json", HOUR, clock).current()
    assert {lease.reader: case for case, lease in kept.items()} == {f"reader-{n}": case for n, case in enumerate(found)}


actions = st.lists(
    st.tuples(
        st.sampled_from(["take", "touch", "release", "skip", "wait", "restart"]),
        st.sampled_from("abc"),
        st.sampled_from(["anna", "ben"]),
        st.sampled_from([1.0, HOUR / 2, HOUR]),
    ),
    max_size=25,
)


@given(actions)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_a_case_is_with_whom_it_was_given_to(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str, float]]
) -> None:
    """Against the plainest model there is: a table of case, holder and end."""
    file, clock = tmp_path_factory.mktemp("leases") / "leases.json", Clock()
    leases, table = Leases(file, HOUR, clock), dict[str, tuple[str, float]]()
    for action, case, reader, wait in steps:
        table = {key: value for key, value in table.items() if value[1] > clock.time}
        holder = table.get(case, (reader, 0.0))[0]
        if action == "take" and holder == reader:
            leases.take(case, reader)
            table[case] = reader, clock.time + HOUR
        elif action == "take":
            with pytest.raises(HeldError):
                leases.take(case, reader)
        elif action == "touch":
            leases.touch(case, reader)
            if case in table and holder == reader and clock.time + HOUR - table[case][1] > HOUR / 20:
                table[case] = reader, clock.time + HOUR
        elif action in ("release", "skip"):
            (leases.release if action == "release" else leases.skip)(case, reader)
            if holder == reader:
                table.pop(case, None)
        elif action == "wait":
            clock.time += wait
        else:
            leases = Leases(file, HOUR, clock)
    held = {case: lease.reader for case, lease in leases.current().items()}
    assert held == {case: who for case, (who, end) in table.items() if end > clock.time}


def test_the_duration_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MINUTES_VARIABLE, "0.5")
    assert Leases(tmp_path / "leases.json").duration_s == 30.0
    monkeypatch.delenv(MINUTES_VARIABLE)
    assert Leases(tmp_path / "leases.json").duration_s == HOUR
    for wrong in ("soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(MINUTES_VARIABLE, wrong)
        with pytest.raises(ServeError, match=f"{MINUTES_VARIABLE} is '{wrong}'; give the minutes"):
            Leases(tmp_path / "leases.json")
