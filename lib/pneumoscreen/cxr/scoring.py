"""From what the classifier says of an X-ray to its score for active learning; needs no picture."""

import numpy as np
from numpy.typing import NDArray

from ..active_learning.diversity import case_embedding
from ..active_learning.epistemic import mutual_information
from ..active_learning.scores import CaseScore
from ..active_learning.uncertainty import entropies
from .gradcam import Judgement
from .screening import CxrScreening


def score_radiograph(case_id: str, screening: CxrScreening) -> CaseScore:
    """The score of an X-ray that has just been screened with ``draws=epistemic.DRAWS``.

    Raises:
        ValueError: if the screening was not judged.
    """
    if screening.judgement is None:
        raise ValueError("nothing was classified, so there is nothing to score")
    return score_judgement(case_id, screening.judgement)


def score_judgement(case_id: str, judgement: Judgement) -> CaseScore:
    """The score of an X-ray that was judged with ``draws=epistemic.DRAWS``.

    Ours: an X-ray is one picture, so that its entropy is that of its class; there are no regions to disagree.
    """
    unsure = float(entropies(judgement.probabilities[None])[0])
    parts = {"entropy": unsure, "margin": _closeness(judgement.probabilities)}
    doubt = float(mutual_information(judgement.samples[:, None])[0])
    embedding = case_embedding(judgement.features[None], np.ones(1))
    return CaseScore(case_id, unsure, doubt, embedding, parts)


def _closeness(probabilities: NDArray[np.float64]) -> float:
    """How close the two likeliest classes are: the ratio of their probabilities."""
    second, first = np.sort(probabilities)[-2:]
    return float(second / first) if first > 0.0 else 1.0
