"""From a folder of a series to the objects about it: the way that every study takes, networks loaded once."""

from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from ..case import Case
from ..method import Method
from ..models.store import ModelStore
from ..screener import Screener
from ..verdict import DEFAULT_CLASSES
from .about import About
from .privacy import unlogged
from .reading import StudyReading
from .results import results_of
from .uids import folder_name


@dataclass(frozen=True)
class Written:
    """A screened image: its document, and the objects about it by their short names."""

    case: Case
    objects: dict[str, Dataset]


class FolderScreener:
    """Screens the one series or radiograph of a folder.

    Args:
        model_dir: root of the model store; None takes the project's own.
        device: as the methods take it; None takes a GPU where there is one.
        reading: reads the files; default: in processes with the limits of the environment.
    """

    def __init__(
        self, model_dir: Path | None = None, device: str | None = None, reading: StudyReading | None = None
    ) -> None:
        self._reading = reading or StudyReading()
        self._store, self._device = ModelStore(model_dir), device
        self._loaded: dict[Method, Screener] = {}

    def __call__(self, folder: Path, note: str | None = None) -> Written:
        """Screen a folder and write the objects about it.

        Args:
            folder: holds one series or radiograph, or is the file of one.
            note: a sentence for the document on why it was taken.

        Raises:
            PneumoScreenError: if it cannot be screened, or no objects can be written about it.
        """
        with unlogged():
            read = self._reading.read(folder)
            source, method = read.source, read.method
            # The study is what a case of a PACS is called; its files have no names that say anything.
            image = replace(
                read.image,
                case_id=f"study-{folder_name(source.study_uid)[:12]}",
                source_below=None,
                notes=(*read.image.notes, *((note,) if note else ())),
            )
            screener = self._of(method)
            screening = screener.screen(image)
            classes = method.classes(screener) or DEFAULT_CLASSES
            about = About(
                case=screening.case,
                source=source,
                drawing=method.drawing(image, screening, classes),
                masks=method.masks(image, screening),
                classes=classes,
            )
            return Written(screening.case, results_of(about))

    def _of(self, method: Method) -> Screener:
        if method not in self._loaded:
            self._loaded[method] = method.screener(self._store, self._device)
        return self._loaded[method]
