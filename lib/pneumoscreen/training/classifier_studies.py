"""From a studies folder to the patches that the classifier is trained on, cut once and kept."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..ct.candidates import CandidateModel, find_candidates
from ..ct.lungs import Lungs, segment_lungs
from ..errors import PneumoScreenError
from ..studies.cases import Study
from ..studies.truth import complete_truth
from .classifier import ClassifierTrainingSettings
from .classifier_data import PatchSet, collect_patches

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
