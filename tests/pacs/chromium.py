"""A Chromium without a screen, driven by its DevTools protocol; drawing by software, so no graphics card is needed."""

import asyncio
import base64
import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 120.0
_LOOK_S = 0.25
_OPTIONS = (
    "--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
)  # fmt: skip
T = TypeVar("T")


class Chromium:
    """One window with one page; a context manager, which ends it.

    Args:
        width, height: of the window in pixels.
    """

    def __init__(self, width: int = 1400, height: int = 900) -> None:
        assert PROGRAM is not None
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.mkdtemp(prefix="chromium-")
        # Chromium's own walls round a page cannot be raised by root.
        rights = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [PROGRAM, *_OPTIONS, *rights, f"--user-data-dir={self._folder}", f"--window-size={width},{height}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._number = 0
        self.said: list[str] = []

    def __enter__(self) -> "Chromium":
        self._wait_for(self._connected())
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        self._wait_for(self._disconnected())
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, address: str) -> None:
        """Go to a page."""
        self.ask("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_until(self, script: str) -> Any:
        """The first value of an expression that is true in JavaScript's sense.

        Raises:
            AssertionError: if there is none for too long; it says what the page shows and what its console said.
        """
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = self.run(f"(() => {{ try {{ return {script}; }} catch (error) {{ return null; }} }})()")
            if found:
                return found
            time.sleep(_LOOK_S)
        shown = self.run("document.body.innerText")
        raise AssertionError(f"{script} did not come true\n{shown}\n" + "\n".join(self.said[-20:]))

    def picture(self) -> NDArray[np.uint8]:
        """What the window shows, [row, column, RGB]."""
        content = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a method of the protocol."""
        return self._wait_for(self._asked(method, parameters))

    def _wait_for(self, work: "Coroutine[Any, Any, T]") -> T:
        return self._loop.run_until_complete(asyncio.wait_for(work, PATIENCE_S))

    async def _connected(self) -> None:
        port_file = Path(self._folder, "DevToolsActivePort")
        while not (port_file.exists() and "\n" in port_file.read_text(encoding="utf-8")):
            assert self._process.poll() is None, "Chromium ended at once"
            await asyncio.sleep(_LOOK_S)
        port = port_file.read_text(encoding="utf-8").split()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            (page, *_) = [found for found in await answer.json() if found["type"] == "page"]
        self._socket = await self._session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)

    async def _disconnected(self) -> None:
        await self._socket.close()
        await self._session.close()

    async def _asked(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return dict(message["result"])
            if message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.said.append(json.dumps(message["params"])[:500])
