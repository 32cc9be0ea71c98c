"""Which patients train, which validate and which test: by a hash of the patient's name, once and for all.

Ours. The place of a patient on the line from 0 to 1 depends on the name alone, never on the other cases, so that
labels may arrive in any order and no case ever changes sides. Validation takes the lower end, test the upper end. The
shares are a property of the studies folder, see ``folder_split``.
"""

import hashlib
from enum import StrEnum

from pydantic import Field, model_validator

from ..config import Settings

SALT = "0"
"""Fixed: another salt is another split. With this one the starter weights' patients stay where they were."""


class Side(StrEnum):
    """What a patient's cases are for."""

    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"


class SplitSettings(Settings):
    """Shares of the patients.

    Attributes:
        validation: for stopping, comparing and calibrating.
        test: never seen by any training, nor by the comparison before a publication.
    """

    validation: float = Field(0.15, ge=0.0, lt=1.0)
    test: float = Field(0.15, ge=0.0, lt=1.0)

    @property
    def in_words(self) -> str:
        """The shares for a reader."""
        return f"{self.validation:.4g} of the patients validate, {self.test:.4g} test"

    @model_validator(mode="after")
    def _something_is_left(self) -> "SplitSettings":
        if self.validation + self.test >= 1.0:
            raise ValueError("validation and test together must be less than 1")
        return self


DEFAULT_SPLIT = SplitSettings()


def place_of(patient: str) -> float:
    """The place of a patient on the line from 0 to 1, the same for ever."""
    digest = hashlib.sha256(f"{SALT}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def side_of(patient: str, shares: SplitSettings = DEFAULT_SPLIT) -> Side:
    """What the cases of a patient are for."""
    place = place_of(patient)
    if place < shares.validation:
        return Side.VALIDATION
    return Side.TEST if place >= 1.0 - shares.test else Side.TRAINING
