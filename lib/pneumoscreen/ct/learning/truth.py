"""The truth of a labelled case, filled in where the site gave boxes and labels only.

Types of infections as published (Xu et al. 2020, section 2.4): readers mark pneumonia or irrelevant, the clinical
diagnosis says which pneumonia. So where a case has a diagnosis, every infection mark takes its type.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...case import Case
from ...errors import CaseError
from ...verdict import Classes
from ..study_cases import MarkedLesion, StudyCase

_MOST_NUMBERS = 255


class CompleteCase(StudyCase):
    """A study case whose lesion map and diagnosis are known."""

    infection: NDArray[np.uint8]
    diagnosis: str


def complete_truth(case: StudyCase, classes: Classes) -> CompleteCase:
    """The case with a lesion map, a diagnosis and the types that follow from it.

    Ours: a finding that the mask does not show, because there is none or because a reader moved or added the
    finding, fills the ellipsoid inside its box, as far as there is lung; a case without a clinical diagnosis has the
    type that all of its infection regions were labelled with.

    Raises:
        CaseError: if infections are marked and their type is not known, or there are more findings than a map holds.
    """
    diagnosis = diagnosis_of(case, classes)
    typed = [
        lesion if lesion.label == classes.irrelevant else replace(lesion, label=diagnosis) for lesion in case.lesions
    ]
    lungs, mask = case.lungs, case.infection
    taken = set() if mask is None else set(np.unique(mask).tolist())
    free = (number for number in range(1, _MOST_NUMBERS + 1) if number not in taken)
    lesions: list[MarkedLesion] = []
    drawn: list[MarkedLesion] = []
    for lesion in typed:
        shown = lesion.number if mask is not None else 0
        number = shown or next(free, None)
        if number is None:
            raise CaseError(f"field regions holds more than {_MOST_NUMBERS} findings; remove regions that are none")
        lesions.append(replace(lesion, number=number))
        if not shown:
            drawn.append(lesions[-1])
    infection = np.zeros(lungs.shape, dtype=np.uint8) if mask is None else mask.copy() if drawn else mask
    _paint(infection, drawn, lungs)
    return CompleteCase(case.volume, lungs, infection, tuple(lesions), diagnosis, case.patient)


def diagnosis_of(case: StudyCase, classes: Classes) -> str:
    """The clinical diagnosis, or what the labels of the regions say in its place.

    Raises:
        CaseError: if the two contradict each other, or the labels name more than one type.
    """
    return _diagnosis(case.diagnosis, [lesion.label for lesion in case.lesions], classes)


def diagnosis_of_document(case: Case, classes: Classes) -> str:
    """The same of a case document alone: a scan in which no lungs are found has a diagnosis all the same.

    Raises:
        CaseError: as ``diagnosis_of``.
    """
    return _diagnosis(case.diagnosis, [region.opinion[0] for region in case.regions if region.opinion], classes)


def _diagnosis(diagnosis: str | None, labels: Sequence[str], classes: Classes) -> str:
    types = set(labels) - {classes.irrelevant}
    if diagnosis is None:
        if len(types) > 1:
            raise CaseError("field diagnosis is missing and its regions name more than one type; enter the diagnosis")
        return types.pop() if types else classes.none_found
    if types and diagnosis == classes.none_found:
        raise CaseError(f"field diagnosis is {diagnosis} but a region is marked as infection; correct one of the two")
    return diagnosis


def _paint(infection: NDArray[np.uint8], lesions: Sequence[MarkedLesion], lungs: NDArray[np.uint8]) -> None:
    """Write the number of each lesion into the ellipsoid inside its box."""
    for lesion in lesions:
        center, half = (lesion.box[:3] + lesion.box[3:]) / 2, (lesion.box[3:] - lesion.box[:3]) / 2
        low = np.clip(np.floor(center - half), 0, lungs.shape).astype(int)
        high = np.clip(np.ceil(center + half) + 1, low, lungs.shape).astype(int)
        inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grids = np.ogrid[inside]
        reach = sum(((grid - c) / max(h, 0.5)) ** 2 for grid, c, h in zip(grids, center, half, strict=True))
        infection[inside][(reach <= 1.0) & (lungs[inside] > 0)] = lesion.number
