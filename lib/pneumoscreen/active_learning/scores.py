"""What is known of a case before anybody reads it: one score a case, comparable within one pair of models."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CaseScore:
    """How much a case may teach.

    Attributes:
        case_id: the case.
        uncertainty: 0 to 1, how unsure the verdict is (``uncertainty``).
        epistemic: 0 to 1, how unsure the weights themselves are (``epistemic``).
        embedding: float32 [d], unit length, what the case looks like to the classifier; zeros for a case
            without patches. All embeddings that are compared come from the same classifier.
        parts: the terms of ``uncertainty`` by name, each 0 to 1, for whoever asks why.
    """

    case_id: str
    uncertainty: float
    epistemic: float
    embedding: NDArray[np.float32]
    parts: Mapping[str, float] = field(default_factory=dict)
