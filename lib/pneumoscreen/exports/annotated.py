"""The annotated cases of a studies folder, each on its side of the split, for formats that others train with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from ..errors import PneumoScreenError
from ..method import Method
from ..methods import method_for
from ..output import OutputError, require_folder
from ..studies.cases import Study, find_scans
from ..studies.folder_split import folder_split, keep_split
from ..studies.layout import FINAL_LABELS
from ..studies.marked import Marked
from ..studies.split import Side, side_of
from ..verdict import Classes
from .found import LeftOut


@dataclass(frozen=True)
class AnnotatedCase:
    """An annotated case.

    Attributes:
        case_id: of the document's file.
        patient: whose image it is.
        side: what it is for.
        marked: image and marks.
    """

    case_id: str
    patient: str
    side: Side
    marked: Marked


def write_image(image: sitk.Image, path: Path) -> None:
    """Write a picture or volume, compressed.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=1)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise OutputError(f"{path}: cannot be written ({reason}); free the disk or name another folder") from None


Say = Callable[[str], None]


def annotated_studies(folder: Path, wanted: Callable[[Method], bool], say: Say) -> list[Study]:
    """The annotated cases of a folder whose method is wanted.

    Args:
        folder: of the studies.
        wanted: whether a method's cases are.
        say: takes a line for each image that cannot be a case.

    Raises:
        PneumoScreenError: if the folder is absent or holds none.
    """
    require_folder(folder, "the studies folder")
    studies = [study for study in find_scans(folder, say) if study.document.is_file()]
    chosen = [study for study in studies if wanted(method_for(study.scan.modality))]
    if not chosen:
        raise PneumoScreenError(
            f"{folder}: holds no annotated case for this format ({FINAL_LABELS}/<case>.json beside an image); "
            "annotate cases, or name another studies folder"
        )
    return chosen


def annotated_cases(studies: Sequence[Study], classes: Classes, say: Say) -> Iterator[AnnotatedCase | LeftOut]:
    """Read annotated cases one by one; the split is the folder's, which is kept from now on.

    Args:
        studies: of one folder.
        classes: the site's class list.
        say: takes notes.

    Raises:
        PneumoScreenError: if the folder's split is damaged.
    """
    shares = folder_split(studies[0].folder)
    keep_split(studies[0].folder, shares, say)
    for study in studies:
        try:
            marked = method_for(study.scan.modality).marked(study, classes)
        except PneumoScreenError as error:
            yield LeftOut(str(error))
            continue
        for note in marked.notes:
            say(f"note: {note}")
        yield AnnotatedCase(study.case_id, study.patient, side_of(study.patient, shares), marked)
