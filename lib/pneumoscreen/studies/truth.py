"""The truth of a labelled case, filled in where the site gave boxes and labels only."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import CaseError
from ..verdict import Classes
from .cases import MarkedLesion, StudyCase


class CompleteCase(StudyCase):
    """A study case whose lesion map and diagnosis are known."""

    infection: NDArray[np.uint8]
    diagnosis: str


def complete_truth(case: StudyCase, classes: Classes) -> CompleteCase:
    """The case with a lesion map and a diagnosis, also where the site gave boxes and labels only.

    Ours: a finding without a mask fills the ellipsoid inside its box, as far as there is lung; a case
    without a clinical diagnosis has the type that all of its infection regions were labelled with.

    Raises:
        CaseError: if infections are marked and their type is not known.
    """
    types = {lesion.label for lesion in case.lesions if lesion.label != classes.irrelevant}
    diagnosis = case.diagnosis
    if diagnosis is None:
        if len(types) > 1:
            raise CaseError("field diagnosis is missing and its regions name more than one type; enter the diagnosis")
        diagnosis = types.pop() if types else classes.none_found
    elif types and diagnosis == classes.none_found:
        raise CaseError(f"field diagnosis is {diagnosis} but a region is marked as infection; correct one of the two")
    lesions, infection = case.lesions, case.infection
    if infection is None:
        lesions = tuple(replace(lesion, number=i) for i, lesion in enumerate(case.lesions, start=1))
        infection = _painted(lesions, case.lungs)
    return CompleteCase(case.volume, case.lungs, infection, lesions, diagnosis, case.patient)


def _painted(lesions: Sequence[MarkedLesion], lungs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    painted = np.zeros(lungs.shape, dtype=np.uint8)
    for lesion in lesions:
        center, half = (lesion.box[:3] + lesion.box[3:]) / 2, (lesion.box[3:] - lesion.box[:3]) / 2
        low = np.clip(np.floor(center - half), 0, lungs.shape).astype(int)
        high = np.clip(np.ceil(center + half) + 1, low, lungs.shape).astype(int)
        inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grids = np.ogrid[inside]
        reach = sum(((grid - c) / max(h, 0.5)) ** 2 for grid, c, h in zip(grids, center, half, strict=True))
        painted[inside][(reach <= 1.0) & (lungs[inside] > 0)] = lesion.number
    return painted
