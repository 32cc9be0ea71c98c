"""Work in turns of the event loop: one thing a turn, what a reader waits for first, nothing after it was given up."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from tests.slicer_extension.doubles.running_panel import running_panel

from PneumoScreenLib.background import Turns, before_others, in_one_turn, when_idle


def parts(done: list[str], name: str = "") -> Generator[None, None, str]:
    try:
        for number in range(3):
            done.append(f"{name}{number}")
            yield
    except GeneratorExit:
        done.append(f"{name}given up")
        raise
    return "end"


@pytest.fixture
def waiting() -> list[Callable[[], None]]:
    return []


def test_one_part_a_turn_and_the_end_is_told_once(waiting: list[Callable[[], None]]) -> None:
    done: list[str] = []
    turns = Turns(waiting.append)
    turns.start(parts(done), lambda: done.append("ended"))
    assert done == ["0"] and turns.is_at_work and len(waiting) == 1
    while waiting:
        waiting.pop(0)()
    assert done == ["0", "1", "2", "ended"] and not turns.is_at_work
    turns.stop()
    assert done[-1] == "ended" and done.count("ended") == 1


def test_what_is_given_up_is_told_and_does_nothing_more(waiting: list[Callable[[], None]]) -> None:
    done: list[str] = []
    turns = Turns(waiting.append)
    turns.start(parts(done, "a"), lambda: done.append("a ended"))
    turns.start(parts(done, "b"))
    while waiting:
        waiting.pop(0)()
    assert done == ["a0", "agiven up", "a ended", "b0", "b1", "b2"]


def test_a_part_may_stop_what_it_belongs_to(waiting: list[Callable[[], None]]) -> None:
    done: list[str] = []
    turns = Turns(waiting.append)

    def stopping() -> Generator[None, None, None]:
        done.append("first")
        turns.stop()
        yield
        done.append("never")

    turns.start(stopping(), lambda: done.append("ended"))
    assert not waiting and done == ["first", "ended"] and not turns.is_at_work


def test_a_part_that_fails_ends_it(waiting: list[Callable[[], None]]) -> None:
    done: list[str] = []
    turns = Turns(waiting.append)

    def failing() -> Generator[None, None, None]:
        yield
        raise RuntimeError("no")

    turns.start(failing(), lambda: done.append("ended"))
    with pytest.raises(RuntimeError):
        waiting.pop(0)()
    assert done == ["ended"] and not turns.is_at_work and not waiting


def test_all_parts_in_one_turn_give_what_they_return() -> None:
    done: list[str] = []
    assert in_one_turn(parts(done)) == "end" and done == ["0", "1", "2"]


def test_one_thing_a_turn_of_the_event_loop_and_a_reader_first(tmp_path: Path) -> None:
    with running_panel(tmp_path) as panel:
        panel.settle(20)
        done: list[str] = []
        for name in "ab":
            when_idle(lambda name=name: done.append(name))
        before_others(lambda: done.append("reader"))
        steps = []
        while len(done) < 3:
            panel.settle(1)
            steps.append(len(done))
        assert done == ["reader", "a", "b"]
        assert [steps.count(each) > 0 for each in (1, 2, 3)] == [True] * 3, "a turn each"


def test_a_thousand_turns_leave_one_timer_with_the_application(tmp_path: Path) -> None:
    import qt
    import slicer

    with running_panel(tmp_path) as panel:
        kept = slicer.app.moduleManager()
        before, heard = len(kept.children()), []
        for number in range(1000):
            when_idle(lambda number=number: heard.append(number))
        panel.wait(lambda: len(heard) == 1000)
        assert heard == list(range(1000)) and len(kept.children()) <= before + 1
        qt.QTimer.singleShot(0, lambda: heard.append("once"))
        panel.wait(lambda: heard[-1] == "once")
        assert len(kept.children()) > before, "Slicer's own stays"
