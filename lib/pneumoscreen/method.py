"""What a method is: all that the rest of the program asks of the way in which one kind of image is screened.

A method names its networks without loading them: what a network needs - torch, MONAI - is imported when it is asked
for, so that a command that only lists names starts fast.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .images.inputs import Modality
    from .models.weights import Weights
    from .training.recipes import Recipe


@dataclass(frozen=True)
class Network:
    """One network of a method.

    Attributes:
        name: of its folder in the store of models, of its training and of its configuration.
        load: makes the network of weights; raises ``ModelError`` if they do not fit the program.
        recipe: its training.
    """

    name: str
    load: "Callable[[Weights], object]"
    recipe: "Callable[[], type[Recipe]]"


class Method(ABC):
    """The method for one kind of image."""

    modality: "Modality"

    @property
    @abstractmethod
    def networks(self) -> tuple[Network, ...]:
        """Its networks, in the order in which a screening uses them."""
