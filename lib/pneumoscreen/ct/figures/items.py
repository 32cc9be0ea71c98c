"""All patches or all cases of a cohort as arrays: what curves and calibration are drawn from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PatchItems:
    """All patches of a cohort under one classifier, one row a patch.

    Attributes:
        probabilities: float64 [n, classes], in the order of ``Classes.patch_labels``.
        labels: int64 [n], true column.
        patients: int64 [n], index into ``CohortResult.patients``.
    """

    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]


@dataclass(frozen=True)
class InfectionItems:
    """All screened cases under the classifier in use, one row a case.

    Attributes:
        probability: float64 [n], of an infection of any type.
        infected: bool [n], whether there is one.
        patients: int64 [n], index into ``CohortResult.patients``.
    """

    probability: NDArray[np.float64]
    infected: NDArray[np.bool_]
    patients: NDArray[np.int64]


@dataclass(frozen=True)
class CaseItems:
    """All screened cases under one classifier, one row a case.

    Attributes:
        noisy_or: float64 [n, infections], P of each infection type.
        labels: int64 [n], index of the diagnosis in ``Classes.case_labels``.
        patients: int64 [n], index into ``CohortResult.patients``.
    """

    noisy_or: NDArray[np.float64]
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]

    @property
    def any_infection(self) -> NDArray[np.float64]:
        """P [n] that at least one region is an infection of any type: Noisy-OR over the types."""
        return np.asarray(1.0 - np.prod(1.0 - self.noisy_or, axis=1))
