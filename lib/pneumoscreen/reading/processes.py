"""Processes that read, with limits: each is killed when it oversteps them, or when the job that waits is cancelled.

Thread contract: several threads may ask at once, each with a process of its own.
"""

import logging
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import errors
from ..errors import ImageError, PneumoScreenError
from ..images import faults
from ..images.faults import AbsentError, DimensionError
from ..limits import Limits, variable_of
from ..method import Method
from ..models.atomic_files import is_full_disk
from ..subprocesses.child import Check, GoneError
from ..subprocesses.children import Children

_PATIENCE = 10
"""Seconds that may pass for each second of the processor that a reading may take."""
_IDLE = 2
"""Ours: processes kept for the next scan."""

logger = logging.getLogger(__name__)


class OversteppedError(ImageError):
    """A file that took more time or memory to read than is allowed, or that ended the process that read it."""


class Processes:
    """Processes that run one module, as many as there are threads that ask.

    Args:
        module: what runs in them; it calls ``process.run``.
        limits: of memory and time; default: those of the environment.
        errors_of: its own errors by name, beside those of the project and of the images.
        is_silent: whether nothing is to be seen of what packages say in them, which may quote a header.
    """

    def __init__(
        self,
        module: str,
        limits: Limits | None = None,
        errors_of: Mapping[str, object] | None = None,
        is_silent: bool = False,
    ) -> None:
        self.limits, self._is_silent = limits or Limits.of_environment(), is_silent
        self._errors = {**vars(errors), **vars(faults), **(errors_of or {})}
        self.children = Children(module, _IDLE, is_silent)

    def image(
        self, method: Method, path: Path, root: Path | None = None, more: Sequence[Path] = (), check: Check = bool
    ) -> Any:
        """An image as a method reads it; see ``Method.read_file``.

        Raises:
            ImageError: if it cannot be read.
        """
        folders, place = [str(folder) for folder in more], None if root is None else str(root)
        values, array = self.ask("image", path, check, modality=method.modality, root=place, more=folders)
        return method.image_type(**{method.voxels: needed(array)}, **as_fields(values))

    def warm_up(self) -> None:
        """Start a process that waits for the first scan."""
        self.children.warm_up(self.limits)

    def close(self) -> None:
        """End the processes that wait for work."""
        self.children.close()

    def ask(
        self, kind: str, path: Path, check: Check = bool, **more: Any
    ) -> tuple[dict[str, Any], NDArray[Any] | None]:
        """What a process answers to an order, and its array.

        Args:
            kind: of the order.
            path: what is read.
            check: asked while it is read; raises to stop.
            more: what else the order says, as JSON has it.

        Raises:
            OversteppedError: if the process ended over it or was ended.
            PneumoScreenError: what the reading raised.
            OSError: if the disk is full.
        """
        child = self.children.taken(self.limits)
        try:
            # The system counts the seconds of the processor; on a busy machine they take longer than that.
            end = time.monotonic() + _PATIENCE * self.limits.read_seconds
            answer, array = child.ask({"kind": kind, "path": str(path), **more}, end, check)
        except GoneError as gone:
            is_late = child.end() == -signal.SIGXCPU or gone.is_late
            raise OversteppedError(self._sentence(path, is_late)) from None
        except BaseException:
            child.end()
            raise
        if "memory" in answer or "fault" in answer:
            child.end()  # what is left of it is not worth keeping
        else:
            self.children.put_back(child)
        self._raise(answer, path)
        return answer["values"], array

    def _sentence(self, path: Path, is_late: bool) -> str:
        if is_late:
            seconds, variable = self.limits.read_seconds, variable_of("read_seconds")
            return f"{path} takes longer than {seconds} s to read; give a smaller file, or raise {variable}"
        return f"{path} cannot be read: the process that read it ended; copy or export it again"

    def _raise(self, answer: dict[str, Any], path: Path) -> None:
        """Raise what the process answered instead of values, if it did."""
        if "error" in answer:
            kind = self._errors.get(answer["error"])
            is_ours = isinstance(kind, type) and issubclass(kind, PneumoScreenError)
            raise (kind if is_ours else ImageError)(str(answer["message"]))  # type: ignore[misc]
        if "memory" in answer:
            megabytes, variable = self.limits.read_memory_mb, variable_of("read_memory_mb")
            raise DimensionError(
                f"{path} needs more than {megabytes} MB of memory to be read; give the chest only, or raise {variable}"
            )
        if "errno" in answer:
            error = OSError(int(answer["errno"]), str(answer["message"]))
            if is_full_disk(error):
                raise error
            raise AbsentError(f"{path} cannot be read; check that it is there and may be opened")
        if "fault" in answer:
            if self._is_silent:
                raise OversteppedError(f"{path} cannot be read: the reading failed; please report it")
            logger.error("a scan could not be read: %s", answer["fault"])
            raise OversteppedError(f"{path} cannot be read: the reading failed, and the server's log says how")


def needed(array: NDArray[Any] | None) -> NDArray[Any]:
    """The array of an answer that has one."""
    assert array is not None
    return array


def as_fields(values: dict[str, Any]) -> dict[str, Any]:
    """JSON values as an image has them: lists are tuples, small arrays have their type, and ``source`` is a path."""
    found: dict[str, Any] = {name: _field(value) for name, value in values.items()}
    return {**found, "source": Path(found["source"])} if "source" in found else found


def _field(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"dtype", "values"}:
        return np.array(value["values"], np.dtype(value["dtype"]))
    return tuple(value) if isinstance(value, list) else value
