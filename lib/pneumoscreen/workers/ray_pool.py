"""A pool of actors of a Ray cluster.

An actor does jobs and hands results and files back; this process alone writes below the output folder. A thread of
this process waits for each actor. An actor that ends costs the job that was in it; another takes its place as soon as
the cluster has room.
"""

import logging
import os
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ConfigError
from ..output import replacing
from .machine import threads_of, use_threads
from .pool import Ask, DiedError, JobT, Pool, ResultT, Work
from .ray_cluster import Share, Wanted, joined

START_LIMIT_S = 900.0
"""Ours: so long may a cluster be without any worker; one that grows on demand starts a machine meanwhile."""
MOST_STARTS = 3
"""Ours: so often may a worker die before its first job, and another be begun."""
_LOOK_S = 1.0

logger = logging.getLogger(__name__)
Files = dict[str, bytes]
"""What a job wrote, by its place below the output folder, in the order in which it is to be written."""


@dataclass(frozen=True)
class Station:
    """What an actor is given when it begins.

    Attributes:
        work: what it does.
        device: where networks run.
        threads: that it computes with.
        folder: from which relative paths begin.
        version: of the program that begins it.
        mark: a file in the folder that every node must see; None where none must.
    """

    work: Work[Any, Any]
    device: str
    threads: int
    folder: str
    version: str
    mark: Path | None = None


