"""Fine-tuning of the networks of the CT method: which settings their weights depend on."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ...errors import ConfigError
from ...models.weights import Weights
from ...training.warm_start import follow, name_of, require_same, settings_of
from ..candidates.finding import CandidateSettings
from ..classifier import ClassifierSettings

_FREE_OF_THE_CLASSIFIER = {"dropout", "temperatures", "infection"}
"""Settings of a network that its weights do not depend on."""


_FREE_OF_THE_CANDIDATES = {"selection", "inference"}


def follow_classifier(wanted: ClassifierSettings, current: Mapping[str, Any] | None) -> ClassifierSettings:
    """As ``follow``; what was fitted on the confidences of the old weights is fitted anew after the training."""
    return follow(wanted, current).model_copy(update={"temperatures": {}, "infection": None})


def classifier_state(wanted: ClassifierSettings, weights: Weights) -> dict[str, Tensor]:
    """The weights of a classifier for a network to train; one with fewer heads takes only those.

    Raises:
        ConfigError: if they do not fit; the message says why.
    """
    current = settings_of(weights, ClassifierSettings)
    free = _FREE_OF_THE_CLASSIFIER | {"heads"}
    require_same(weights, wanted.model_dump(exclude=free), current.model_dump(exclude=free))
    if not set(wanted.heads) <= set(current.heads):
        raise ConfigError(f"{name_of(weights)} holds {' and '.join(current.heads)}, not {' and '.join(wanted.heads)}")
    kept = tuple(f"heads.{head}." for head in wanted.heads)
    return {key: value for key, value in weights.state.items() if not key.startswith("heads.") or key.startswith(kept)}


def candidates_state(wanted: CandidateSettings, weights: Weights) -> dict[str, Tensor]:
    """The weights of a candidate network for a network to train.

    Raises:
        ConfigError: if they do not fit; the message says why.
    """
    current = settings_of(weights, CandidateSettings)
    free = _FREE_OF_THE_CANDIDATES
    require_same(weights, wanted.model_dump(exclude=free), current.model_dump(exclude=free))
    return dict(weights.state)
