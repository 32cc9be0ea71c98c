"""The radiographs of known truth that an evaluation takes: those of one side of a studies folder, or phantoms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ...case import CXR_CLASSES, CXR_POSITIVE, READER
from ...studies.cases import Study, read_document
from ..importers.document import FOUND_BOXES
from ..phantoms.radiograph import RadiographPhantom, RadiographSpec, generate_radiograph
from ..truth import LabelledRadiograph, load_radiograph


@dataclass(frozen=True)
class RadiographCase:
    """A radiograph of known truth that has not been read yet; can be pickled.

    Attributes:
        case_id: its name, safe for files.
        patient: whose it is.
        origin: changes when picture or label change.
        load: reads both; raises ``PneumoScreenError`` where one of them cannot be used.
    """

    case_id: str
    patient: str
    origin: str
    load: Callable[[], LabelledRadiograph]


def radiograph_cases(studies: Sequence[Study]) -> list[RadiographCase]:
    """Studies as radiographs of known truth."""
    return [
        RadiographCase(study.case_id, study.patient, study.origin(), partial(load_truth, study)) for study in studies
    ]


def load_truth(study: Study) -> LabelledRadiograph:
    """A labelled radiograph without the lung boxes that nobody drew: a network's boxes are no truth.

    Raises:
        PneumoScreenError: if picture or document cannot be used.
    """
    labelled = load_radiograph(study)
    return labelled if boxes_are_drawn(study.document) else replace(labelled, lung_boxes={})


def boxes_are_drawn(document: Path) -> bool:
    """Whether somebody drew the lung boxes of a document: a network's boxes are no truth, submitted or not.

    Raises:
        CaseError: if the document cannot be read.
    """
    case = read_document(document)
    if case.cxr is None or FOUND_BOXES in (case.cxr.reader or {}):
        return False
    return all(found.source == READER for found in case.cxr.lung_boxes.values())


def phantom_radiographs(count: int, seed: int, spec: RadiographSpec | None = None) -> list[RadiographCase]:
    """Unseen phantoms, the classes in turn; each is a patient of its own."""
    spec = spec or RadiographSpec()
    return [_phantom(seed + i, CXR_CLASSES[i % len(CXR_CLASSES)], spec) for i in range(count)]


def labelled_phantom(phantom: RadiographPhantom) -> LabelledRadiograph:
    """A phantom with its truth, as a labelled radiograph of a patient of its own."""
    boxes = {side: tuple(map(float, box)) for side, box in phantom.lung_boxes.items()}
    sides = phantom.sides if phantom.label == CXR_POSITIVE else {}
    return LabelledRadiograph(phantom.radiograph, phantom.radiograph.case_id, boxes, phantom.label, sides)


def _phantom(seed: int, label: str, spec: RadiographSpec) -> RadiographCase:
    name = f"xray-{seed:06d}"
    return RadiographCase(
        name, name, f"{seed} {label} {spec.model_dump_json()}", partial(_labelled_phantom, seed, label, spec)
    )


def _labelled_phantom(seed: int, label: str, spec: RadiographSpec) -> LabelledRadiograph:
    return labelled_phantom(generate_radiograph(seed, label, spec))
