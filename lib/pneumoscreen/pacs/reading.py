"""What a PACS or a scanner sent is read in processes that may be killed: a file that ends one costs its study only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from ..limits import Limits
from ..method import Method
from ..methods import method_for
from ..reading.processes import Processes, needed
from . import source as sources
from .headers import decoded
from .source import Source

MODULE = "pneumoscreen.pacs.reading_process"


@dataclass(frozen=True)
class Read:
    """An image that was read, and the headers of its files.

    Attributes:
        method: whose image it is.
        image: as that method has it.
        source: the headers.
    """

    method: Method
    image: Any
    source: Source


@dataclass(frozen=True)
class Received:
    """What the header of an image says of where it belongs; any text that a sender can write.

    Attributes:
        number: of the image in its series; 0 where it has none.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    modality: str
    number: int


class StudyReading:
    """Reads one image after another.

    Args:
        limits: of memory and time; default: those of the environment, as for the server's uploads.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.processes = Processes(MODULE, limits, vars(sources), is_silent=True)

    def read(self, path: Path) -> Read:
        """Read the one series or radiograph of a folder, or one file.

        Raises:
            PneumoScreenError: if it holds none, or it cannot be read within the limits.
        """
        values, headers = self.processes.ask("source", path)
        method = method_for(values["modality"])
        source = Source(decoded(needed(headers).tobytes()), tuple(values["frames"]))
        return Read(method, self.processes.image(method, Path(values["path"])), source)

    def image(self, path: Path) -> tuple[Method, Any]:
        """The one series or radiograph of a folder, without the headers: nothing is to be written about its files.

        Raises:
            PneumoScreenError: as of ``read``.
        """
        values, _ = self.processes.ask("only", path)
        method = method_for(values["modality"])
        return method, self.processes.image(method, Path(values["path"]))

    def received(self, path: Path) -> Received:
        """Where a file that was received belongs.

        Raises:
            PneumoScreenError: if it cannot be read within the limits.
        """
        return Received(**self.processes.ask("received", path)[0])

    def header(self, path: Path) -> Dataset:
        """The header of a file.

        Raises:
            PneumoScreenError: if it cannot be read within the limits.
        """
        _, header = self.processes.ask("header", path)
        return decoded(needed(header).tobytes())[0]

    def close(self) -> None:
        """End the processes that wait for work."""
        self.processes.close()
