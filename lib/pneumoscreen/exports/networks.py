"""The networks that are exported: their weights in use, and how another program meets them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from ..errors import ConfigError
from ..methods import networks
from ..models.portable import Portable
from ..models.store import ModelStore
from ..models.weights import Weights


@dataclass(frozen=True)
class Exported:
    """A network to export.

    Attributes:
        weights: of the version in use.
        portable: how it is met; in single precision on the CPU.
    """

    weights: Weights
    portable: Portable


def require_names(asked: Sequence[str], store: ModelStore) -> list[str]:
    """The names of the networks to export: those asked for, else all that the store holds.

    Raises:
        ConfigError: if one is not known, cannot be exported, or there is none.
    """
    known = networks()
    for name in asked:
        if name not in known:
            raise ConfigError(f"{name}: is no network of this program; choose among {', '.join(known)}")
        if known[name].portable is None:
            raise ConfigError(f"{name}: cannot be exported, since its method does not say what its tensors hold")
    found = list(asked) or [name for name, one in known.items() if one.portable and store.current(name) is not None]
    if not found:
        raise ConfigError(f"{store.root}: holds no network that can be exported; name another --model-dir")
    return list(dict.fromkeys(found))


def exported(names: Sequence[str], store: ModelStore) -> Iterator[Exported]:
    """The networks one by one.

    Raises:
        ModelError: if weights are damaged or do not fit the program.
    """
    for name in names:
        weights = store.load(name)
        yield Exported(weights, portable_of(weights))


def portable_of(weights: Weights) -> Portable:
    """How a network is met by its weights.

    Raises:
        ConfigError: if its method does not say.
        ModelError: if the weights do not fit the program.
    """
    network = networks().get(weights.name)
    if network is None or network.portable is None:
        raise ConfigError(f"{weights.name}: is no network of this program that can be exported")
    found = network.portable(weights)
    # Channels last, in which some are kept, is a matter of speed on this machine.
    module = found.module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return replace(found, module=module.eval())
