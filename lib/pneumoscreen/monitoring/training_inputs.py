"""Whether the newest images are others than those that the networks in use have learnt from, as their cards tell them.

Ours: the same tests and the same rule for an alarm as for drift, over the figures of all networks together. Such an
alarm is no drift and moves no recommendation: patients of a hospital differ from phantoms and public images on the
first day already. It says that figures measured elsewhere need not hold here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..case import ModelInfo
from ..case_kinds import KINDS
from ..errors import ModelError
from ..metrics.inputs import CARD_INPUTS, features_of, figures_of_card
from ..models.store import ModelStore
from ..report import wording
from .drift import Drift, compared, one_a_patient, values_of
from .records import Records
from .shares import p_text

CardOf = Callable[[str, ModelInfo], Mapping[str, Any] | None]
"""The card of a network that a document names; None where it is not there."""

MEANING = (
    "A difference is expected: patients and scanners of a hospital differ from phantoms, from public images and from "
    "another hospital. It is no fault of an image and no reason to retrain by itself. It means that what was measured "
    "on images like those of the training need not hold here: evaluate the models on cases of this site before relying "
    "on them (pneumoscreen evaluate --cases)."
)


@dataclass(frozen=True)
class TrainingInputs:
    """The newest images beside those that one network has learnt from.

    Attributes:
        network: its name.
        version: in use.
        of: what it has learnt from, as its card says; empty where the card does not tell its figures.
        drifts: the figures that the card keeps; ``first`` are those of the training.
    """

    network: str
    version: int
    of: str
    drifts: tuple[Drift, ...]

    @property
    def name(self) -> str:
        """The network with its version, for a reader."""
        return f"{wording.MODEL_NAMES.get(self.network, self.network)} {self.version}"

    def sentences(self, modality: str) -> list[str]:
        """In words, each figure in which the images differ; or that no card tells."""
        if not self.drifts:
            return [f"No card here tells what the training images of {self.name} were like."]
        return [self._sentence(drift, modality) for drift in self.drifts if drift.is_alarm]

    def _sentence(self, drift: Drift, modality: str) -> str:
        first, newest = (drift.feature.text(float(np.median(values))) for values in (drift.first, drift.newest))
        return (
            f"{drift.feature.name}: the median is {newest} in the newest {len(drift.newest)} {KINDS[modality].image}s "
            f"and was {first} in the training of {self.name} (distance of the distributions {drift.distance:.2f}, "
            f"{p_text(1.0 if drift.p is None else drift.p)} after correction)."
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**vars(self), "drifts": [drift.to_dict() for drift in self.drifts]}


def cards_of(store: ModelStore) -> CardOf:
    """The cards of a store; of a version with other weights than the document names there is none."""

    def card_of(name: str, model: ModelInfo) -> Mapping[str, Any] | None:
        try:
            card = store.card(name, model.version)
        except ModelError:
            return None
        return card if card["sha256"] == model.sha256 else None

    return card_of


def beside_training(records: Records, newest: int, card_of: CardOf) -> list[TrainingInputs]:
    """Each network in use, in the order of their names.

    Args:
        records: of the modality.
        newest: patients that count as the newest, at most.
        card_of: the cards.
    """
    in_use = [scan for scan in records.scans if scan.models == records.models]
    if not in_use:
        return []
    scans = one_a_patient(in_use[::-1], newest)[::-1]
    features = features_of(KINDS[records.modality].dimensions)
    found = []
    for name, model in sorted(in_use[-1].document.models.items()):
        card = card_of(name, model) or {}
        kept = figures_of_card(card)
        drifts = [Drift(f, kept[f.key], values_of(scans, f.value)) for f in features if f.key in kept]
        found.append(
            TrainingInputs(name, model.version, str(card[CARD_INPUTS].get("of", "")) if kept else "", tuple(drifts))
        )
    return _tested(found)


def _tested(found: Sequence[TrainingInputs]) -> list[TrainingInputs]:
    """All figures tested together."""
    tested = iter(compared([drift for each in found for drift in each.drifts]))
    return [
        TrainingInputs(each.network, each.version, each.of, tuple(next(tested) for _ in each.drifts)) for each in found
    ]
