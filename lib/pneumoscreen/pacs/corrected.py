"""The objects about a document that was made elsewhere, from the case's images and what a screening marked in them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..case import Case
from ..errors import ImageError
from ..methods import method_of
from ..verdict import Classes
from .about import About, earlier_report
from .privacy import unlogged
from .results import results_of
from .source import only_input, source_of


def read_marked(file: Path) -> dict[str, NDArray[np.generic]]:
    """What the last screening of a case marked; nothing where there was none, or the file is damaged."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, ValueError, KeyError, EOFError):
        return {}


def objects_about(
    case: Case,
    folder: Path,
    marked: Mapping[str, NDArray[np.generic]],
    classes: Classes,
    reader: str,
    previous: Sequence[str],
) -> dict[str, Dataset]:
    """The objects about a document, by their short names.

    Args:
        case: the document.
        folder: its images.
        marked: what a screening marked in them.
        classes: the class list of the document.
        reader: who submitted it; empty of a screening.
        previous: SOPInstanceUIDs of the reports that it supersedes.

    Raises:
        PneumoScreenError: if no objects can be written about it.
    """
    with unlogged():
        item = only_input(folder)
        method = method_of(item)
        if method.modality != case.modality:
            raise ImageError(f"the document of case {case.case_id} is one of another kind of image; screen it again")
        source = source_of(item)
        image = replace(method.read(item), case_id=case.case_id)
        screening = method.restored(image, case, marked)
        about = About(
            case=case,
            source=source,
            drawing=method.drawing(image, screening, classes),
            masks=method.masks(image, screening),
            classes=classes,
            previous=[earlier_report(source, uid) for uid in previous],
            reader=reader,
        )
        return results_of(about)
