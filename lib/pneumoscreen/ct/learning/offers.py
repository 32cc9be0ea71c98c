"""How a trained network of the CT method is offered for publication."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...models.store import ModelStore
from ...training.gate import DEFAULT_GATE, GateSettings
from ...training.progress import ProgressCallback
from ...training.publishing import Contest, Publication
from ..candidates.finding import CandidateModel
from ..classifier import ClassifierModel
from ..networks import CANDIDATES, CLASSIFIER
from .classifier_data import PatchSet
from .comparison import compare_candidates, compare_classifiers


def offer_classifier(
    store: ModelStore,
    model: ClassifierModel,
    card: Mapping[str, Any],
    validation: PatchSet,
    progress: ProgressCallback | None = None,
    gate: GateSettings = DEFAULT_GATE,
) -> Publication:
    """Keep a trained classifier as a candidate, compare it with the one in use and publish it if it is not worse.

    Args:
        store: where both lie.
        model: the trained network.
        card: at least ``models.store.CARD_FIELDS``.
        validation: patches of the validation patients, labelled in the order of the trained network's classes.
        progress: called with (task, fraction of the judging); may raise ``Cancelled``, the candidate stays kept.
        gate: what it must show.

    Raises:
        PneumoScreenError: if the store cannot be written.
    """

    def obstacle(candidate: ClassifierModel, current: ClassifierModel) -> str | None:
        if candidate.classes.patch_labels != current.classes.patch_labels:
            lists = (", ".join(model.classes.patch_labels) for model in (candidate, current))
            return "its classes are {}, those of the one in use {}".format(*lists)
        if candidate.settings.patches != current.settings.patches:
            return "its patches are cut otherwise than those of the one in use"
        return None

    contest = Contest(
        CLASSIFIER,
        lambda weights: ClassifierModel.load(weights, model.device),
        obstacle,
        lambda candidate, current: compare_classifiers(candidate, current, validation, progress),
    )
    patients = set(validation.patients.tolist())
    return contest.hold(store, store.stage(CLASSIFIER, model.state(), card), len(patients), gate)


def offer_candidates(
    store: ModelStore,
    model: CandidateModel,
    card: Mapping[str, Any],
    validation: Sequence[tuple[str, Path]],
    progress: ProgressCallback | None = None,
    gate: GateSettings = DEFAULT_GATE,
) -> Publication:
    """Keep a trained candidate network, compare it with the one in use and publish it if it is not worse.

    Args:
        store: where both lie.
        model: the trained network.
        card: at least ``models.store.CARD_FIELDS``.
        validation: patient and prepared file of each validation case, on the trained network's working grid.
        progress: called with (task, fraction of the judging); may raise ``Cancelled``, the candidate stays kept.
        gate: what it must show.

    Raises:
        PneumoScreenError: if the store cannot be written or a prepared case is damaged.
    """

    def obstacle(candidate: CandidateModel, current: CandidateModel) -> str | None:
        same = candidate.settings.grid == current.settings.grid
        return None if same else "its working grid is not that of the one in use"

    contest = Contest(
        CANDIDATES,
        lambda weights: CandidateModel.load(weights, str(model.device)),
        obstacle,
        lambda candidate, current: compare_candidates(candidate, current, validation, progress),
    )
    return contest.hold(
        store, store.stage(CANDIDATES, model.state(), card), len({patient for patient, _ in validation}), gate
    )
