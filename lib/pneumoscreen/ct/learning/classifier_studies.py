"""From a labelled study to the patches that the classifier is trained on, cut once and kept."""

import glob
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from ...studies.cases import Study
from ..candidates.finding import CandidateModel, find_candidates
from ..lungs.segmentation import Lungs, segment_lungs
from ..study_cases import load_study
from .classifier import ClassifierTrainingSettings
from .classifier_data import PatchSet, collect_patches
from .truth import complete_truth

_CACHE_VERSION = 2


class PatchCache:
    """The patches of studies, one file a case.

    Args:
        folder: of all patches.
        settings: which patches, and how they are cut.
        candidates: the network whose regions are used as well; the lungs are then segmented as in screening. Only who
            adds patches needs it.
        candidates_sha256: of its weights, which tells the folder: other weights make other patches.
    """

    def __init__(
        self,
        folder: Path,
        settings: ClassifierTrainingSettings,
        candidates: CandidateModel | None = None,
        candidates_sha256: str = "",
    ) -> None:
        parts_of_settings = (settings.network.patches, settings.data, settings.network.classes)
        made_with = [part.model_dump(mode="json") for part in parts_of_settings]
        key = [_CACHE_VERSION, *made_with, settings.seed, candidates_sha256]
        self.folder = folder / f"patches-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._settings, self._candidates = settings, candidates

    def path(self, case_id: str, origin: str) -> Path:
        """The file of a case; ``origin`` tells apart what was cut by other labels (see ``Study.origin``)."""
        return self.folder / origin / f"{case_id}.npz"

    def add(self, study: Study, origin: str) -> Path:
        """Cut the patches of a study once; returns its file, which may hold none.

        Raises:
            PneumoScreenError: if the case cannot be used: scan or label cannot be read, or the label contradicts
                itself.
        """
        path = self.path(study.case_id, origin)
        if not path.exists():
            self._cut(study).save(path)
        for other in self.folder.glob(f"*/{glob.escape(study.case_id)}.npz"):
            if other != path:
                other.unlink(missing_ok=True)
        return path

    def drop_others(self) -> None:
        """Remove what was cut for other candidate networks or settings: it is as large as what is used."""
        for other in self.folder.parent.glob("patches-*"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)

    def _cut(self, study: Study) -> PatchSet:
        settings = self._settings
        classes = settings.network.classes.classes
        case = complete_truth(load_study(study, classes), classes)
        lungs = Lungs(case.lungs)
        boxes = np.zeros((0, 6))
        if self._candidates is not None:
            lungs = segment_lungs(case.volume)
            boxes = find_candidates(case.volume, lungs, self._candidates).boxes
        digest = hashlib.sha256(study.case_id.encode()).digest()
        seed = settings.seed + int.from_bytes(digest[:4], "big")
        return collect_patches(
            case, study.patient, lungs, boxes, seed, settings.data, settings.network.patches, classes
        )
