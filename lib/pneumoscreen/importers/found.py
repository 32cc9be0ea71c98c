"""What an import is asked for, and what a layout finds in a source folder: scans, and what was marked on each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config import Settings
from ..errors import PneumoScreenError
from ..images import Input, Refused, Volume, read_input
from ..limits import MOST_REGIONS
from ..models.store import ModelStore

TOO_MANY = f"at most {MOST_REGIONS} regions of a scan are kept; leave the others out"


class SourceError(PneumoScreenError):
    """Data that cannot be imported as they are."""


class MarksError(SourceError):
    """What is said of a case cannot be right; the sentence does not name the case: whoever catches it does."""


@dataclass(frozen=True)
class Finding:
    """A box that the data give.

    Attributes:
        box: continuous index box [z0, y0, x0, z1, y1, x1] on the volume's grid.
        label: the patch label that the data give, or None.
    """

    box: NDArray[np.float64]
    label: str | None = None


@dataclass(frozen=True)
class Marks:
    """What the data say of one scan; arrays are [z, y, x] on the volume's grid.

    Attributes:
        infection: the voxels that were drawn, or None where there are boxes only.
        lungs: 1 left, 2 right, or None where the data hold none.
        findings: boxes.
        notes: sentences on what was decided while reading.
    """

    infection: NDArray[np.bool_] | None = None
    lungs: NDArray[np.uint8] | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundCase:
    """A scan to import.

    Attributes:
        scan: the input; its case id is the one it gets in the studies folder.
        marks: reads what was marked on the scan; None where nothing is known of it: it comes in as an image only.
        diagnosis: the clinical diagnosis that the data give, or None.
        read: reads the scan.
    """

    scan: Input
    marks: Callable[[Volume], Marks] | None = None
    diagnosis: str | None = None
    read: Callable[[Input], Volume] = read_input


@dataclass(frozen=True)
class Remark:
    """A sentence for the user on something in the source that is no mistake and no case."""

    sentence: str


def nothing_marked(volume: Volume) -> Marks:
    """The marks of a scan that was read and found clear."""
    return Marks()


@dataclass(frozen=True)
class Layout:
    """A way in which data lie in folders.

    Attributes:
        name: as ``--layout`` takes it.
        shape: what it looks like, in words.
        origin: a sentence for the documents' notes on where the data come from.
        holds: whether the source (and the folder of the annotations) look like this.
        find: the cases of the source and of the folder of the annotations.
        assumed_diagnosis: the diagnosis of a case with marks where neither data nor user name one.
    """

    name: str
    shape: str
    origin: str
    holds: Callable[[Path, Path], bool]
    find: Callable[[Path, Path], Iterable["FoundCase | Refused | Remark"]]
    assumed_diagnosis: str | None = None


READER = "import"


class ImportSettings(Settings):
    """What the user says of the data.

    Attributes:
        diagnosis: clinical diagnosis of the cases whose data do not give it.
        label: patch label of the regions whose data do not give it; None takes it from the diagnosis.
        reader: who marked the regions.
    """

    diagnosis: str | None = None
    label: str | None = None
    reader: str = READER


@dataclass(frozen=True)
class ImportRequest:
    """Data of others that are to come into a studies folder.

    Attributes:
        source: folder of the images.
        annotations: folder of the annotations.
        studies: the studies folder.
        settings: what the user says of the data.
        store: of the models, for what the data do not give.
        link: hard-link images where possible.
        dry_run: do everything but write.
        anonymous_ids: name cases by hashes.
    """

    source: Path
    annotations: Path
    studies: Path
    settings: ImportSettings
    store: ModelStore
    link: bool = False
    dry_run: bool = False
    anonymous_ids: bool = False


MAX_BYTES = 32 << 20


def read_text(path: Path) -> str:
    """The text of an annotation file.

    Raises:
        SourceError: if it cannot be read, is no text, or is too large to be one.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"{path} is larger than {MAX_BYTES >> 20} MB and so no file of annotations; leave it out")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check that it may be opened") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path} is no UTF-8 text; save it as UTF-8") from None
