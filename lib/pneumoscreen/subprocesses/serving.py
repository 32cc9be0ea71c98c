"""What runs in a process that works for another one; a module that calls ``run`` is started with memory in MB and
seconds of the processor for an order as its arguments.

It holds nothing that is worth taking, may take no more memory than it is told, and is killed when it takes too long
or nobody wants the answer any more. One order a line of JSON on standard input; the answer to each is a line of JSON
and, after it, the bytes of the array that it names. Nothing is pickled: whatever a damaged file makes of this process,
its parent takes numbers and texts from it and runs nothing.
"""

import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PneumoScreenError
from ..limits import MEBIBYTE
from .parent import end_with_parent

Reply = tuple[dict[str, Any], NDArray[Any] | None]
Work = Callable[[dict[str, Any]], Reply]

_NO_MEMORY = "Failed to allocate memory"
"""ITK's words."""


def run(work: Mapping[str, Work]) -> int:
    """Serve orders until standard input ends.

    Args:
        work: what is done, by the kind of the order.
    """
    memory_mb, seconds = int(sys.argv[1]), int(sys.argv[2])
    end_with_parent(lambda: os._exit(1))
    # Whatever else prints goes to its parent's log.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limit_memory(memory_mb)
    for line in sys.stdin.buffer:
        limit_time(seconds)
        serve(json.loads(line), work, answers)
    return 0


def limit_memory(memory_mb: int) -> None:
    """Let the process take no more memory, where the system knows such a limit."""
    try:
        import resource
    except ImportError:
        return  # Windows
    # Data, not address space: libraries and the stacks' guard pages are no memory that is taken.
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = memory_mb * MEBIBYTE
    wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's scan


def limit_time(seconds: int) -> None:
    """Let the process take this much more of the processor and then be ended by the system, whatever it does."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + seconds, most))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was wanted that is not there; ITK says so in an error of another type."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY in str(error))


def serve(order: dict[str, Any], work: Mapping[str, Work], answers: IO[bytes]) -> None:
    """Do one order and write its answer."""
    array = None
    answer: dict[str, Any]
    try:
        values, array = work[order["kind"]](order)
        answer = {"values": values}
    except PneumoScreenError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except OSError as error:
        answer = {"errno": error.errno or 0, "message": error.strerror or ""}
    except BaseException as error:
        answer = {"memory": True} if is_out_of_memory(error) else {"fault": traceback.format_exc()}
    if array is not None:
        answer["array"] = {"dtype": array.dtype.str, "shape": array.shape}
    answers.write(json.dumps(answer).encode() + b"\n")
    if array is not None:
        answers.write(np.ascontiguousarray(array).data)
    answers.flush()
