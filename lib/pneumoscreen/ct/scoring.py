"""From what the classifier says of the patches of a case to the case's score; needs no scan."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..active_learning.diversity import case_embedding
from ..active_learning.epistemic import epistemic
from ..active_learning.scores import CaseScore
from ..active_learning.uncertainty import combine, disagreement, entropy, margin
from ..verdict import Classes, vote
from .classifier import Judgement
from .screening import Screening


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
