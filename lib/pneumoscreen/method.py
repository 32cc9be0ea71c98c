"""What a method is: all that the rest of the program asks of the way in which one kind of image is screened.

A method names its networks without loading them: what a network needs - torch, MONAI - is imported when it is asked
for, so that a command that only lists names starts fast.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .case_kinds import Kind
from .errors import ConfigError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from .active_learning.score_file import Finding
    from .active_learning.scores import CaseScore
    from .case import Case
    from .evaluation.request import CohortRequest, CrossRequest, Evaluation, TableRequest
    from .images.inputs import Input, Modality
    from .images.volume import Masks
    from .importers.found import ImportRequest, Layout, Remark
    from .importers.outcomes import Outcome
    from .models.portable import Portable
    from .models.store import ModelStore
    from .models.weights import Weights
    from .phantoms.studies import PhantomRequest, Writer
    from .report.drawing import Drawing
    from .screener import Screener, Task
    from .simulation.subject import Subject
    from .studies.cases import Study
    from .studies.marked import Marked
    from .studies.marks import Painting
    from .training.recipes import Recipe
    from .verdict import Classes

Progress = Callable[[str, float], None]
"""Called with a stage and the share of the whole that is done; raising ``Cancelled`` stops the work."""


@contextmanager
def timed(stage: str, begins: float, timings: dict[str, float], progress: Progress) -> Iterator[None]:
    """Tell that a stage begins, at which share of the whole, and keep how long it took."""
    progress(stage, begins)
    start = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - start


@dataclass(frozen=True)
class Network:
    """One network of a method.

    Attributes:
        name: of its folder in the store of models, of its training and of its configuration.
        training: what its training does and with which labels, a sentence for clients.
        load: makes the network of weights; raises ``ModelError`` if they do not fit the program.
        recipe: its training.
        portable: describes it for other programs.
    """

    name: str
    training: str
    load: "Callable[[Weights], object]"
    recipe: "Callable[[], type[Recipe]]"
    portable: "Callable[[Weights], Portable] | None" = None


class Method(ABC):
    """The method for one kind of image.

    Attributes:
        kind: of image, as documents name and describe it.
        images: what its images are called.
        phantom_images: what its synthetic images are called.
        description: of a screening, a sentence for clients.
        voxels: name of the field that holds the values of an image; the others are small.
        scored_by: the network whose scores are comparable for active learning.
        segments: names of the segments of its label maps; none where it makes none.
        box_names: what the boxes on its annotated images are called; none where it has none.
        mask_names: what the values of the masks of its annotated images are called, from 1; none where it has none.
        needs_monai: whether its networks import MONAI.
        reads_ahead: whether an image takes so long to read that the next one is read while one is screened, and a
            server keeps the last one.
        shows_as_read: whether a client that wants an image as it was screened cannot take its file for it.
        has_readers: whether its evaluation compares the method with a table of what readers said.
        cross_tasks: what can be cross-validated, as the command line names it; the first is the usual one.
        calibrates_itself: why an evaluation has nothing to calibrate, said of ``--calibrate``; empty where it has.
    """

    kind: Kind
    images: str
    phantom_images: str
    description: str
    voxels: str
    scored_by: str
    segments: tuple[str, ...] = ()
    box_names: tuple[str, ...] = ()
    mask_names: tuple[str, ...] = ()
    needs_monai = False
    reads_ahead = False
    shows_as_read = True
    has_readers = False
    cross_tasks: tuple[str, ...] = ()
    calibrates_itself = ""

    @property
    def modality(self) -> "Modality":
        """Of the documents that it writes."""
        return self.kind.modality

    @property
    def name(self) -> str:
        """The modality as an option of the command line names it."""
        return self.modality.lower()

    @property
    def screening_task(self) -> str:
        """The infer task of a server that screens."""
        return f"{self.name}_screening"

    @property
    @abstractmethod
    def networks(self) -> tuple[Network, ...]:
        """Its networks, in the order in which a screening uses them."""

    # Images

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
    def read_file(self, path: Path, root: Path | None = None, more: Sequence[Path] = ()) -> Any:
        """The image of a file or folder.

        Args:
            path: the file or folder.
            root: the folder below which its document says where it lies; default: the document has its name only.
            more: other folders that hold slices of the same series.

        Raises:
            ImageError: if it cannot be read.
        """

    @property
    @abstractmethod
    def image_type(self) -> type[Any]:
        """The dataclass of an image."""

    @abstractmethod
    def shown(self, image: Any) -> "sitk.Image":
        """An image for clients, as it was read."""

    # Screening

    @abstractmethod
    def screener(self, store: "ModelStore", device: str | None = None) -> "Screener":
        """The networks in use; on the GPU where there is one, unless told otherwise.

        Raises:
            ModelError: if there are none, or they do not fit the program.
        """

    def classes(self, screener: Any) -> "Classes | None":
        """The site's class list, where the method has one."""
        del screener
        return None

    def stored_classes(self, store: "ModelStore") -> "Classes | None":
        """The same of the networks in use, without loading them."""
        del store
        return None

    def case_labels(self, classes: "Classes") -> tuple[str, ...]:
        """The labels that a case can have.

        Args:
            classes: the site's class list.
        """
        del classes
        return self.kind.labels

    @abstractmethod
    def prepare_report(self) -> None:
        """Import what draws the report, so that no case's time holds it."""

    @abstractmethod
    def write_report(self, image: Any, screening: Any, screener: Any, target: Path) -> None:
        """Write the page of a screened image."""

    # Serving

    @abstractmethod
    def score(self, case_id: str, screening: Any, screener: Any) -> "CaseScore":
        """The score for active learning of an image that was screened with ``draws=epistemic.DRAWS``."""

    def overlay(self, image: Any, screening: Any) -> "sitk.Image | None":
        """What a client lays over the image, on its grid."""
        del image, screening
        return None

    def label_map(self, image: Any, screening: Any) -> "sitk.Image | None":
        """The segments, in the geometry of the image as stored."""
        del image, screening
        return None

    def found_in(self, screening: Any, screener: Any) -> Mapping[str, object]:
        """What tasks on the same image use again, by name."""
        del screening, screener
        return {}

    @property
    def tasks(self) -> "tuple[Task, ...]":
        """What it answers on request beside the screening."""
        return ()

    def from_label_map(
        self,
        painting: "Painting",
        image: Any,
        case: "Case",
        known: "Case | None",
        shown: "Collection[int] | None",
        classes: "Classes",
    ) -> "Case":
        """The document that a reader's label map stands for; asked of a method with ``segments``.

        Args:
            painting: what the reader painted.
            image: that it was painted on.
            case: what is known of the case beside what the label map shows.
            known: its newest document, which the label map may refer to.
            shown: numbers of the segments that the client was shown; None: all.
            classes: the site's class list.

        Raises:
            CaseError: if a value cannot be labelled; the message names what can be.
        """
        raise NotImplementedError

    def urgency(self, finding: "Finding") -> float | None:
        """How early a screened case is to be read, from 0 to 1; None where that is not known."""
        return finding.infection

    # Evaluation

    def evaluate(self, request: "CohortRequest") -> "Evaluation":
        """Screen cases of known truth and compute the figures.

        Raises:
            PneumoScreenError: if models, studies or folders cannot be used.
        """
        raise ConfigError(f"evaluate: there are no figures for {self.images}")

    def evaluate_table(self, request: "TableRequest") -> "Evaluation":
        """Screen a site's own images and compute the figures.

        Raises:
            PneumoScreenError: if table, models or folders cannot be used.
        """
        raise ConfigError(f"--cases {request.table}: a table of {self.images} cannot be evaluated")

    def crossvalidate(self, request: "CrossRequest") -> Path:
        """Cross-validate one of ``cross_tasks``; returns the files of the results without their endings.

        Raises:
            PneumoScreenError: if options, images, models or folders cannot be used.
        """
        raise ConfigError(f"crossvalidate: there is nothing to cross-validate for {self.images}")

    def rehearsed(self) -> "type[Subject]":
        """What ``pneumoscreen simulate`` rehearses.

        Raises:
            ConfigError: if it rehearses nothing of the method.
        """
        raise ConfigError(f"simulate: nothing is rehearsed on {self.images}")

    def layouts(self) -> "tuple[Sequence[Layout], Sequence[Layout]]":
        """The layouts of data that can be imported: those known by their folders, and others, which are tried later."""
        return (), ()

    def import_cases(self, layout: "Layout", request: "ImportRequest") -> "Iterator[Outcome | Remark]":
        """Import case after case of one of the layouts.

        Raises:
            PneumoScreenError: if nothing can be imported at all.
        """
        raise ConfigError(f"import: {layout.name} is no layout of {self.images}")

    @property
    def demonstration(self) -> "tuple[PhantomRequest, ...]":
        """Synthetic images of one case each that ``pneumoscreen demo`` screens."""
        return ()

    def phantoms(self, asked: "PhantomRequest") -> "Writer":
        """What writes the synthetic cases that are asked for.

        Raises:
            PneumoScreenError: if a setting is out of range.
        """
        raise ConfigError(f"phantom: there are no synthetic {self.images}")

    # Results for a PACS and other programs

    def kept(self, screening: Any) -> Mapping[str, Any]:
        """Arrays of a screening that are kept, so that results can be made of a document that a reader corrects."""
        del screening
        return {}

    def restored(self, image: Any, case: "Case", marked: Mapping[str, Any]) -> Any:
        """A screening again: its document, perhaps corrected, and what ``kept`` gave; nothing where it never was.

        Raises:
            PneumoScreenError: if it cannot be.
        """
        raise ConfigError(f"pacs: no results are made of corrected {self.images}")

    def drawing(self, image: Any, screening: Any, classes: "Classes") -> "Drawing":
        """The picture that stands for a screened image; raises ``ConfigError`` if the method draws none."""
        raise ConfigError(f"pacs: there is no picture of {self.images}")

    def masks(self, image: Any, screening: Any) -> "Masks | None":
        """What the screening marked voxel by voxel; None where the method marks no voxels."""
        del image, screening
        return None

    def marked(self, study: "Study", classes: "Classes") -> "Marked":
        """The image of an annotated case with ``box_names`` or a mask of ``mask_names``.

        Raises:
            PneumoScreenError: if the case cannot be used; the message names the file.
        """
        raise ConfigError(f"export: nothing is marked on {self.images}")
