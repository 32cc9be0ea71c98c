import pytest

from PneumoScreenLib.signal import Signal


def test_listeners_are_called_in_their_order_and_once() -> None:
    heard: list[str] = []
    signal = Signal()
    first, second = lambda value: heard.append(f"a{value}"), lambda value: heard.append(f"b{value}")
    for listener in (first, second, first):
        signal.connect(listener)
    signal.emit(1)
    signal.disconnect(first)
    signal.disconnect(first)
    signal.emit(2)
    assert heard == ["a1", "b1", "b2"]


def test_a_listener_that_fails_keeps_nobody_from_hearing() -> None:
    heard: list[int] = []
    signal = Signal()
    signal.connect(lambda: 1 / 0)
    signal.connect(lambda: heard.append(1))
    with pytest.raises(ZeroDivisionError):
        signal.emit()
    assert heard == [1]


def test_no_failure_goes_unseen(caplog: pytest.LogCaptureFixture) -> None:
    signal = Signal()
    signal.connect(lambda: 1 / 0)
    signal.connect(lambda: {}["gone"])
    signal.connect(lambda: [][3])
    with pytest.raises(ZeroDivisionError):
        signal.emit()
    assert [type(record.exc_info[1]) for record in caplog.records] == [KeyError, IndexError]


def test_a_listener_may_leave_while_it_hears() -> None:
    heard: list[int] = []
    signal = Signal()

    def once() -> None:
        heard.append(1)
        signal.disconnect(once)

    signal.connect(once)
    signal.emit()
    signal.emit()
    assert heard == [1]
