"""From a studies folder to the prepared training and validation cases of the candidate network."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ConfigError, PneumoScreenError
from ..studies.cases import Study
from ..verdict import DEFAULT_CLASSES, Classes
from .candidate_data import CaseCache
from .candidates import CandidateTrainingSettings
from .classifier_data import in_validation


def prepare_studies(
    studies: Sequence[Study],
    settings: CandidateTrainingSettings,
    cache: Path,
    say: Callable[[str], None] = print,
    classes: Classes = DEFAULT_CLASSES,
) -> tuple[list[Path], list[Path]]:
    """Prepare every study once and divide them by patient.

    A case that cannot be read is named and passed over: one broken scan does not stop a training.

    Returns:
        Files of the training cases and of the validation cases.

    Raises:
        ConfigError: if no case is left to train on.
    """
    folder = CaseCache(cache, settings.model.grid)
    training: list[Path] = []
    validation: list[Path] = []
    for done, study in enumerate(studies, start=1):
        path = folder.path(study.case_id)
        if not path.exists():
            try:
                folder.add(study.load(classes), classes)
            except PneumoScreenError as error:
                say(f"{study.case_id} is left out: {error}")
                continue
            say(f"prepared {done}/{len(studies)} {study.case_id}")
        held_out = in_validation(study.patient, settings.validation_share, settings.seed)
        (validation if held_out else training).append(path)
    if not training:
        raise ConfigError("there is no training case left: add labelled cases or lower validation_share")
    return training, validation
