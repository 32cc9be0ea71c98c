"""One reader's many requests wait for each other and keep no other reader waiting."""

import asyncio
import contextvars
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from pneumoscreen.server.access.identity import Role, Speaker, set_speaker
from pneumoscreen.server.http.limits import ReaderLimit


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
        limit = ReaderLimit(backend, 2, ("/infer/",))
        answers: list[int] = []

        async def ask(reader: str, path: str, is_known: bool = True) -> None:
            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answers.append(message["status"])

            async def receive() -> Any:
                return {"type": "http.request", "body": b""}

            set_speaker(Speaker(reader, Role.READER, is_known))
            await limit({"type": "http", "path": path, "method": "GET", "headers": []}, receive, send)

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
        assert not limit._there and not limit._places

    asyncio.run(play())