class Answerer:
    """The actor that answers the others' questions: it lies on the machine of the command."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def answer(self, *question: Any) -> Any:
        """What ``ask`` gives."""
        return self._ask(*question)


class Actor:
    """The actor that works.

    Args:
        station: where, and at what.
        answerer: the handle of the one that it asks; None without one.
    """

    def __init__(self, station: Station, answerer: Any) -> None:
        self._station, self._answerer = station, answerer

    def begin(self) -> None:
        """See that it can work, and let the work begin.

        Raises:
            ConfigError: if its node has another version of the program, or does not see a folder that it must see.
        """
        station = self._station
        if station.version != __version__:
            raise ConfigError(
                f"node {socket.gethostname()} has version {__version__} of the program, this machine "
                f"{station.version}; install the same one on every node"
            )
        # Where a node has no such folder, paths from the root are found all the same.
        with suppress(OSError):
            os.chdir(station.folder)
        if station.mark is not None and not station.mark.exists():
            raise ConfigError(
                f"node {socket.gethostname()} does not see {station.mark.parent}; put it on storage that every node "
                "has under the same path"
            )
        use_threads(station.threads)
        station.work.begin(station.device, self._ask if self._answerer is not None else None)

    def work(self, job: Any) -> tuple[Any, Files]:
        """What became of a job, and its files."""
        with tempfile.TemporaryDirectory(prefix="pneumoscreen-job-", ignore_cleanup_errors=True) as scratch:
            root = Path(scratch)
            result = self._station.work(job, root)
            # The document last, as `screen` writes it: where it is, the report is.
            written = sorted(
                (path for path in root.rglob("*") if path.is_file()), key=lambda path: path.suffix == ".json"
            )
            return result, {path.relative_to(root).as_posix(): path.read_bytes() for path in written}

    def _ask(self, *question: Any) -> Any:
        import ray

        return ray.get(self._answerer.answer.remote(*question))


class RayPool(Pool[JobT, ResultT]):
    """Actors of a Ray cluster.

    Args:
        work: what they do.
        out: to which the files go that jobs write.
        wanted: which cluster, and how much of it.
        ask: what the work asks with.
        threads: of each; None takes the cores that are its share, or what the user says.
    """

    def __init__(
        self,
        work: Work[JobT, ResultT],
        out: Path,
        wanted: Wanted,
        ask: Ask | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(work, out)
        self._wanted, self._ask, self._computing = wanted, ask, threads
        self._context = ExitStack()
        self._free: queue.Queue[Any] = queue.Queue()
        self._lock = threading.Lock()
        self._actors: set[Any] = set()
        self._ready, self._bad_starts, self._lonely_since = 0, 0, time.monotonic()
        self._is_over = False

    def __enter__(self) -> "RayPool[JobT, ResultT]":
        try:
            self._share: Share = self._context.enter_context(joined(self._wanted))
            self._threads = ThreadPoolExecutor(self._share.workers, "ray")
            self._context.callback(self._end)
            self._answerer = None if self._ask is None else self._started_answerer()
            shared = self.work.shared
            mark = None if shared is None else self._context.enter_context(_marked(shared.resolve()))
            threads = self._computing or threads_of(self._share.cpus)
            self._station = Station(self.work, self._share.device, threads, os.getcwd(), __version__, mark)
            for _ in range(self._share.workers):
                self._start()
        except BaseException:
            self._context.close()
            raise
        return self

    @property
    def _size(self) -> int:
        return self._share.workers

    def _begun(self, job: JobT) -> "Future[ResultT]":
        return self._threads.submit(self._worked, job)

    def _after_death(self) -> None:
        """Nothing: those beside it go on."""

    def _stop(self) -> None:
        self._context.close()

    def _end(self) -> None:
        import ray

        self._is_over = True
        with self._lock:
            actors = list(self._actors)
        for actor in actors:
            with suppress(Exception):
                ray.kill(actor)
        self._threads.shutdown(cancel_futures=True)

    def _worked(self, job: JobT) -> ResultT:
        """Runs in a thread for each job that is under way."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        actor = self._taken()
        try:
            result, files = ray.get(actor.work.remote(job))
        except RayTaskError as error:
            self._free.put(actor)
            raise error.cause from None
        except RayError as error:
            # The actor, its node or its memory; or the answer with the node that held it.
            logger.debug("a worker ended over %s: %s", self.work.name(job), error)
            self._replace(actor)
            raise DiedError from None
        self._free.put(actor)
        for name, content in files.items():
            target = self._out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as part:
                part.write_bytes(content)
        return result

    def _taken(self) -> Any:
        """An actor that is free.

        Raises:
            ConfigError: if the cluster has none, and none begins.
        """
        while not self._is_over:
            try:
                found = self._free.get(timeout=_LOOK_S)
            except queue.Empty:
                self._check_for_any()
                continue
            if not isinstance(found, BaseException):
                return found
            self._see_to(found)
        raise DiedError

    def _check_for_any(self) -> None:
        if not self._ready and time.monotonic() - self._lonely_since > START_LIMIT_S:
            need = f"{self._share.cpus:g} cores" + (f" and {self._share.gpus:g} of a GPU" if self._share.gpus else "")
            raise ConfigError(
                f"--ray {self._wanted.address}: no worker began within {START_LIMIT_S:.0f} s, each needs {need}; "
                "wait for other work on the cluster to end, or add a node"
            )

    def _see_to(self, error: BaseException) -> None:
        """Begin another actor in the place of one that did not begin."""
        from ray.exceptions import RayError, RayTaskError

        if isinstance(error, RayTaskError):
            raise error.cause from None
        if not isinstance(error, RayError):
            raise error
        with self._lock:
            self._bad_starts += 1
        if self._bad_starts < MOST_STARTS + self._size:
            self._start()
        elif not self._ready:
            reason = (str(error).strip().splitlines() or ["no reason given"])[-1].strip()
            raise ConfigError(
                f"--ray {self._wanted.address}: no worker begins ({reason}); "
                "is this version of the program installed on every node?"
            )

    def _started_answerer(self) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return (
            ray.remote(Answerer)
            .options(num_cpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1)
            .remote(self._ask)
        )

    def _start(self) -> None:
        import ray

        share = self._share
        options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_restarts": 0}
        if share.memory:
            options["memory"] = share.memory
        actor: Any = ray.remote(Actor).options(**options).remote(self._station, self._answerer)
        with self._lock:
            self._actors.add(actor)

        def began(future: "Future[None]") -> None:
            error = future.exception()
            if error is None:
                with self._lock:
                    self._ready += 1
                    self._bad_starts = 0
            self._free.put(actor if error is None else error)

        actor.begin.remote().future().add_done_callback(began)

    def _replace(self, actor: Any) -> None:
        import ray

        # It may be out of reach only, and would go on.
        with suppress(Exception):
            ray.kill(actor)
        with self._lock:
            self._actors.discard(actor)
            self._ready -= 1
            self._lonely_since = time.monotonic()
        if not self._is_over:
            self._start()


@contextmanager
def _marked(folder: Path) -> Iterator[Path]:
    """A file in a folder, by which a node knows it from another of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".pneumoscreen-") as mark:
        yield Path(mark.name)
