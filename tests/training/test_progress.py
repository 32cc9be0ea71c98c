"""The lines of a training and its callback."""

import pytest

from pneumoscreen.errors import Cancelled
from pneumoscreen.training.progress import TrainingProgress


def test_lines_average_since_the_line_before() -> None:
    lines: list[str] = []
    progress = TrainingProgress("toy", 3, every_s=1e9, say=lines.append)
    for done, loss in enumerate((1.0, 2.0, 6.0), start=1):
        progress.step(done, {"loss": loss})
    assert len(lines) == 1
    assert lines[0].startswith("toy step 3/3 loss 3.0000")
    assert lines[0].endswith("0:00 left")


def test_the_callback_sees_the_fraction_and_may_cancel() -> None:
    seen: list[tuple[str, float]] = []

    def note(name: str, fraction: float) -> None:
        seen.append((name, fraction))
        if fraction >= 0.5:
            raise Cancelled

    progress = TrainingProgress("toy", 4, start=1, callback=note, say=lambda line: None)
    with pytest.raises(Cancelled):
        progress.step(2, {})
    assert seen == [("toy", 0.5)]
