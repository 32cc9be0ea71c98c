"""The images of cases on this disk, up to so many bytes, for several processes: what is in use stays.

Each case has a folder for its images and a file of its own in ``pins``, whose lock says who uses them: shared by those
who read, exclusive for the one who fetches or puts away. The system gives a lock back when its process ends, however it
ends. The file's text says what is in the folder, its time when that was used last.

Whoever holds images of a case must not ask for the same case again before giving them back: after the case has become
another one each would wait for the other.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..models.atomic_files import fsync_path
from .faults import CacheFullError
from .transfer import Tell

_POLL_S = 0.05
_LONGEST_S = 60.0
"""Ours: so long does one who wants a case that became another one wait for those who still use it as it was."""
_STEP = 8 << 20
"""Ours: bytes for which room is made at a time while a series comes."""
_NO_TIME_NS = 10**18
"""Ours: the time of every fetched file, a day of 2001: only what is in them tells two series apart."""
_WHOLE, _COMING = "whole", "coming"

Fill = Callable[[Path, Tell], object]
"""Brings the images of a case into its empty folder, telling how far it is."""


class CaseCache:
    """A cache of cases.

    Args:
        pins: folder of the files that say what is here.
        place: the folder of a case, which is there; hidden files in it are none of the cache's.
        beside: files made of a case's images that go with them.
        most_bytes: that all may take together.
    """

    def __init__(
        self,
        pins: Path,
        place: Callable[[str], Path],
        beside: Callable[[str], Iterable[Path]],
        most_bytes: int,
    ) -> None:
        self._pins, self._place, self._beside, self._most = pins, place, beside, most_bytes
        pins.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def held(self, case_id: str, state: str, fill: Fill, check: Callable[[], object] = bool) -> Iterator[Path]:
        """The folder with the images of a case, which stay while the block runs.

        Args:
            case_id: the case.
            state: what its images are, one word; others that are here are fetched anew.
            fill: brings them.
            check: asked while others are waited for; raises to stop.

        Raises:
            CacheFullError: if there is no room for them beside those in use.
        """
        try:
            with (self._pins / case_id).open("a+") as pin:
                self._share(pin, case_id, state, fill, check)
                os.utime(pin.fileno())
                yield self._place(case_id)
        finally:
            self._shrink()  # files may have been made of the images meanwhile

    def _share(self, pin: IO[str], case_id: str, state: str, fill: Fill, check: Callable[[], object]) -> None:
        """Take the lock of those who read a case, with its images there."""
        while True:
            _lock(pin, fcntl.LOCK_SH, check)
            if _said(pin)[:2] == [_WHOLE, state]:
                return
            _lock(pin, fcntl.LOCK_EX, check, _LONGEST_S if _said(pin)[:1] == [_WHOLE] else None)
            if _said(pin)[:2] != [_WHOLE, state]:
                self._fill(pin, case_id, state, fill)
            # Between this lock and a shared one somebody may put the images away: they are looked at again.

    @property
    def size(self) -> int:
        """Bytes of all that is here, or is coming."""
        return sum(self._size(pin.name) for pin in self._pins.iterdir())

    def _fill(self, pin: IO[str], case_id: str, state: str, fill: Fill) -> None:
        folder, step, reserved = self._place(case_id), min(_STEP, self._most // 64 + 1), 0
        self._put_away(pin, case_id)

        def tell(files: int, size: int) -> None:
            nonlocal reserved
            if size > reserved:
                reserved = size + step
                _say(pin, _COMING, state, reserved)
                self._make_room(case_id)

        try:
            fill(folder, tell)
            files = [path for path in folder.iterdir() if not path.name.startswith(".")]
            size = sum(path.stat().st_size for path in files)
            _say(pin, _COMING, state, size)
            self._make_room(case_id)
            for path in files:
                os.utime(path, ns=(_NO_TIME_NS, _NO_TIME_NS))  # a series that is fetched again is the same one
                fsync_path(path)
            fsync_path(folder)
            _say(pin, _WHOLE, state, size)
        except BaseException:
            self._put_away(pin, case_id)
            raise

    def _make_room(self, coming: str) -> None:
        """Put away what was not used for longest until all fits.

        Raises:
            CacheFullError: if it does not.
        """
        if self._shrink(coming) > self._most:
            raise CacheFullError(
                f"the images that are needed at one time take more than the {self._most / 1e9:g} GB of --cache-gb; "
                "raise it, or use fewer at a time"
            )

    def _shrink(self, coming: str = "") -> int:
        """Put away what was not used for longest, as far as that is needed and possible; the bytes that stay."""
        total = self.size
        for pin in sorted(self._pins.iterdir(), key=_last_use):
            if total <= self._most:
                break
            if pin.name == coming:
                continue
            with pin.open("a+") as opened:
                try:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue  # it is in use
                total -= self._size(pin.name)
                self._put_away(opened, pin.name)
        return total

    def _put_away(self, pin: IO[str], case_id: str) -> None:
        """Remove the images of a case; the caller has its lock alone."""
        pin.truncate(0)
        pin.flush()
        folder = self._place(case_id)
        for path in (*(folder.iterdir() if folder.is_dir() else ()), *self._beside(case_id)):
            if path.is_file() and (not path.name.startswith(".") or path.name.endswith(".part")):
                path.unlink(missing_ok=True)

    def _size(self, case_id: str) -> int:
        """What a case takes now."""
        words = (self._pins / case_id).read_text().split()
        size = int(words[2]) if len(words) == 3 and words[2].isdecimal() else 0
        return size + sum(_bytes(path) for path in self._beside(case_id))


def _lock(pin: IO[str], kind: int, check: Callable[[], object], longest_s: float | None = None) -> None:
    end = None if longest_s is None else time.monotonic() + longest_s
    while True:
        try:
            fcntl.flock(pin, kind | fcntl.LOCK_NB)
            return
        except OSError:
            check()
            if end is not None and time.monotonic() >= end:
                raise CacheFullError(
                    "the images of this case became others, and those of before are still in use; ask again later"
                ) from None
            time.sleep(_POLL_S)


def _said(pin: IO[str]) -> list[str]:
    pin.seek(0)
    return pin.read().split()


def _say(pin: IO[str], kind: str, state: str, size: int) -> None:
    pin.truncate(0)
    pin.write(f"{kind} {state} {size}")
    pin.flush()


def _last_use(pin: Path) -> float:
    return pin.stat().st_mtime


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # gone meanwhile
