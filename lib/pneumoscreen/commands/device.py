"""Where the networks run."""

import torch

from ..errors import PneumoScreenError


class DeviceError(PneumoScreenError):
    """A device that is not there."""


def pick_device(name: str) -> str:
    """The device of a command's ``--device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        DeviceError: if there is no such device on this machine.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return "cpu"
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number.isdecimal() or name == "cuda"):
        raise DeviceError(f"--device {name}: not a device; use auto, cpu, cuda or cuda:N")
    if int(number or 0) >= torch.cuda.device_count():
        raise DeviceError(f"--device {name}: this machine has {torch.cuda.device_count()} usable GPUs; use auto or cpu")
    return name
