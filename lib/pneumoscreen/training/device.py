"""Where a training runs: the CPU, one GPU, or several with one process each (``torchrun``, or the server's train task).

Distributed data parallel: every process has a copy of the network and its share of each batch, and gradients are
averaged over all. Ours: they are averaged after the backward pass instead of by torch's wrapper during it, so that a
process that runs out of memory can repeat its part alone; for networks of this size the difference is milliseconds.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, TypeVar

import torch
from pydantic import StringConstraints
from torch import distributed, nn

from ..errors import ConfigError
from ..models.precision import half_is_fast

DeviceName = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:[0-9]{1,2})?)$")]
"""``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""

_PATIENCE = timedelta(days=2)
"""While the first process prepares the cases, the others wait for it."""

T = TypeVar("T")


@dataclass(frozen=True)
class Workplace:
    """The device of this process and its place among the processes.

    Attributes:
        device: cpu or cuda:n.
        rank, world: number of this process and of all.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    @property
    def uses_scaler(self) -> bool:
        """Whether gradients need scaling: fp16 on a GPU. bfloat16 on a CPU has the range of float32."""
        return self.device.type == "cuda"

    def autocast(self, enabled: bool = True) -> AbstractContextManager[object]:
        """Mixed precision where it pays: fp16 on a GPU, bfloat16 on a CPU that has instructions for it."""
        half = torch.float16 if self.device.type == "cuda" else torch.bfloat16
        return torch.autocast(self.device.type, half, enabled=enabled and half_is_fast(self.device))

    def share_weights(self, network: nn.Module) -> None:
        """Give every process the first one's weights and running statistics."""
        if self.world > 1:
            for tensor in network.state_dict().values():
                distributed.broadcast(tensor, 0)

    def average_gradients(self, network: nn.Module) -> None:
        """Give every process the mean of all processes' gradients."""
        if self.world > 1:
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            vector = torch.cat([gradient.reshape(-1) for gradient in gradients])
            distributed.all_reduce(vector)
            parts = (vector / self.world).split([gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))

    def tell(self, value: T | None) -> T:
        """Give every process what the first one has."""
        told = [value]
        if self.world > 1:
            distributed.broadcast_object_list(told, 0, device=self.device)
        assert told[0] is not None
        return told[0]

    def wait(self) -> None:
        """Let every process come to this point."""
        if self.world > 1:
            distributed.barrier()

    def close(self) -> None:
        """Leave the process group."""
        if self.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


def find_workplace(name: str = "auto") -> Workplace:
    """The workplace of this process; joins the group of processes that ``torchrun`` started.

    Args:
        name: a ``DeviceName``. With several processes each takes the GPU of its local rank.

    Raises:
        ConfigError: if a GPU is asked for and there is none of this number.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    kind, _, number = name.partition(":")
    if kind == "cuda" and gpus <= int(number or 0):
        raise ConfigError(f"device: {name} was asked for but {gpus} CUDA GPUs are available here; use cpu or auto")
    use_gpu = bool(gpus) and kind != "cpu"
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", int(number) if number and world == 1 else local) if use_gpu else torch.device("cpu")
    if use_gpu:
        torch.cuda.set_device(device)
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if use_gpu else "gloo", timeout=_PATIENCE)
    return Workplace(device, rank, world)


@contextmanager
def workplace_of(device: str, given: Workplace | None = None) -> Iterator[Workplace]:
    """The workplace of a training: the one that was found before, which is left open, or one that is left at the end.

    Raises:
        ConfigError: as ``find_workplace``.
    """
    place = given or find_workplace(device)
    try:
        yield place
    finally:
        if given is None:
            place.close()
