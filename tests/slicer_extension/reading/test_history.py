from hypothesis import given
from hypothesis import strategies as st

from PneumoScreenLib.reading.history import History


def test_a_new_step_forgets_what_was_undone() -> None:
    history = History("a")
    history.record("b")
    history.undo()
    assert history.can_redo
    history.record("c")
    assert not history.can_redo and history.now == "c"
    history.undo()
    assert history.now == "a" and not history.can_undo


def test_steps_of_one_topic_are_one() -> None:
    history = History("")
    for text in ("h", "hi"):
        history.record(text, "note")
    history.pause()
    history.record("hi!", "note")
    history.undo()
    assert history.now == "hi"
    history.undo()
    assert history.now == ""


def test_a_topic_ends_with_an_undo() -> None:
    history = History("")
    history.record("a", "note")
    history.undo()
    history.redo()
    history.record("ab", "note")
    history.undo()
    assert history.now == "a"


def test_what_is_learnt_is_in_all_states() -> None:
    history = History(1)
    history.record(2)
    history.rewrite(lambda value: value * 10)
    assert history.now == 20
    history.undo()
    assert history.now == 10


@given(st.lists(st.one_of(st.integers(), st.sampled_from(["undo", "redo"]))))
def test_it_walks_as_a_plain_list_does(actions: list[int | str]) -> None:
    history, states, at = History(-1), [-1], 0
    for action in actions:
        if action == "undo":
            history.undo()
            at = max(at - 1, 0)
        elif action == "redo":
            history.redo()
            at = min(at + 1, len(states) - 1)
        else:
            history.record(action)
            states, at = [*states[: at + 1], action], at + 1
        assert history.now == states[at]
        assert (history.can_undo, history.can_redo) == (at > 0, at + 1 < len(states))
