"""Where a training runs: the CPU, one GPU, or several with one process each (``torchrun``)."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import ConfigError

DeviceName = Literal["auto", "cpu", "cuda"]


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
        """Mixed precision: fp16 on a GPU, bfloat16 on a CPU."""
        half = torch.float16 if self.device.type == "cuda" else torch.bfloat16
        return torch.autocast(self.device.type, half, enabled=enabled)

    def distribute(self, network: nn.Module) -> nn.Module:
        """The network, wrapped so that gradients are averaged over all processes where there are several."""
        if self.world == 1:
            return network
        return DistributedDataParallel(network, device_ids=[self.device] if self.device.type == "cuda" else None)

    def wait(self) -> None:
        """Let every process come to this point."""
        if self.world > 1:
            distributed.barrier()

    def close(self) -> None:
        """Leave the process group."""
        if self.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


def find_workplace(name: DeviceName = "auto") -> Workplace:
    """The workplace of this process; joins the group of processes that ``torchrun`` started.

    Raises:
        ConfigError: if a GPU is asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise ConfigError("device: cuda was asked for but no CUDA GPU is available here; use cpu or auto")
    use_gpu = has_gpu and name != "cpu"
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if use_gpu else torch.device("cpu")
    if use_gpu:
        torch.cuda.set_device(device)
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if use_gpu else "gloo")
    return Workplace(device, rank, world)
