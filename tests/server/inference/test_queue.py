"""The queue of inferences: one reader's many requests keep no other reader waiting."""

import threading
from dataclasses import dataclass

from pneumoscreen.server.inference.jobs import JobBoard
from pneumoscreen.server.inference.queue import InferenceQueue, in_turn

PATIENCE_S = 60


@dataclass(frozen=True)
class Asked:
    reader: str
    number: int


def test_readers_are_served_in_turn() -> None:
    waiting = [Asked("mallory", number) for number in range(4)] + [
        Asked("alice", 4),
        Asked("ben", 5),
        Asked("alice", 6),
    ]
    assert [each.number for each in in_turn(waiting, {})] == [0, 4, 5, 1, 6, 2, 3]
    assert [each.number for each in in_turn(waiting, {"alice": 1, "mallory": 2})] == [5, 4, 0, 6, 1, 2, 3]
    assert [each.number for each in in_turn([Asked("", number) for number in range(3)], {"": 9})] == [0, 1, 2]


def test_an_inference_waits_for_one_of_each_other_reader() -> None:
    queue, may_go, done = InferenceQueue(lambda: None), threading.Event(), list[str]()
    first = queue.submit("mallory", lambda: may_go.wait(PATIENCE_S))
    results = [queue.submit("mallory", lambda number=number: done.append(f"m{number}")) for number in range(5)]
    results.append(queue.submit("alice", lambda: done.append("alice")))
    gone = queue.submit("alice", lambda: done.append("gone"))
    assert gone.cancel()
    may_go.set()
    for result in [first, *results]:
        result.result(PATIENCE_S)
    assert done == ["alice", "m0", "m1", "m2", "m3", "m4"]
    assert queue.submit("ben", lambda: 1 / 0).exception(PATIENCE_S)
    assert queue.submit("ben", lambda: "still there").result(PATIENCE_S) == "still there"


def test_the_position_is_that_of_the_turn() -> None:
    board = JobBoard()
    board.served = lambda: {"mallory": 1}
    jobs = [board.add("ct_screening", "a", "mallory") for _ in range(3)] + [board.add("ct_screening", "b", "alice")]
    assert [board.view(job)["position"] for job in jobs] == [2, 3, 4, 1]
