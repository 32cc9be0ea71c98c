"""From what the classifier says of the patches of a case to the case's score; needs no scan."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..ct.classifier import Judgement
from ..ct.screening import Screening
from ..cxr.screening import CxrScreening
from ..verdict import Classes, vote
from .diversity import case_embedding
from .epistemic import epistemic, mutual_information
from .scores import CaseScore
from .uncertainty import combine, disagreement, entropies, entropy, margin


def score_case(
    case_id: str, judgement: Judgement, region_of: Sequence[int] | NDArray[np.integer], classes: Classes
) -> CaseScore:
    """The score of a case.

    Args:
        case_id: the case.
        judgement: of its n patches, with draws of dropout (``judge(..., samples=epistemic.DRAWS)``); without
            them ``epistemic`` is 0.
        region_of: [n], a number for each patch that patches of the same region share.
        classes: the classifier's class list.

    Raises:
        ValueError: if there is not one region number for every patch.
    """
    regions = np.asarray(region_of, dtype=np.int64)
    probabilities = judgement.probabilities
    if regions.shape != (len(probabilities),):
        raise ValueError(f"{len(probabilities)} patches need as many region numbers, not {regions.shape}")
    labels = np.array(classes.patch_labels)[probabilities.argmax(axis=1)] if len(regions) else np.array([], dtype=str)
    confidences = probabilities.max(axis=1, initial=0.0)
    votes = [
        [(str(label), float(sure)) for label, sure in zip(labels[inside], confidences[inside], strict=True)]
        for inside in (regions == number for number in np.unique(regions))
    ]
    parts = {
        "entropy": entropy(probabilities),
        "disagreement": disagreement([label for label, _ in region] for region in votes),
        "margin": margin([vote(region) for region in votes], classes),
    }
    infected = 1.0 - probabilities[:, classes.patch_labels.index(classes.irrelevant)]
    return CaseScore(
        case_id, combine(parts), epistemic(judgement.samples), case_embedding(judgement.features, infected), parts
    )


def score_screening(case_id: str, screening: Screening, classes: Classes) -> CaseScore:
    """The score of a case that has just been screened with ``draws=epistemic.DRAWS``.

    Raises:
        ValueError: if the screening classified nothing.
    """
    if screening.judgement is None:
        raise ValueError("nothing was classified, so there is nothing to score")
    sizes = [len(region.patches) for region in screening.case.regions]
    return score_case(case_id, screening.judgement, np.repeat(np.arange(len(sizes)), sizes), classes)


def score_radiograph(case_id: str, screening: CxrScreening) -> CaseScore:
    """The score of an X-ray that has just been screened with ``draws=epistemic.DRAWS``.

    Ours: an X-ray is one picture, so that its entropy is that of its class; there are no regions to disagree.

    Raises:
        ValueError: if the screening was not judged.
    """
    judgement = screening.judgement
    if judgement is None:
        raise ValueError("nothing was classified, so there is nothing to score")
    unsure = float(entropies(judgement.probabilities[None])[0])
    parts = {"entropy": unsure, "margin": _closeness(judgement.probabilities)}
    doubt = float(mutual_information(judgement.samples[:, None])[0])
    embedding = case_embedding(judgement.features[None], np.ones(1))
    return CaseScore(case_id, unsure, doubt, embedding, parts)


def _closeness(probabilities: NDArray[np.float64]) -> float:
    """How close the two likeliest classes are: the ratio of their probabilities."""
    second, first = np.sort(probabilities)[-2:]
    return float(second / first) if first > 0.0 else 1.0
