"""From a labelled study to a prepared case of the candidate network, kept for all trainings to come."""

from pathlib import Path

from ...studies.cases import Study
from ...verdict import DEFAULT_CLASSES, Classes
from ..study_cases import load_study
from .candidate_data import CaseCache
from .truth import diagnosis_of


def prepare_study(study: Study, origin: str, cache: CaseCache, classes: Classes = DEFAULT_CLASSES) -> Path:
    """Prepare a study once; returns its file.

    Args:
        study: the case.
        origin: of its labels and scan; what was prepared from older ones is removed.
        cache: where prepared cases lie.
        classes: the site's class list.

    Raises:
        PneumoScreenError: if the case cannot be used: scan or label cannot be read, or the label contradicts itself.
    """
    case = load_study(study, classes)
    diagnosis_of(case, classes)
    path = cache.add(case, classes, origin)
    cache.drop_others(study.case_id, origin)
    return path
