"""Labelled radiographs of a studies folder, read for a training or an evaluation.

The label is the document ``labels/final/<case>.json``. Ours, as for CTs: whoever submits a document stands for all of
it, so that what a reader left as the networks said it counts as labelled so; the clinical diagnosis goes before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..case import CXR_LOCATIONS, CXR_POSITIVE, SIDES, Case, Cxr, Vector
from ..errors import CaseError
from ..images.radiograph import Radiograph
from ..images.radiograph_reader import read_radiograph
from ..studies.cases import Study, read_document


@dataclass(frozen=True)
class LabelledRadiograph:
    """A radiograph with what is known of it.

    Attributes:
        radiograph: the picture.
        patient: whose it is.
        lung_boxes: x, y, w, h in pixels by side; both or none.
        label: its class.
        sides: whether each lung is infected; empty where nobody has said, or the label is not COVID-19.
    """

    radiograph: Radiograph
    patient: str
    lung_boxes: Mapping[str, Vector]
    label: str
    sides: Mapping[str, bool]


def load_radiograph(study: Study) -> LabelledRadiograph:
    """Read the picture and the document of a study.

    Raises:
        PneumoScreenError: if one of them cannot be used; the message names the file.
    """
    case = read_document(study.document)
    if case.modality != "CXR" or case.cxr is None:
        raise CaseError(f"{study.document} labels no X-ray (field cxr is missing); save the label of this X-ray again")
    label = label_of(case)
    if label is None:
        raise CaseError(
            f"{study.document} names no class (diagnosis, cxr.reader.label or verdict); enter the diagnosis"
        )
    boxes = {side: case.cxr.boxes[side] for side in SIDES if side in case.cxr.boxes}
    return LabelledRadiograph(
        read_radiograph(study.scan),
        study.patient,
        boxes if len(boxes) == len(SIDES) else {},
        label,
        sides_of(case.cxr) if label == CXR_POSITIVE else {},
    )


def label_of(case: Case) -> str | None:
    """The class that a document stands for: the diagnosis, else the reader's, else that of the verdict."""
    said = (case.cxr.reader or {}).get("label") if case.cxr is not None else None
    return case.diagnosis or said or (case.verdict.label if case.verdict else None)


def sides_of(cxr: Cxr) -> dict[str, bool]:
    """Whether each lung is infected, as the reader or else the networks say; empty where neither does."""
    said = (cxr.reader or {}).get("location")
    location = said if said in CXR_LOCATIONS else cxr.location if cxr.sides else None
    return {} if location is None else {side: location in (side, "bipulmonary") for side in SIDES}
