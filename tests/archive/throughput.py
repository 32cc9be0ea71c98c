"""Cases a minute of ``archive`` beside ``screen``: ``python -m tests.archive.throughput``; by hand, on a quiet machine.

One thread a process. Processes of this machine, and actors on a Ray cluster of two nodes of one core each. The first
run makes the scans, which are kept; after that it takes about three minutes on two cores. It fails never.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pneumoscreen.bench.archive import measure_rate
from pneumoscreen.bench.process import two_cores
from pneumoscreen.bench.run import THICK
from pneumoscreen.bench.scans import bench_scans

SCANS = 14
BASE = "screen"


@contextmanager
def cluster() -> Iterator[str]:
    """The address of two nodes of one core on loopback, closed to others."""
    closed = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ.update({**closed, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"})
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "memory": 4 * 2**30, "object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1"}
    nodes = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        nodes.add_node(**node)
        yield nodes.address
    finally:
        nodes.shutdown()


def main() -> None:
    """Measure and print."""
    cores = two_cores()
    # Also for the nodes, which are begun from here.
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build")
    folder.mkdir(parents=True, exist_ok=True)
    scans = bench_scans(folder, THICK, SCANS)
    rates = {BASE: measure_rate([BASE], scans, cores)}
    _say(BASE, rates)
    with cluster() as address:
        for workers in ("1", "2"):
            for where, words in (("processes", []), ("Ray", ["--ray", address])):
                name = f"archive, {workers} of {where}"
                rates[name] = measure_rate(["archive", "--processes", workers, *words], scans, cores)
                _say(name, rates)


def _say(name: str, rates: dict[str, float]) -> None:
    print(f"{name:>26}: {rates[name]:6.1f} cases/min, {rates[name] / rates[BASE]:.2f} x {BASE}", flush=True)


if __name__ == "__main__":
    main()
