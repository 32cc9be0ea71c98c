"""How unlike the cases already read a case is: a core set on the classifier's features (Sener and Savarese 2018).

Ours: what stands for a case, and the distance: between unit vectors, so that it asks what a case shows and not how
strongly the network answers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BACKGROUND = 0.05
"""Ours: weight of a patch that is surely irrelevant; a case without infection is embedded by its look-alikes."""

_BLOCK = 512
"""Cases compared at once: bounds the memory."""


def case_embedding(features: NDArray[np.float32], infected: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean of the features of a case's patches, each weighted by its probability of infection; unit length.

    Args:
        features: [n, d] of the patches; n may be 0, which gives zeros.
        infected: [n], the probability that a patch shows any infection.
    """
    weights = infected + BACKGROUND
    summed = weights @ features.astype(np.float64)
    length = float(np.linalg.norm(summed))
    return (summed / length if length > 0.0 else summed).astype(np.float32)


def distances(embeddings: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distance of each embedding [n, d] to the nearest of the others [m, d]; infinite where there is none."""
    nearest = np.full(len(embeddings), np.inf)
    ours = embeddings.astype(np.float64)  # in single precision a twin would seem to be some distance away
    for start in range(0, len(others), _BLOCK):
        theirs = others[start : start + _BLOCK].astype(np.float64)
        squared = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1)[None] - 2.0 * ours @ theirs.T
        nearest = np.minimum(nearest, squared.min(axis=1))
    return np.sqrt(np.maximum(nearest, 0.0))


def stack(embeddings: Sequence[NDArray[np.float32]], like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embeddings as one array [n, d] beside ``like`` [m, d].

    Raises:
        ValueError: if their lengths differ: they are of different classifiers and must not be compared.
    """
    if any(len(vector) != like.shape[1] for vector in embeddings):
        raise ValueError("embeddings of different lengths come from different classifiers; score the cases again")
    return np.array(embeddings, dtype=np.float32).reshape(-1, like.shape[1])


def farthest_first(embeddings: NDArray[np.float32], read: NDArray[np.float32], count: int) -> list[int]:
    """Greedy k-centre: again and again the case that is farthest from all that are read or chosen.

    Ours: where nothing is read yet, the first is the case nearest the mean, the most typical one. Equal distances
    go to the case named first.

    Args:
        embeddings: [n, d] of the cases to choose from.
        read: [m, d] of those already read; m may be 0.
        count: how many to choose, at most n.
    """
    nearest = distances(embeddings, read)
    chosen: list[int] = []
    while len(chosen) < count:
        if not len(read) and not chosen:
            pick = int(np.argmin(np.linalg.norm(embeddings - embeddings.mean(axis=0), axis=1)))
        else:
            pick = int(np.argmax(np.where(np.isin(np.arange(len(nearest)), chosen), -1.0, nearest)))
        chosen.append(pick)
        nearest = np.minimum(nearest, distances(embeddings, embeddings[pick : pick + 1]))
    return chosen
