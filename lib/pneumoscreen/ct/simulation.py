"""The readers' loop of the CT method, for ``pneumoscreen simulate``: its cases, its training, its figures.

Real: lungs, candidate regions, patches and their labels come from the code that screens a scan and that trains the
classifier on a studies folder. Simulated: the scan, a phantom, and the reader, who knows the phantom's truth voxel by
voxel, labels every patch of every candidate region by the rule of ``ct.truth`` and marks the lesions that no
region shows. The candidate network stays the same throughout.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..active_learning.epistemic import DRAWS
from ..active_learning.scores import CaseScore
from ..case_kinds import KINDS
from ..images.volume import Volume
from ..metrics.confusion import ConfusionMatrix
from ..models.store import ModelStore
from ..simulation.pool import Recipe
from ..simulation.settings import SimulationSettings
from ..simulation.subject import Check, Subject
from ..studies.split import SplitSettings
from ..verdict import DEFAULT_CLASSES
from .candidates.finding import CandidateModel, find_candidates
from .classifier import ClassifierModel, judge
from .figures.outcome import HeadOutcome
from .learning.classifier import ClassifierTrainingSettings, train_classifier
from .learning.classifier_data import SOURCES, PatchSet, collect_patches
from .lungs.segmentation import Lungs, segment_lungs
from .networks import CANDIDATES
from .patches import PatchImage, PatchSettings, RegionError, extract_patches
from .phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from .scoring import score_case
from .truth import label_region

_CACHE_VERSION = 1
_LEAST_PROBABILITY = 1e-12


NARROW: dict[str, Any] = {
    "network": {"heads": ["m2"], "widths": [16, 32, 64, 128], "features": 64, "dropout": 0.2},
    "batch": 48,
    "learning_rate": 0.003,
}
"""Ours: a network that a few dozen cases can fill and a CPU trains in seconds; all else as in the product."""


class CtSimulationSettings(SimulationSettings):
    """The clinic that is simulated and how its classifier is trained.

    The defaults of ``shares`` and ``phantom`` were fixed before any strategy was run. Ours: most scans that come to
    be read show no infection, and one infection is more frequent than the other; the test cases are a third of each,
    as the paper's are. Whoever wants a pool of equal parts gives equal shares. ``steps`` was chosen on other phantoms
    with random choice alone: with a third of it, 42 cases are under-trained.

    Attributes:
        phantom: how all cases are scanned.
        training: of the classifier. ``epochs`` and ``seed`` follow from the simulation.
    """

    labels: ClassVar[tuple[str, ...]] = DEFAULT_CLASSES.case_labels

    shares: dict[str, float] = Field(
        default_factory=lambda: dict(zip(DEFAULT_CLASSES.case_labels, (0.25, 0.15, 0.6), strict=True))
    )
    phantom: PhantomSpec = PhantomSpec(matrix=192)
    training: ClassifierTrainingSettings = Field(
        default_factory=lambda: ClassifierTrainingSettings.model_validate(NARROW)
    )

    @property
    def patients(self) -> SplitSettings:
        """Those of the training."""
        return self.training.split


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
    settings: CtSimulationSettings,
    progress: Callable[[str, float], None] | None = None,
) -> PreparedCase:
    """Find the candidate regions of a phantom, cut its patches and label them.

    Args:
        phantom: scan and truth.
        seed: of the loosened and random regions that a training adds.
        candidates: the network whose regions are used.
        settings: how patches are cut, and which ones a training uses.
        progress: may raise ``Cancelled``.
    """
    training = settings.training
    cut, classes = training.network.patches, training.network.classes.classes
    volume, lungs = phantom.volume, segment_lungs(phantom.volume)
    boxes = find_candidates(volume, lungs, candidates, progress).boxes
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


class CtSubject(Subject):
    """The classifier, on the patches of the candidate network in use.

    Raises:
        ModelError: if there is no candidate network.
    """

    settings_type = CtSimulationSettings
    settings: CtSimulationSettings
    figures: ClassVar[Mapping[str, str]] = {
        "case_accuracy": "case accuracy",
        "region_f1": "region mean f1",
        "patch_f1": "patch mean f1",
        "log_loss": "patch log-loss",
    }
    lower_is_better = frozenset({"log_loss"})
    title = KINDS["CT"].title
    real = (
        "lungs, candidate regions, patches, training, dropout draws, scores, strategies, vote and Noisy-OR are the "
        "product's own code. The classifier is narrower than the product's."
    )
    simulated = (
        "the scans are phantoms; the reader knows their truth, labels every patch of every region without error and "
        "marks every lesion that was missed."
    )

    def __init__(self, settings: CtSimulationSettings, store: ModelStore, device: str = "cpu") -> None:
        super().__init__(settings, store, device)
        self.network_sha256 = store.load(CANDIDATES).sha256

    @cached_property
    def _network(self) -> CandidateModel:
        return CandidateModel.load(self.store.load(CANDIDATES), self.device)

    @property
    def images(self) -> str:
        """Of the phantoms."""
        matrix = self.settings.phantom.matrix
        return f"{matrix} \N{MULTIPLICATION SIGN} {matrix} pixels, slice thickness and severity drawn from the seed"

    def key(self) -> list[Any]:
        """Phantom, patches and the weights that find the regions."""
        training = self.settings.training
        parts = (self.settings.phantom, training.network.patches, training.network.classes, training.data)
        return [_CACHE_VERSION, self.network_sha256, *(part.model_dump(mode="json") for part in parts)]

    def prepare(self, recipe: Recipe, arrays: Path, check: Check) -> dict[str, Any]:
        """Keep the patches and the true labels of the regions."""
        phantom = generate_phantom(recipe.seed, recipe.diagnosis, self.settings.phantom)
        case = prepare_case(phantom, recipe.seed, self._network, self.settings, check)
        case.labelled.save(arrays)
        return {"diagnosis": case.diagnosis, "regions": case.regions}

    def load(self, recipe: Recipe, arrays: Path, document: Mapping[str, Any]) -> PreparedCase:
        """The patches."""
        regions = tuple(document["regions"])
        return PreparedCase(recipe.case_id, document["diagnosis"], PatchSet.load(arrays), regions)

    def train(
        self, labelled: Sequence[PreparedCase], validation: Sequence[PreparedCase], seed: int, check: Check
    ) -> ClassifierModel:
        """A classifier."""
        an_epoch = max(sum(len(case.labelled) for case in labelled) // self.settings.training.batch, 1)
        epochs = max(round(self.settings.steps / an_epoch), 1)
        run = self.settings.training.model_copy(update={"epochs": epochs, "checkpoint_epochs": epochs, "seed": seed})
        return train_classifier(
            PatchSet.join([case.labelled for case in (*labelled, *validation)]),
            run,
            None,
            self.device,
            check,
            lambda line: None,
        ).model

    def measure(self, cases: Sequence[PreparedCase], model: ClassifierModel) -> dict[str, float]:
        """By the rules of the product: vote of the patches, Noisy-OR of the regions.

        Case accuracy is the share of right verdicts, the others are those of regions after the vote and of patches; the
        log-loss is the mean negative log-probability of the true label of a patch.
        """
        classes = model.classes
        patches = regions = ConfusionMatrix.from_labels(classes.patch_labels, [], [])
        verdicts = ConfusionMatrix.from_labels(classes.case_labels, [], [])
        losses = []
        for case in cases:
            screened = case.screened
            probabilities = judge(patch_images(screened), model).probabilities
            sizes = np.bincount(screened.regions, minlength=len(case.regions)).tolist()
            outcome = HeadOutcome.of(probabilities, sizes, 1.0, classes)
            true_labels = [classes.patch_labels[label] for label in screened.labels]
            patches += ConfusionMatrix.from_labels(classes.patch_labels, true_labels, outcome.patches)
            regions += ConfusionMatrix.from_labels(classes.patch_labels, case.regions, outcome.regions)
            verdicts += ConfusionMatrix.from_labels(classes.case_labels, [case.diagnosis], [outcome.verdict])
            true = probabilities[np.arange(len(screened)), screened.labels]
            losses.append(-np.log(np.maximum(true, _LEAST_PROBABILITY)))
        return {
            "case_accuracy": verdicts.accuracy,
            "region_f1": regions.mean_f1,
            "patch_f1": patches.mean_f1,
            "log_loss": float(np.concatenate(losses).mean()),
        }

    def score(self, cases: Sequence[PreparedCase], model: ClassifierModel, seed: int) -> list[CaseScore]:
        """By dropout."""
        scores = []
        for case in cases:
            screened = case.screened
            judgement = judge(patch_images(screened), model, samples=DRAWS, seed=seed)
            scores.append(score_case(case.case_id, judgement, screened.regions, model.classes))
        return scores
