"""Fine-tuning: a training that goes on from the weights in use, where its network is theirs.

What a configuration does not say of the network follows the model in use, so that a site that trains again need not
know what its model is made of. A configuration that asks for another network gets it, from random weights.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from torch import Tensor, nn

from ..config import Settings
from ..errors import ConfigError
from ..models.weights import Weights

SettingsT = TypeVar("SettingsT", bound=Settings)


def follow(wanted: SettingsT, current: Mapping[str, Any] | None) -> SettingsT:
    """The network to train: what a configuration says of it, and for the rest what the card in use says.

    Args:
        wanted: of the configuration.
        current: entry ``network`` of the card; None where there is none.
    """
    try:
        found = type(wanted).model_validate(current if current is not None else {})
    except ValidationError:
        return wanted  # written by another version of the program: its weights will not fit either
    return found.model_copy(update={name: getattr(wanted, name) for name in wanted.model_fields_set})


def state_for(wanted: Settings, weights: Weights, free: set[str]) -> dict[str, Tensor]:
    """The weights of a network for one of the same settings to train.

    Args:
        wanted: settings of the network to train.
        weights: of the one in use.
        free: settings that the weights do not depend on.

    Raises:
        ConfigError: if they do not fit; the message says why.
    """
    current = settings_of(weights, type(wanted))
    require_same(weights, wanted.model_dump(exclude=free), current.model_dump(exclude=free))
    return dict(weights.state)


def start_from(network: nn.Module, state: Mapping[str, Tensor] | None, task: str) -> str:
    """Fill a network with the weights to begin with; returns what tells them from others.

    Raises:
        ConfigError: if they do not fit.
    """
    if state is None:
        return "random"
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{task}: the initial weights do not fit the network of the settings ({reason})") from None
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def settings_of(weights: Weights, kind: type[SettingsT]) -> SettingsT:
    try:
        return kind.model_validate(weights.card.get("network"))
    except ValidationError:
        raise ConfigError(f"the card of {name_of(weights)} does not describe a network of this program") from None


def require_same(weights: Weights, wanted: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    other = [name for name in wanted if wanted[name] != current[name]]
    if other:
        raise ConfigError(
            f"{name_of(weights)} is another network (its {', '.join(other)} are not those of the settings)"
        )


def name_of(weights: Weights) -> str:
    return f"{weights.name} version {weights.version}"


def averaged(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean of a network's weights before and after a training that began with them.

    Wortsman et al. 2022, Robust fine-tuning of zero-shot models: on data unlike the training's, as patients' are unlike
    phantoms, it does better than either end. What it gave here stands in ``docs/ct.md`` and ``docs/xray.md``.
    """
    return {
        name: ((before[name].double() + value.double()) / 2).to(value.dtype) if value.is_floating_point() else value
        for name, value in after.items()
    }
