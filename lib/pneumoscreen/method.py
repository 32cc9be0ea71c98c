"""What a method is: all that the rest of the program asks of the way in which one kind of image is screened.

A method names its networks without loading them: what a network needs - torch, MONAI - is imported when it is asked
for, so that a command that only lists names starts fast.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .case import Case, ModelInfo
    from .images.inputs import Input, Modality
    from .images.volume import Volume
    from .models.store import ModelStore
    from .models.weights import Weights
    from .report.drawing import Drawing
    from .training.recipes import Recipe
    from .verdict import Classes

Progress = Callable[[str, float], None]
"""Called with a stage and the share of the whole that is done; raising ``Cancelled`` stops the work."""


@dataclass(frozen=True)
class Network:
    """One network of a method.

    Attributes:
        name: of its folder in the store of models, of its training and of its configuration.
        training: what its training does and with which labels, a sentence for clients.
        load: makes the network of weights; raises ``ModelError`` if they do not fit the program.
        recipe: its training.
    """

    name: str
    training: str
    load: "Callable[[Weights], object]"
    recipe: "Callable[[], type[Recipe]]"


@dataclass(frozen=True)
class Masks:
    """What a screening marked voxel by voxel, on the grid of its volume.

    Attributes:
        volume: the scan.
        lungs: [z, y, x], see ``images.volume.LEFT``.
        infection: [z, y, x], infected voxels.
    """

    volume: "Volume"
    lungs: "NDArray[np.uint8]"
    infection: "NDArray[np.bool_]"


class Screening(Protocol):
    """A screened image: its document, and whatever else the method's report is drawn from."""

    @property
    def case(self) -> "Case":
        """The document."""


class Screener(Protocol):
    """The loaded networks of a method."""

    @property
    def models(self) -> "Mapping[str, ModelInfo]":
        """Their versions."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the document on versions that were passed over as damaged."""

    def noting(self, note: str) -> "Screener":
        """The same networks with a further sentence for every document."""

    def screen(self, image: Any, progress: Progress | None = None, *, read_s: float | None = None) -> Screening:
        """Screen one image.

        Raises:
            PneumoScreenError: if it cannot be screened.
        """


class Method(ABC):
    """The method for one kind of image.

    Attributes:
        modality: of the documents that it writes.
        needs_monai: whether its networks import MONAI.
        reads_ahead: whether an image takes so long to read that the next one is read while one is screened.
    """

    modality: "Modality"
    needs_monai = False
    reads_ahead = True

    @property
    @abstractmethod
    def networks(self) -> tuple[Network, ...]:
        """Its networks, in the order in which a screening uses them."""

    def reads(self, item: "Input") -> bool:
        """Whether it is the method for an input."""
        return item.modality == self.modality

    @abstractmethod
    def read(self, item: "Input") -> Any:
        """The image of an input.

        Raises:
            PneumoScreenError: if it cannot be read.
        """

    @abstractmethod
    def screener(self, store: "ModelStore", device: str | None = None) -> Screener:
        """The networks in use; on the GPU where there is one, unless told otherwise.

        Raises:
            ModelError: if there are none, or they do not fit the program.
        """

    def classes(self, screener: Any) -> "Classes | None":
        """The site's class list, where the method has one."""
        del screener
        return None

    @abstractmethod
    def prepare_report(self) -> None:
        """Import what draws the report, so that no case's time holds it."""

    @abstractmethod
    def write_report(self, image: Any, screening: Any, screener: Any, target: Path) -> None:
        """Write the page of a screened image."""

    @abstractmethod
    def drawing(self, image: Any, screening: Any, screener: Any) -> "Drawing":
        """The picture that stands for a screened image where there is room for one."""

    def masks(self, image: Any, screening: Any) -> Masks | None:
        """What the screening marked voxel by voxel; None where the method marks no voxels."""
        del image, screening
        return None
