"""A labelled CT of a studies folder: the scan, what readers marked, and masks where there are any."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..case import Case
from ..images.mask_file import read_mask
from ..images.reader import read_input
from ..images.volume import Volume
from ..studies.cases import Study, read_document
from ..studies.layout import LESION_MASKS, LUNG_MASKS
from ..verdict import DEFAULT_CLASSES, Classes
from .lesion_masks import numbers_of
from .lungs.segmentation import segment_lungs


@dataclass(frozen=True)
class MarkedLesion:
    """A region of a document: number in the mask (0: the mask does not show it), patch label, index box."""

    number: int
    label: str
    box: NDArray[np.float64]


@dataclass(frozen=True)
class StudyCase:
    """A case with its truth, in the form that phantoms have.

    Attributes:
        volume: the scan.
        lungs: uint8 [z, y, x], 1 left, 2 right: the mask in the folder, else segmented.
        infection: uint8 [z, y, x], lesion numbers; None where the folder holds boxes only.
        lesions: the marked regions.
        diagnosis: clinical diagnosis, or None where the site does not know it.
        patient: whose scan it is.
    """

    volume: Volume
    lungs: NDArray[np.uint8]
    infection: NDArray[np.uint8] | None
    lesions: tuple[MarkedLesion, ...]
    diagnosis: str | None
    patient: str


def load_study(study: Study, classes: Classes = DEFAULT_CLASSES) -> StudyCase:
    """Read scan, document and masks of a labelled CT.

    Raises:
        PneumoScreenError: if one of them cannot be used; the message names the file.
    """
    case = read_document(study.document, classes)
    volume = read_input(study.scan)
    infection = _mask(study.folder / LESION_MASKS, study.case_id, volume)
    lungs = _mask(study.folder / LUNG_MASKS, study.case_id, volume)
    return StudyCase(
        volume,
        segment_lungs(volume).labels if lungs is None else lungs,
        infection,
        _lesions(case, infection, volume),
        case.diagnosis,
        study.patient,
    )


def _lesions(case: Case, infection: NDArray[np.uint8] | None, volume: Volume) -> tuple[MarkedLesion, ...]:
    """The regions a label is known for: the reader's, else the one that the document votes for.

    Ours: whoever submits a document stands for all of it, so that a region that the reader left as the model
    labelled it counts as labelled so.
    """
    regions = [region for region in case.regions if region.opinion is not None]
    boxes = [volume.box_from_mm(np.asarray(r.center_mm), np.asarray(r.size_mm)) for r in regions]
    numbers = [0] * len(regions) if infection is None else numbers_of(regions, boxes, infection)
    opinions = [region.opinion[0] for region in regions if region.opinion is not None]
    return tuple(map(MarkedLesion, numbers, opinions, boxes))


def _mask(folder: Path, case_id: str, volume: Volume) -> NDArray[np.uint8] | None:
    """A mask on the volume's grid, or None if the folder holds none for the case."""
    path = folder / f"{case_id}.nii.gz"
    if not path.is_file():
        return None
    return read_mask(path, volume).astype(np.uint8)
