"""What an image costs does not grow with the archive: steps and calls are counted, so that no machine is too slow."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.archive.simulated import make_images, run, summarise
from tests.images.conftest import make_chest, make_slice

from pneumoscreen.archive.jobs import Job, jobs_of
from pneumoscreen.images.case_ids import unique_id

MORE = 1.15
"""What ten times as many images may cost more than ten times: seldom work such as a page of a database."""


class Steps:
    """Counts the steps of SQLite's machine on all connections that are opened."""

    def __init__(self) -> None:
        self.count = 0
        self._connect = sqlite3.connect

    def connect(self, *words: object, **options: object) -> sqlite3.Connection:
        """As of ``sqlite3``."""
        base = self._connect(*words, **options)  # type: ignore[call-overload]
        base.set_progress_handler(self._step, 1)
        return base  # type: ignore[no-any-return]

    def _step(self) -> int:
        self.count += 1
        return 0

    def of(self, act: Callable[[], object]) -> int:
        """Steps of an action."""
        before = self.count
        act()
        return self.count - before


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    counting = Steps()
    monkeypatch.setattr(sqlite3, "connect", counting.connect)
    return counting


def test_a_row_costs_the_database_the_same_however_many_there_are(steps: Steps, tmp_path: Path) -> None:
    costs = []
    for count in (60, 600):
        source, out = make_images(tmp_path / f"{count}", count), tmp_path / f"out-{count}"
        all_new = steps.of(lambda: run(source, out))  # noqa: B023
        all_done = steps.of(lambda: run(source, out))  # noqa: B023
        costs.append([cost / count for cost in (all_new, all_done, steps.of(lambda: summarise(out)))])  # noqa: B023
    for few, many in zip(*costs, strict=True):
        assert many <= few * MORE, costs


@contextmanager
def counted_calls() -> Iterator[list[int]]:
    calls = [0]

    def note(frame: object, event: str, what: object) -> None:
        calls[0] += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def test_a_found_image_costs_the_same_however_many_lie_in_a_folder(tmp_path: Path) -> None:
    """A folder of patients whose files have the same names: a DICOM slice, a volume, a picture."""
    chest, costs = make_chest()[:, ::8, ::8], []
    for count in (5, 30, 300):
        for number in range(count):
            folder = tmp_path / f"{count}" / "patients" / f"{number:04d}"
            (folder / "film").mkdir(parents=True)
            make_slice(chest, 0, f"1.2.3.{number + 1}").save_as(folder / "1.dcm", write_like_original=False)
            (folder / "ct.nii.gz").touch()
            (folder / "film" / "1.png").touch()
        with counted_calls() as calls:
            found = list(jobs_of([tmp_path / f"{count}"]))
        assert len([job for job in found if isinstance(job, Job)]) == 2 * count
        costs.append(calls[0] / count)
    # The first one imported what is imported once.
    assert costs[2] <= costs[1] * MORE, costs


def test_the_thousandth_of_a_name_is_numbered_as_fast_as_the_tenth() -> None:
    costs = []
    for count in (10, 1000):
        taken: dict[str, int] = {}
        with counted_calls() as calls:
            ids = [unique_id("CT", taken) for _ in range(count)]
        assert ids[:3] + ids[-1:] == ["CT", "CT_2", "CT_3", f"CT_{count}"]
        assert unique_id("ct_2", taken) == "ct_2_2"
        costs.append(calls[0] / count)
    assert costs[1] <= costs[0] * MORE, costs
