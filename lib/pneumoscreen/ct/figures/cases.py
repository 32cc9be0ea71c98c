"""The CTs of known truth that an evaluation takes: labelled studies, or phantoms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ...studies.cases import Study, read_document
from ...verdict import DEFAULT_CLASSES, Classes
from ..learning.truth import complete_truth, diagnosis_of_document
from ..phantoms.phantom import PhantomSpec, generate_phantom
from ..study_cases import load_study
from ..truth import TrueCase


@dataclass(frozen=True)
class LabelledCase:
    """A case of known truth that has not been read yet; can be pickled.

    Attributes:
        case_id: its name, safe for files.
        patient: whose scan it is.
        origin: changes when scan or labels change.
        load: reads scan and truth; raises ``PneumoScreenError`` where one of them cannot be used.
        diagnose: the true case label without the scan, for a case whose lungs are not found; raises
            ``PneumoScreenError`` where the labels cannot be used.
    """

    case_id: str
    patient: str
    origin: str
    load: Callable[[], TrueCase]
    diagnose: Callable[[], str]


def labelled_cases(studies: Sequence[Study], classes: Classes = DEFAULT_CLASSES) -> list[LabelledCase]:
    """Studies as cases of known truth; boxes without masks are painted."""
    return [_labelled(study, classes) for study in studies]


def phantom_cases(
    count: int, seed: int, classes: Classes = DEFAULT_CLASSES, spec: PhantomSpec | None = None
) -> list[LabelledCase]:
    """Unseen phantoms, the diagnoses in turn: 90 are 30 of each, as in the paper; each is a patient of its own."""
    return [_phantom(seed + i, classes.case_labels[i % len(classes.case_labels)], spec) for i in range(count)]


def _labelled(study: Study, classes: Classes) -> LabelledCase:
    read, diagnose = partial(_truth_of, study, classes), partial(_diagnosis_of, study, classes)
    return LabelledCase(study.case_id, study.patient, study.origin(), read, diagnose)


def _truth_of(study: Study, classes: Classes) -> TrueCase:
    return complete_truth(load_study(study, classes), classes)


def _diagnosis_of(study: Study, classes: Classes) -> str:
    return diagnosis_of_document(read_document(study.document, classes), classes)


def _phantom(seed: int, diagnosis: str, spec: PhantomSpec | None) -> LabelledCase:
    name = f"phantom-{seed:06d}"
    made_from = (spec or PhantomSpec()).model_dump_json()
    make = partial(generate_phantom, seed, diagnosis, spec)
    return LabelledCase(name, name, f"{seed} {diagnosis} {made_from}", make, partial(str, diagnosis))
