"""Ray, begun on this machine or joined where it runs, and how many workers it takes."""

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from ..errors import ConfigError
from .machine import MEMORY_A_PROCESS, cores, usual_processes

HERE = "auto"
"""Instead of an address: join the Ray that the variable names, else begin one for this run."""
_ADDRESS = "RAY_ADDRESS"
_LOCAL = "local"
_CONNECT_S = 10.0
_OBJECTS = 200 * 2**20
"""Ours: bytes for results on their way; one is a document and a report."""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray would print each death of an actor between the results.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
}
_EXTRA = "install the optional packages with pip install '.[cluster]' in the project's folder"


@dataclass(frozen=True)
class Wanted:
    """What a user asks of Ray.

    Attributes:
        address: ``host:port`` of the head, or ``auto``.
        workers: how many; None takes what the cluster allows.
        cpus: cores of a worker; None takes an equal share, or one.
        gpus: of a worker; None takes a half where it uses one.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    address: str
    workers: int | None = None
    cpus: float | None = None
    gpus: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, value in (("--ray-cpus", self.cpus), ("--ray-gpus", self.gpus)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{name} {value:g}: must be above 0; leave it out to take what the cluster allows")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"--device {self.device}: with --ray it is auto, cpu or cuda; Ray picks which GPU")
        if self.address != HERE:
            _host_and_port(self.address)


@dataclass(frozen=True)
class Share:
    """What each worker takes.

    Attributes:
        workers: how many.
        cpus: cores of one.
        gpus: of one.
        memory: bytes that Ray sets aside for one; 0 where no node has enough, and one works all the same.
        device: ``cpu`` or ``cuda``.
    """

    workers: int
    cpus: float
    gpus: float
    memory: int
    device: str


def share_of(wanted: Wanted, nodes: Sequence[Mapping[str, float]]) -> Share:
    """Ours: a worker a core or two a GPU, as far as cores and memory of each node reach.

    Args:
        wanted: what the user says.
        nodes: resources of each node, as Ray names them.

    Raises:
        ConfigError: if no node has what one worker needs.
    """
    most = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in ("CPU", "GPU")}
    device = wanted.device if wanted.device != "auto" else "cuda" if most["GPU"] else "cpu"
    gpus = (wanted.gpus or 0.5) if device == "cuda" else 0.0
    total = sum(node.get("CPU", 0.0) for node in nodes)
    equal = total // wanted.workers if wanted.workers else 1.0
    cpus = wanted.cpus or max(1.0, min(equal, most["CPU"]))
    fit = [min(node.get("CPU", 0.0) // cpus, node.get("GPU", 0.0) // gpus if gpus else float("inf")) for node in nodes]
    if not sum(fit):
        need = f"{cpus:g} cores" + (f" and {gpus:g} of a GPU" if gpus else "")
        raise ConfigError(f"--ray {wanted.address}: no node has {need} for a worker; give fewer, or add a node")
    room = [node.get("memory", 0.0) // MEMORY_A_PROCESS for node in nodes]
    workers = sum(min(pair) for pair in zip(fit, room, strict=True))
    memory = MEMORY_A_PROCESS if workers >= (wanted.workers or 1) else 0
    return Share(wanted.workers or max(1, int(workers)), cpus, gpus, memory, device)


def require_ray() -> None:
    """See that Ray is there.

    Raises:
        ConfigError: if it is not.
    """
    # Not imported yet: what `joined` sets is read then.
    if find_spec("ray") is None:
        raise ConfigError(f"--ray: ray is not installed; {_EXTRA}")


@contextmanager
def joined(wanted: Wanted) -> Iterator[Share]:
    """Ray for as long as the context lasts: the share of each worker.

    Raises:
        ConfigError: if it cannot be joined or begun, or has no room.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    address = os.environ.get(_ADDRESS, _LOCAL) if wanted.address == HERE else wanted.address
    if address == _LOCAL:
        # Short, because the path of a socket is; of this user only, and gone with the run.
        with (
            tempfile.TemporaryDirectory(prefix="pneumoscreen-ray-", ignore_cleanup_errors=True) as folder,
            _of_this_run(folder),
            _initialised(wanted, address=_LOCAL, _temp_dir=folder, **_of_this_machine()),
        ):
            yield _local_share(wanted)
    else:
        _require_listener(address)
        with _initialised(wanted, address=address):
            yield share_of(wanted, _resources())


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise ConfigError(f"--ray {address}: name a head as host:port, with Ray running on this machine, too")
    return host.strip("[]"), int(port)


def _require_listener(address: str) -> None:
    """See that something answers there: Ray itself tries for minutes."""
    try:
        socket.create_connection(_host_and_port(address), _CONNECT_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"--ray {address}: nothing answers there ({reason}); is that the head, and running?"
        ) from None


def _of_this_machine() -> dict[str, Any]:
    return {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": _OBJECTS}


def _local_share(wanted: Wanted) -> Share:
    """As many workers with as many cores as without Ray."""
    nodes = _resources()
    found = share_of(wanted, nodes)
    workers = wanted.workers or usual_processes(found.device)
    cpus = wanted.cpus or cores() // workers or cores() / workers
    return Share(workers, cpus, found.gpus, 0, found.device)


def _resources() -> list[Mapping[str, float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@cache
def _token() -> str:
    """One for all pools of this process: Ray reads it once."""
    return secrets.token_hex(32)


@contextmanager
def _of_this_run(folder: str) -> Iterator[None]:
    """Ray's ports give whoever reaches them this user's rights: loopback only, and only with a word of this run."""
    settings = {
        # Named after the systems on which it is the default: all ports are bound to loopback.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _token(),
        # What an actor that is killed leaves goes with the folder.
        "TMPDIR": folder,
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _initialised(wanted: Wanted, **settings: Any) -> Iterator[None]:
    import ray

    try:
        try:
            ray.init(configure_logging=False, log_to_driver=False, **settings)
        except (ray.exceptions.RayError, OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            remedy = "has every node the same token, and was `ray start` given on this machine?"
            raise ConfigError(
                f"--ray {wanted.address}: cannot be used ({reason})" + ("" if wanted.address == HERE else f"; {remedy}")
            ) from None
        yield
    finally:
        ray.shutdown()
