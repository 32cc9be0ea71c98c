"""An annotated CT as a mask for other programs: both lungs, and what of them is infected.

Ours throughout. What is infected is taken from what somebody painted, never from a box: the label map that the reader
submitted with the document that counts, else the folder's lesion mask, in which the document says which findings are
infections. A case in which an infection is marked that no painted voxel shows is refused.
"""

import numpy as np
from numpy.typing import NDArray

from ..case import Case
from ..errors import CaseError
from ..images.mask_file import read_mask
from ..images.volume import box_voxels
from ..studies.annotations import AnnotationStore
from ..studies.cases import Study, read_document
from ..studies.layout import LUNG_MASKS
from ..studies.marked import Marked
from ..verdict import Classes
from .study_cases import MarkedLesion, StudyCase, load_study

_INFECTION = 3
"""The value after those of the lungs, as ``CtMethod.mask_names`` counts."""


def marked_scan(study: Study, classes: Classes) -> Marked:
    """The scan and its mask, both in the orientation of the file.

    Raises:
        PneumoScreenError: if scan, document or masks cannot be used, or a marked infection is nowhere painted.
    """
    case, document = load_study(study, classes), read_document(study.document, classes)
    values = np.where(_infection(study, case, document, classes), np.uint8(_INFECTION), case.lungs)
    notes: tuple[str, ...] = ()
    if not (study.folder / LUNG_MASKS / f"{study.case_id}.nii.gz").is_file():
        notes = (f"{study.case_id}: nobody drew its lungs; the program found them",)
    volume = case.volume
    return Marked(document, volume.to_sitk(volume.hu), mask=volume.to_sitk(values), notes=notes)


def _infection(study: Study, case: StudyCase, document: Case, classes: Classes) -> NDArray[np.bool_]:
    painted = _label_map(study, case, classes)
    found = np.zeros(case.lungs.shape, dtype=np.bool_)
    names = [region.id for region in document.regions if region.opinion is not None]
    for name, lesion in zip(names, case.lesions, strict=True):
        if lesion.label == classes.irrelevant:
            continue
        voxels = _of_mask(lesion, case) if painted is None else _of_label_map(lesion, painted)
        if not voxels.any():
            mask = "no mask shows" if painted is None else "the label map does not show"
            raise CaseError(
                f"{study.document}: region {name} is an infection that {mask}; submit a label map of all its "
                f"infections, or put one into labels/lesions/{study.case_id}.nii.gz"
            )
        found |= voxels
    return found


def _of_mask(lesion: MarkedLesion, case: StudyCase) -> NDArray[np.bool_]:
    if case.infection is None or not lesion.number:
        return np.zeros(case.lungs.shape, dtype=np.bool_)
    return np.asarray(case.infection == lesion.number)


def _of_label_map(lesion: MarkedLesion, painted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    voxels = np.zeros(painted.shape, dtype=np.bool_)
    inside = box_voxels(lesion.box, painted.shape)
    voxels[inside] = painted[inside]
    return voxels


def _label_map(study: Study, case: StudyCase, classes: Classes) -> NDArray[np.bool_] | None:
    """What the reader painted whose document counts; None where that reader painted nothing."""
    store = AnnotationStore(study.folder, classes)
    counting = store.counting(study.case_id)
    path = None if counting is None else store.label_map(counting)
    return None if path is None else np.asarray(read_mask(path, case.volume) > 0)
