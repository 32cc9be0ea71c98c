"""The workers of an archive as actors of a Ray cluster.

An actor reads, screens and hands documents and report back; this process alone writes below the output folder. A thread
of this process waits for each actor. An actor that ends costs the job that was in it; another takes its place
as soon as the cluster has room.
"""

import logging
import os
import queue
import socket
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ConfigError
from ..output import replacing
from .crew import Crew, DiedError, threads_of, use_threads
from .jobs import Job
from .manifest import Row
from .ray_cluster import Share, Wanted, joined
from .worker import Place, Twin, Worker, twin_in

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
        place: where and with what it works.
        threads: that it computes with.
        folder: from which relative paths begin.
        version: of the program that begins it.
    """

    place: Place
    threads: int
    folder: str
    version: str


class Ledger:
    """The actor that asks the manifest for the others: it lies on the machine of the output folder."""

    def __init__(self, out: Path) -> None:
        self._twin = twin_in(out)

    def twin(self, sha256: str, models: str) -> Row | None:
        """As of a worker."""
        return self._twin(sha256, models)


class Screener:
    """The actor that screens.

    Args:
        station: where it works.
        ledger: the handle of the ledger.
    """

    def __init__(self, station: Station, ledger: Any) -> None:
        self._station, self._ledger = station, ledger
        self._worker = Worker(station.place, self._twin())

    def begin(self) -> None:
        """See that it can work.

        Raises:
            ConfigError: if its node has another version of the program.
        """
        if self._station.version != __version__:
            raise ConfigError(
                f"node {socket.gethostname()} has version {__version__} of the program, this machine "
                f"{self._station.version}; install the same one on every node"
            )
        # Where a node has no such folder, paths from the root are found all the same.
        with suppress(OSError):
            os.chdir(self._station.folder)
        use_threads(self._station.threads)

    def screen(self, job: Job) -> tuple[Row, Files]:
        """What became of a job, and its files.

        Raises:
            OutputError, ModelError: if no job could be done on this node.
        """
        with tempfile.TemporaryDirectory(prefix="pneumoscreen-archive-", ignore_cleanup_errors=True) as scratch:
            root = Path(scratch)
            self._worker.place = replace(self._station.place, out=root)
            row = self._worker(job)
            # The document last, as `screen` writes it: where it is, the report is.
            written = sorted(root.glob("*/*/*"), key=lambda path: path.suffix == ".json")
            return row, {path.relative_to(root).as_posix(): path.read_bytes() for path in written}

    def _twin(self) -> Twin:
        import ray

        def twin(sha256: str, models: str) -> Row | None:
            found: Row | None = ray.get(self._ledger.twin.remote(sha256, models))
            return found

        return twin


class RayCrew(Crew):
    """Actors of a Ray cluster.

    Args:
        place: where they work; the device is the wanted one's.
        wanted: which cluster, and how much of it.
    """

    def __init__(self, place: Place, wanted: Wanted) -> None:
        super().__init__()
        self._place, self._wanted = place, wanted
        self._context = ExitStack()
        self._free: queue.Queue[Any] = queue.Queue()
        self._lock = threading.Lock()
        self._actors: set[Any] = set()
        self._ready, self._bad_starts, self._lonely_since = 0, 0, time.monotonic()
        self._is_over = False

    def __enter__(self) -> "RayCrew":
        try:
            self._share: Share = self._context.enter_context(joined(self._wanted))
            self._threads = ThreadPoolExecutor(self._share.workers, "ray")
            self._context.callback(self._end)
            self._ledger = self._started_ledger()
            for _ in range(self._share.workers):
                self._start()
        except BaseException:
            self._context.close()
            raise
        return self

    @property
    def _size(self) -> int:
        return self._share.workers

    def _begun(self, job: Job) -> "Future[Row]":
        return self._threads.submit(self._screened, job)

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

    def _screened(self, job: Job) -> Row:
        """Runs in a thread for each job that is under way."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        actor = self._taken()
        try:
            row, files = ray.get(actor.screen.remote(job))
        except RayTaskError as error:
            self._free.put(actor)
            raise error.cause from None
        except RayError as error:
            # The actor, its node or its memory; or the answer with the node that held it.
            logger.debug("a worker ended over %s: %s", job.place, error)
            self._replace(actor)
            raise DiedError from None
        self._free.put(actor)
        for name, content in files.items():
            target = self._place.out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as part:
                part.write_bytes(content)
        return row

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

    def _started_ledger(self) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return (
            ray.remote(Ledger)
            .options(num_cpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1)
            .remote(self._place.out)
        )

    def _start(self) -> None:
        import ray

        share, place = self._share, replace(self._place, device=self._share.device)
        station = Station(place, threads_of(share.cpus), os.getcwd(), __version__)
        options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_restarts": 0}
        if share.memory:
            options["memory"] = share.memory
        actor: Any = ray.remote(Screener).options(**options).remote(station, self._ledger)
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
