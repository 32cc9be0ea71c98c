"""The loaded networks of a method: the screening that they do, and what else they answer on request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import SimpleITK as sitk

    from .case import Case, ModelInfo
    from .images.volume import Masks
    from .method import Progress
    from .regions import Region
    from .verdict import Classes


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

    def screen(
        self,
        image: Any,
        progress: "Progress | None" = None,
        diagnosis: str | None = None,
        read_s: float | None = None,
        draws: int = 0,
    ) -> Screening:
        """Screen one image.

        Args:
            image: as the method reads it.
            progress: told of each stage.
            diagnosis: clinical diagnosis, for the document.
            read_s: seconds that reading took.
            draws: samples with dropout, from which a score for active learning is computed.

        Raises:
            PneumoScreenError: if it cannot be screened.
        """


@dataclass(frozen=True)
class Asked:
    """A request for something else than the screening.

    Attributes:
        image: as the method reads it.
        screener: its networks.
        progress: told of each stage; raises ``Cancelled`` to stop.
        read_s: seconds that reading took.
        diagnosis: clinical diagnosis, for the document.
        regions: that the request is about.
        kept: what an earlier task found in the image under a name; None where it is not there any more.
        keep: keeps what was found under a name, for later tasks on the image.
    """

    image: Any
    screener: Any
    progress: "Progress"
    read_s: float
    diagnosis: str | None
    regions: "Sequence[Region]"
    kept: Callable[[str], object | None]
    keep: Callable[[str, object], None]


@dataclass(frozen=True)
class Answer:
    """A document and, where the task makes them, the label map in the geometry of the image as stored, and masks."""

    case: "Case"
    label_map: "sitk.Image | None" = None
    masks: "Masks | None" = None


@dataclass(frozen=True)
class Task:
    """What a method answers on request, such as the regions that one of its networks marks.

    It knows neither request nor file; a server offers it under its name.

    Attributes:
        name: that clients know it by.
        description: a sentence for clients.
        answer: does it; raises ``PneumoScreenError`` if the image cannot be used.
        labels: what it tells, by the site's class list; None: the segments of the method's label map, which it makes.
        needs_regions: whether it is about regions that the request names.
    """

    name: str
    description: str
    answer: Callable[[Asked], Answer]
    labels: "Callable[[Classes], Sequence[str]] | None" = None
    needs_regions: bool = False
