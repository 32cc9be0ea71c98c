"""How long a case is read: by a clock of the test, paused while nobody looks."""

import pytest

from PneumoScreenLib.session.stopwatch import Stopwatch


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_counts_from_its_start_and_again_from_0_after_a_reset(clock: Clock) -> None:
    watch = Stopwatch(clock)
    clock.at += 5
    assert watch.seconds == 0.0
    watch.start()
    clock.at += 2
    watch.start()
    clock.at += 1
    assert watch.seconds == 3.0
    watch.reset()
    clock.at += 7
    assert watch.seconds == 0.0
    watch.start()
    clock.at += 1
    assert watch.seconds == 1.0


def test_a_pause_does_not_count(clock: Clock) -> None:
    watch = Stopwatch(clock)
    watch.start()
    clock.at += 2
    watch.pause()
    clock.at += 50
    watch.pause()
    assert watch.seconds == 2.0
    watch.resume()
    watch.resume()
    clock.at += 1
    assert watch.seconds == 3.0


def test_a_start_while_paused_counts_from_the_resume(clock: Clock) -> None:
    watch = Stopwatch(clock)
    watch.pause()
    watch.start()
    clock.at += 50
    assert watch.seconds == 0.0
    watch.resume()
    clock.at += 4
    assert watch.seconds == 4.0


def test_a_resume_starts_nothing(clock: Clock) -> None:
    watch = Stopwatch(clock)
    watch.resume()
    clock.at += 4
    assert watch.seconds == 0.0
