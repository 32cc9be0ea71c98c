"""A case of the simulation as its networks see it: all its patches, cut once and kept on the disk.

Real: lungs, candidate regions, patches and their labels come from the code that screens a scan and that trains the
classifier on a studies folder. Simulated: the scan, a phantom, and the reader, who knows the phantom's truth voxel by
voxel, labels every patch of every candidate region by the rule of ``ct.truth`` and marks the lesions that no
region shows. The candidate network stays the same throughout.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..ct.candidates.finding import CandidateModel, find_candidates
from ..ct.learning.classifier_data import SOURCES, PatchSet, collect_patches
from ..ct.lungs.segmentation import Lungs, segment_lungs
from ..ct.patches import PatchImage, PatchSettings, RegionError, extract_patches
from ..ct.phantoms.phantom import Phantom, generate_phantom
from ..ct.truth import label_region
from ..images.volume import Volume
from ..models.atomic_files import replace_durably
from .pool import Recipe
from .settings import SimulationSettings

_CACHE_VERSION = 1


@dataclass(frozen=True)
class PreparedCase:
    """A case without its scan.

    Attributes:
        case_id: name of the phantom.
        diagnosis: its clinical diagnosis.
        labelled: what a reader's correction gives to a training.
        regions: true label of each candidate region, in the order of the patches.
    """

    case_id: str
    diagnosis: str
    labelled: PatchSet
    regions: tuple[str, ...]

    @property
    def screened(self) -> PatchSet:
        """The patches of the candidate regions with their true labels: what a screening classifies."""
        return self.labelled.select(self.labelled.sources == SOURCES.index("candidate"))


def patch_images(patches: PatchSet) -> list[PatchImage]:
    """Patches in the form that the classifier takes; their slices are not known any more."""
    pixels = patches.pixels.astype(np.float32) / 255.0
    return [PatchImage(0, image, float(near)) for image, near in zip(pixels, patches.distances, strict=True)]


def prepare_case(
    phantom: Phantom,
    seed: int,
    candidates: CandidateModel,
    settings: SimulationSettings,
) -> PreparedCase:
    """Find the candidate regions of a phantom, cut its patches and label them.

    Args:
        phantom: scan and truth.
        seed: of the loosened and random regions that a training adds.
        candidates: the network whose regions are used.
        settings: how patches are cut, and which ones a training uses.
    """
    training = settings.training
    cut, classes = training.network.patches, training.network.classes.classes
    volume, lungs = phantom.volume, segment_lungs(phantom.volume)
    boxes = find_candidates(volume, lungs, candidates).boxes
    return PreparedCase(
        volume.case_id,
        phantom.diagnosis,
        collect_patches(phantom, volume.case_id, lungs, boxes, seed, training.data, cut, classes),
        tuple(label_region(box, phantom, classes) for box in boxes if _has_patches(volume, lungs, box, cut)),
    )


def _has_patches(volume: Volume, lungs: Lungs, box: NDArray[np.float64], cut: PatchSettings) -> bool:
    try:
        return bool(extract_patches(volume, lungs, box, cut))
    except RegionError:
        return False


class CaseFolder:
    """Prepared cases on the disk: ``<case>.npz`` with the patches and, written last, ``<case>.json``.

    Args:
        root: cases of other settings or of another candidate network lie in other folders below it.
        settings: of the simulation.
        candidates_sha256: of the weights of the candidate network.
    """

    def __init__(self, root: Path, settings: SimulationSettings, candidates_sha256: str) -> None:
        training = settings.training
        parts = (settings.phantom, training.network.patches, training.network.classes, training.data)
        key = [_CACHE_VERSION, candidates_sha256, *(part.model_dump(mode="json") for part in parts)]
        self.folder = root / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
        self._settings = settings

    def holds(self, recipe: Recipe) -> bool:
        """Whether a case has been prepared."""
        return self._document(recipe).is_file()

    def prepare(self, recipe: Recipe, candidates: CandidateModel) -> None:
        """Make the phantom, prepare it and keep what came of it."""
        phantom = generate_phantom(recipe.seed, recipe.diagnosis, self._settings.phantom)
        case = prepare_case(phantom, recipe.seed, candidates, self._settings)
        case.labelled.save(self._patches(recipe))
        document = {"diagnosis": case.diagnosis, "regions": case.regions}
        replace_durably(self._document(recipe), json.dumps(document).encode())

    def load(self, recipe: Recipe) -> PreparedCase:
        """Read a case back.

        Raises:
            PneumoScreenError: if its patches are damaged.
        """
        document = json.loads(self._document(recipe).read_text(encoding="utf-8"))
        labelled = PatchSet.load(self._patches(recipe))
        return PreparedCase(recipe.case_id, document["diagnosis"], labelled, tuple(document["regions"]))

    def _document(self, recipe: Recipe) -> Path:
        return self.folder / f"{recipe.case_id}-{recipe.diagnosis}.json"

    def _patches(self, recipe: Recipe) -> Path:
        return self._document(recipe).with_suffix(".npz")
