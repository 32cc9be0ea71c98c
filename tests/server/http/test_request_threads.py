"""Bytes move on while every thread for requests is busy."""

import asyncio
import threading
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, UploadFile
from fastapi.responses import FileResponse
from starlette.types import Message

from pneumoscreen.server.http import application as web
from pneumoscreen.server.http import request_threads

_SIZE = 3_000_000
"""Bytes: in memory an upload is kept up to a million."""


@pytest.mark.timeout(120)
def test_a_download_and_an_upload_pass_while_all_requests_are_at_work(tmp_path: Path) -> None:
    done, at_work = threading.Event(), threading.Semaphore(0)
    file = tmp_path / "scan.nii.gz"
    file.write_bytes(bytes(_SIZE))
    app = FastAPI()

    @app.get("/work")
    def work() -> None:
        at_work.release()
        done.wait()

    @app.get("/file")
    async def download() -> FileResponse:
        return FileResponse(file)

    @app.put("/file")
    async def upload(file: UploadFile) -> int:
        return len(await file.read())

    async def talk() -> tuple[int, int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", timeout=60) as client:
            busy = [asyncio.create_task(client.get("/work")) for _ in range(2 * request_threads.REQUESTS_AT_A_TIME)]
            try:
                for _ in range(request_threads.REQUESTS_AT_A_TIME):
                    while not at_work.acquire(blocking=False):
                        await asyncio.sleep(0.01)
                got = await asyncio.wait_for(client.get("/file"), 60)
                put = await asyncio.wait_for(client.put("/file", files={"file": ("a.nii.gz", bytes(_SIZE))}), 60)
            finally:
                done.set()
                await asyncio.gather(*busy)
            return len(got.content), put.json()

    assert web  # what it does to FastAPI is what is tested
    assert asyncio.run(talk()) == (_SIZE, _SIZE)


def test_a_file_is_sent_in_few_pieces(tmp_path: Path) -> None:
    (tmp_path / "scan.nii.gz").write_bytes(bytes(_SIZE))
    pieces: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            pieces.append(len(message["body"]))

    async def receive() -> Message:
        raise AssertionError("nothing is asked of the client")

    scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
    asyncio.run(FileResponse(tmp_path / "scan.nii.gz")(scope, receive, send))
    whole, rest = divmod(_SIZE, request_threads.PIECE_BYTES)
    assert pieces == [request_threads.PIECE_BYTES] * whole + [rest]
    assert len(pieces) < 5
