"""Cores, memory and threads of this machine, as its workers share them."""

import os

MEMORY_A_PROCESS = 3 * 2**30
"""Ours: what a process takes at most with the largest usual scan."""
_THREADS = "OMP_NUM_THREADS"
"""A user's word on the threads of a process."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usual_processes(device: str) -> int:
    """Ours: a process a core, as far as the memory reaches; on a GPU two, of which one reads while the other infers."""
    if device.startswith("cuda"):
        return 2
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        memory = MEMORY_A_PROCESS * cores()
    return max(1, min(cores(), memory // MEMORY_A_PROCESS))


def threads_of(share: float) -> int:
    """How many threads a worker uses: what the user says, else the cores that are its share."""
    given = os.environ.get(_THREADS, "")
    return int(given) if given.isdecimal() and int(given) else max(1, int(share))


def use_threads(threads: int) -> None:
    """Let this process compute with so many threads; as many as cores in each process would wait for each other."""
    import SimpleITK as sitk
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
