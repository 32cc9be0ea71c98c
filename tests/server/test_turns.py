"""Whose turn it is: one reader's many requests keep no other reader waiting."""

import asyncio
import contextvars
import threading
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from pneumoscreen.server.identity import Role, Speaker, set_speaker
from pneumoscreen.server.jobs import JobBoard
from pneumoscreen.server.turns import ReaderTurns, Turns, in_turn

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
    turns, may_go, done = Turns(lambda: None), threading.Event(), list[str]()
    first = turns.submit("mallory", lambda: may_go.wait(PATIENCE_S))
    results = [turns.submit("mallory", lambda number=number: done.append(f"m{number}")) for number in range(5)]
    results.append(turns.submit("alice", lambda: done.append("alice")))
    gone = turns.submit("alice", lambda: done.append("gone"))
    assert gone.cancel()
    may_go.set()
    for result in [first, *results]:
        result.result(PATIENCE_S)
    assert done == ["alice", "m0", "m1", "m2", "m3", "m4"]
    assert turns.submit("ben", lambda: 1 / 0).exception(PATIENCE_S)
    assert turns.submit("ben", lambda: "still there").result(PATIENCE_S) == "still there"


def test_the_position_is_that_of_the_turn() -> None:
    board = JobBoard()
    board.served = lambda: {"mallory": 1}
    jobs = [board.add("ct_screening", "a", "mallory") for _ in range(3)] + [board.add("ct_screening", "b", "alice")]
    assert [board.view(job)["position"] for job in jobs] == [2, 3, 4, 1]


class Backend:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.may_go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside.append(scope["path"])
        await self.may_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


def test_requests_of_one_reader_wait_for_each_other() -> None:
    async def play() -> None:
        backend = Backend()
        turns = ReaderTurns(backend, 2, ("/infer/",))
        answers: list[int] = []

        async def ask(reader: str, path: str, is_known: bool = True) -> None:
            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answers.append(message["status"])

            async def receive() -> Any:
                return {"type": "http.request", "body": b""}

            set_speaker(Speaker(reader, Role.READER, is_known))
            await turns({"type": "http", "path": path, "method": "GET", "headers": []}, receive, send)

        def begin(*words: Any) -> "asyncio.Task[None]":
            return asyncio.create_task(ask(*words), context=contextvars.copy_context())

        tasks = [begin("mallory", f"/m{number}") for number in range(18)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert backend.inside == ["/m0", "/m1"]
        tasks += [begin("alice", "/a"), begin("mallory", "/infer/x"), begin("mallory", "/too-many")]
        tasks += [begin("local", f"/l{number}", False) for number in range(4)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert backend.inside == ["/m0", "/m1", "/a", "/infer/x", "/l0", "/l1", "/l2", "/l3"]
        assert answers == [429]
        backend.may_go.set()
        await asyncio.gather(*tasks)
        assert sorted(answers) == [200] * 24 + [429]
        assert not turns._there and not turns._places

    asyncio.run(play())
