"""The registry: the only place that lists the methods. A further modality is one package and one line here.

A program that uses this one as a library calls ``register`` instead. An installed package that has the entry point
``pneumoscreen.extensions`` is imported with this module: there it may register methods, strategies of active learning
(``active_learning.strategies``) and trunks of the patch classifier (``ct.trunks``), and every command knows them.
"""

import logging
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from .case_kinds import add_kind
from .ct.method import METHOD as CT
from .cxr.method import METHOD as CXR
from .errors import ConfigError
from .method import Method, Network
from .verdict import DEFAULT_CLASSES, Classes

if TYPE_CHECKING:
    from .images.inputs import Input
    from .models.store import ModelStore
    from .training.recipes import Recipe

METHODS: list[Method] = [CT, CXR]
EXTENSIONS = "pneumoscreen.extensions"
"""Group of the entry points of packages that add to this one."""

logger = logging.getLogger(__name__)


def register(method: Method) -> None:
    """Let a further method screen, train, be evaluated and served."""
    METHODS.append(method)
    add_kind(method.kind)


def method_of(item: "Input") -> Method:
    """The method for an input; of several, the one that was registered last."""
    return next(method for method in reversed(METHODS) if method.reads(item))


def method_for(modality: str) -> Method:
    """The method for a modality, as documents name it.

    Raises:
        ConfigError: if there is none: a document or score of a method that is not registered any more.
    """
    found = next((method for method in reversed(METHODS) if method.modality == modality), None)
    if found is None:
        raise ConfigError(f"there is no method for {modality}; register it, or leave its images out")
    return found


def method_named(name: str) -> Method:
    """The method that the command line calls so, such as ``ct``.

    Raises:
        ConfigError: if there is none.
    """
    found = {method.name: method for method in METHODS}
    if name not in found:
        raise ConfigError(f"{name!r} is not one of {', '.join(map(repr, found))}")
    return found[name]


def class_list(store: "ModelStore") -> Classes:
    """The list that documents of a site keep to: that of the networks in use; the paper's where none has one."""
    found = (method.stored_classes(store) for method in METHODS)
    return next((classes for classes in found if classes is not None), DEFAULT_CLASSES)


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


def _load_extensions() -> None:
    for extension in entry_points(group=EXTENSIONS):
        try:
            extension.load()
        except Exception as error:
            logger.warning("the extension %s is left out: %s; mend or uninstall it", extension.value, error)


_load_extensions()
