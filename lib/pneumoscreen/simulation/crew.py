"""Tasks spread over processes that can be cancelled at once and never outlive the one that started them."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import connection, get_context, parent_process
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

import torch

from ..errors import Cancelled
from .subject import Check

TaskT = TypeVar("TaskT")

Worker = Callable[[TaskT, Check], None]
"""Does one task. It is sent to each process once, so that it can keep what it loads."""


def work_off(
    worker: Worker[TaskT],
    tasks: Sequence[TaskT],
    jobs: int,
    done: Callable[[TaskT], Sequence[TaskT]],
) -> None:
    """Do all tasks, and those that follow from them.

    Networks use one thread in each process: results do not depend on the number of processes.

    Args:
        worker: does one task after another, in each process.
        tasks: that can be done at once.
        jobs: processes; 1 works in this one.
        done: called here after each task; returns the tasks that can be done now.
    """
    if jobs == 1:
        _work_here(worker, tasks, done)
        return
    context = get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(jobs, context, _begin, (worker, stop))
    try:
        running: dict[Future[None], TaskT] = {pool.submit(_do, task): task for task in tasks}
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                task = running.pop(future)
                if isinstance(future.exception(), Cancelled):
                    continue  # another one failed, and its error is what counts
                future.result()
                running |= {pool.submit(_do, following): following for following in done(task)}
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _work_here(worker: Worker[TaskT], tasks: Sequence[TaskT], done: Callable[[TaskT], Sequence[TaskT]]) -> None:
    waiting = deque(tasks)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        while waiting:
            task = waiting.popleft()
            worker(task, lambda stage, fraction: None)
            waiting.extend(done(task))
    finally:
        torch.set_num_threads(threads)


class _Post:
    """What a process was given when it began."""

    worker: Worker[Any]
    stop: Event


_post = _Post()


def _begin(worker: Worker[TaskT], stop: Event) -> None:
    # Ctrl-C reaches the whole group of processes; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    _post.worker, _post.stop = worker, stop


def end_with_the_parent() -> None:
    """Wait until the process that started this one has ended, by whatever, and end too."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _do(task: TaskT) -> None:
    _check("waiting", 0.0)
    try:
        _post.worker(task, _check)
    except BaseException:
        # At once, and not when the first process hears of it: the next task is waiting here already.
        _post.stop.set()
        raise


def _check(stage: str, fraction: float) -> None:
    if _post.stop.is_set():
        raise Cancelled(stage)
