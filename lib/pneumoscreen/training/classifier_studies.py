"""From a studies folder to the patches that the classifier is trained on, cut once and kept."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..ct.candidates import CandidateModel, find_candidates
from ..ct.lungs import Lungs, segment_lungs
from ..errors import CaseError, PneumoScreenError
from ..verdict import Classes
from .classifier import ClassifierTrainingSettings
from .classifier_data import PatchSet, collect_patches
from .studies import MarkedLesion, Study, StudyCase

_CACHE_VERSION = 1


def prepare_patches(
    studies: Sequence[Study],
    settings: ClassifierTrainingSettings,
    cache: Path,
    candidates: CandidateModel | None = None,
    candidates_sha256: str = "",
    say: Callable[[str], None] = print,
) -> PatchSet:
    """The patches of all studies; those of a study that was prepared before are read back.

    A case that cannot be used is named and passed over: one broken scan does not stop a training.

    Args:
        studies: labelled cases.
        settings: which patches, and how they are cut.
        cache: folder that keeps them, one file a case.
        candidates: the network whose regions are used as well; the lungs are then segmented as in screening.
        candidates_sha256: of its weights; other weights make other patches.
        say: takes a line a case.

    Raises:
        PneumoScreenError: if no case has a labelled region.
    """
    parts_of_settings = (settings.network.patches, settings.data, settings.network.classes)
    made_with = [part.model_dump(mode="json") for part in parts_of_settings]
    key = [_CACHE_VERSION, *made_with, settings.seed, candidates is not None, candidates_sha256]
    folder = cache / f"patches-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]}"
    parts = []
    for done, study in enumerate(studies, start=1):
        path = folder / f"{study.case_id}.npz"
        if not path.exists():
            try:
                found = _cut(study, settings, candidates)
            except PneumoScreenError as error:
                say(f"{study.case_id} is left out: {error}")
                continue
            found.save(path)
            say(f"prepared {done}/{len(studies)} {study.case_id}: {len(found)} patches")
        parts.append(PatchSet.load(path))
    return PatchSet.join(parts)


def _cut(study: Study, settings: ClassifierTrainingSettings, candidates: CandidateModel | None) -> PatchSet:
    classes = settings.network.classes.classes
    case = study.load(classes)
    lungs = Lungs(case.lungs)
    boxes = np.zeros((0, 6))
    if candidates is not None:
        lungs = segment_lungs(case.volume)
        boxes = find_candidates(case.volume, lungs, candidates).boxes
    digest = hashlib.sha256(study.case_id.encode()).digest()
    seed = settings.seed + int.from_bytes(digest[:4], "big")
    return collect_patches(
        complete_truth(case, classes),
        study.patient,
        lungs,
        boxes,
        seed,
        settings.data,
        settings.network.patches,
        classes,
    )


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
