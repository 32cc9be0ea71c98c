"""Results wait in their order, each once, and go again after a failure."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.pacs.results_queue import REFUSED, STORED, WAITING, ResultsQueue
from pneumoscreen.verdict import DEFAULT_CLASSES

from .conftest import film_case


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
def queue_of(tmp_path: Path, clock: list[float]) -> Callable[[], ResultsQueue]:
    return lambda: ResultsQueue(tmp_path, lambda: clock[0])


def test_a_document_is_entered_once_and_another_one_after_it(queue_of: Callable[[], ResultsQueue]) -> None:
    queue, case = queue_of(), film_case()
    assert queue.add(case, DEFAULT_CLASSES) and not queue.add(replace(case, timings_s={"total": 3.0}), DEFAULT_CLASSES)
    said = replace(case, diagnosis="healthy")
    assert queue.add(said, DEFAULT_CLASSES, 1, "reader-a") and not queue.add(said, DEFAULT_CLASSES, 1, "reader-a")
    assert not queue.add(case, DEFAULT_CLASSES, 1, "reader-a"), "a version is entered once"
    assert queue.add(said, DEFAULT_CLASSES, 2, "reader-b"), "somebody else says the same"
    assert queue.add(case, DEFAULT_CLASSES, 3, "reader-a"), "as it was before"
    assert queue.versions("film") == {0, 1, 2, 3}


def test_of_a_case_they_go_one_after_the_other(queue_of: Callable[[], ResultsQueue], clock: list[float]) -> None:
    queue, case = queue_of(), film_case()
    queue.add(case, DEFAULT_CLASSES)
    queue.add(replace(case, diagnosis="healthy"), DEFAULT_CLASSES, 1, "reader-a")
    queue.add(replace(case, case_id="other"), DEFAULT_CLASSES)
    first, other = queue_of().due()
    assert (first.case_id, first.version, other.case_id) == ("film", 0, "other")
    queue.failed(first, "the PACS is away")
    assert [result.case_id for result in queue.due()] == ["other"]
    clock[0] += 29.0
    assert len(queue.due()) == 1
    clock[0] += 1.0
    assert len(queue.due()) == 2
    queue.failed(first, "the PACS is away")
    clock[0] += 59.0
    assert len(queue.due()) == 1
    queue.hurry()
    queue.made(first, "1.2.3")
    queue.stored(first)
    second = queue.due()[0]
    assert (second.version, second.reader) == (1, "reader-a") and queue.before(second) == ["1.2.3"]
    stored = queue.result(first.id)
    assert stored is not None and (stored.state, stored.document) == (STORED, "")


def test_one_that_is_refused_is_none_that_others_name(queue_of: Callable[[], ResultsQueue]) -> None:
    queue, case = queue_of(), film_case()
    queue.add(case, DEFAULT_CLASSES)
    queue.add(replace(case, diagnosis="healthy"), DEFAULT_CLASSES, 1, "reader-a")
    (first,) = queue.due()
    queue.made(first, "1.2.3")
    queue.refused(first, "no images")
    (second,) = queue.due()
    assert queue.before(second) == []
    assert [(result.state, result.reason) for result in queue.open()] == [(REFUSED, "no images"), (WAITING, "")]
