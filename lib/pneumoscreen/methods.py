"""The registry: the only place that lists the methods. A further modality is one package and one line here."""

from typing import TYPE_CHECKING

from .ct.method import METHOD as CT
from .cxr.method import METHOD as CXR
from .errors import ConfigError
from .method import Method, Network

if TYPE_CHECKING:
    from .images.inputs import Input
    from .models.store import ModelStore
    from .training.recipes import Recipe

METHODS: list[Method] = [CT, CXR]


def method_of(item: "Input") -> Method:
    """The method for an input; of several, the one that was registered last."""
    return next(method for method in reversed(METHODS) if method.reads(item))


def networks() -> dict[str, Network]:
    """The networks of all methods by name."""
    return {network.name: network for method in METHODS for network in method.networks}


def recipe_for(task: str) -> "type[Recipe]":
    """The training of a network.

    Raises:
        ConfigError: if there is no such network.
    """
    found = networks()
    if task not in found:
        raise ConfigError(f"{task} cannot be trained; choose {' or '.join(found)}")
    return found[task].recipe()


def publish_by_hand(store: "ModelStore", name: str, candidate_id: str, by: str) -> int:
    """Publish a kept candidate whatever its comparison said; see ``training.publishing.publish_by_hand``.

    Raises:
        ModelError: if there is no such candidate, it is damaged or does not fit the program.
    """
    from .training import publishing

    network = networks().get(name)
    return publishing.publish_by_hand(store, name, candidate_id, by, network.load if network else None)
