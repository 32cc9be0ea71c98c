"""Which pictures test, which validate and which train.

Ours: groups of pictures are dealt to the folds, the largest first, each to the fold that holds the fewest pictures
of its stratum so far. A group is never divided: dealt by patient, no patient is in two folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError

Grouping = Literal["image", "patient"]

VALIDATION_SHARES = 10
"""A tenth of the patients of each training part stops its training and sets its learning rate."""


@dataclass(frozen=True)
class Fold:
    """Rows of one fold, int64, each in order.

    Attributes:
        training: what is learnt from.
        validation: other patients than those of ``training``: for the learning rate, early stopping and temperature.
        test: never looked at by the training.
    """

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def deal(groups: Sequence[str], strata: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold [n] of each picture.

    Args:
        groups: of each picture; those of one group stay together.
        strata: of each picture; each fold gets its share of all of them.
        folds: their number.
        seed: the same seed deals alike.

    Raises:
        ConfigError: if there are fewer groups than folds.
    """
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < folds:
        raise ConfigError(
            f"--folds {folds}: there are {len(names)} to divide among them; give fewer folds or more X-rays"
        )
    kinds, kind = np.unique(np.asarray(strata), return_inverse=True)
    counts = np.zeros((len(names), len(kinds)), dtype=np.int64)
    np.add.at(counts, (owner, kind), 1)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]
    held = np.zeros((folds, len(kinds)), dtype=np.int64)
    given = np.zeros(len(names), dtype=np.int64)
    for group in order:
        own = int(counts[group].argmax())
        given[group] = np.lexsort((held.sum(axis=1), held[:, own]))[0]
        held[given[group]] += counts[group]
    return given[owner]


def make_folds(
    images: Sequence[str], patients: Sequence[str], strata: Sequence[str], *, by: Grouping, folds: int, seed: int
) -> list[Fold]:
    """The folds of pictures.

    By image, the pictures of one patient may lie in training and test alike, as in much published work; validation is
    by patient always.

    Raises:
        ConfigError: if there are too few pictures or patients.
    """
    number = deal(patients if by == "patient" else images, strata, folds, seed)
    return [_fold(number == fold, patients, strata, seed + 1 + fold) for fold in range(folds)]


def _fold(is_test: NDArray[np.bool_], patients: Sequence[str], strata: Sequence[str], seed: int) -> Fold:
    test, rest = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    if not test.size:
        raise ConfigError("a fold has nothing to test on; give fewer folds or more X-rays")
    owners = [patients[row] for row in rest]
    shares = min(VALIDATION_SHARES, len(set(owners)))
    if shares < 2:
        raise ConfigError("the training part of a fold holds one patient and none to validate on; give more X-rays")
    part = deal(owners, [strata[row] for row in rest], shares, seed)
    return Fold(rest[part != 0], rest[part == 0], test)
