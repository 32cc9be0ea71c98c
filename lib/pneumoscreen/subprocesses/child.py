"""This side of one process that reads scans; the other side is ``process``."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..limits import MEBIBYTE, Limits
from .parent import child_environment

_POLL_MS = 100
_LONGEST_LINE = 1 << 20
_CHUNK = 1 << 20

Check = Callable[[], object]
"""Asked again and again while a scan is read; raises to stop."""


class GoneError(Exception):
    """The process ended, or was late."""

    def __init__(self, is_late: bool) -> None:
        super().__init__()
        self.is_late = is_late


class Child:
    """One process that reads.

    Args:
        limits: of memory and time.
        module: what runs in it.
        is_silent: whether what packages say in it is to reach nobody.
    """

    def __init__(self, limits: Limits, module: str, is_silent: bool = False) -> None:
        words = limits.read_memory_mb, limits.read_seconds
        self._most = limits.read_memory_mb * MEBIBYTE
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words)],
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_silent else None,
            bufsize=0,
            process_group=0,  # an interrupt at the terminal is its parent's
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._answers = self._process.stdin, self._process.stdout.fileno()
        self._read = b""
        self._gone = False

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def end(self) -> int:
        """Kill it; whatever it does is of no use to anybody. Its exit status."""
        if not self._gone:
            self._process.kill()
        status = self._process.wait()
        self._orders.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def ask(self, order: dict[str, Any], end: float, check: Check) -> tuple[dict[str, Any], NDArray[Any] | None]:
        """The answer to an order, and its array.

        Raises:
            GoneError: if none comes until ``end``.
        """
        try:
            self._orders.write(json.dumps(order).encode() + b"\n")
        except OSError:
            raise GoneError(is_late=False) from None
        while b"\n" not in self._read:
            if len(self._read) > _LONGEST_LINE:
                raise GoneError(is_late=False)
            self._read += self._more(end, check)
        line, _, self._read = self._read.partition(b"\n")
        answer = json.loads(line)
        if "array" not in answer:
            return answer, None
        return answer, self._array(answer["array"], end, check)

    def _array(self, about: dict[str, Any], end: float, check: Check) -> NDArray[Any]:
        kind, shape = np.dtype(about["dtype"]), tuple(int(side) for side in about["shape"])
        count = kind.itemsize
        for side in shape:
            count *= side
        if kind.kind not in "iuf" or not 0 < count <= self._most:
            raise GoneError(is_late=False)
        found = np.empty(count, np.uint8)
        begun = len(self._read)
        found[:begun] = np.frombuffer(self._read[:count], np.uint8)
        self._read = b""
        while begun < count:
            part = self._more(end, check, count - begun)
            found[begun : begun + len(part)] = np.frombuffer(part, np.uint8)
            begun += len(part)
        return found.view(kind).reshape(shape)

    def _more(self, end: float, check: Check, most: int = _CHUNK) -> bytes:
        """The next bytes that come, at least one."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        while True:
            check()
            if time.monotonic() > end:
                raise GoneError(is_late=True)
            if poll.poll(_POLL_MS):
                data = os.read(self._answers, min(most, _CHUNK))
                if not data:
                    self._gone = True  # its end of the pipe is closed: it ends by itself, and its status says how
                    raise GoneError(is_late=False)
                return data
