"""The cases of known truth that an evaluation takes: those of one side of a studies folder, or phantoms."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...case import ModelInfo
from ...errors import PneumoScreenError
from ...images.inputs import Modality
from ...models.store import ModelStore
from ...studies.cases import Study, find_studies, read_document
from ...studies.folder_split import folder_split, keep_split
from ...studies.split import Side, SplitSettings, side_of
from ...verdict import DEFAULT_CLASSES, Classes
from ..learning.truth import complete_truth, diagnosis_of_document
from ..phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from ..study_cases import load_study
from ..truth import TrueCase


@dataclass(frozen=True)
class LabelledCase:
    """A case of known truth that has not been read yet.

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


def studies_of_side(
    folder: Path,
    side: Side | None = Side.TEST,
    say: Callable[[str], None] | None = None,
    modality: Modality = "CT",
) -> list[Study]:
    """The labelled studies of a folder whose patients are on one side of its split.

    The split is the folder's, whatever a training was configured with; a folder without one keeps the usual one now.

    Args:
        folder: of the studies.
        side: which patients; None takes all.
        say: takes a line for each scan that cannot be a case, and a note where the split cannot be kept.
        modality: of the cases.

    Raises:
        PneumoScreenError: if the folder holds no labelled case, or none on that side, or its split is damaged.
    """
    studies = find_studies(folder, say, modality)
    if side is None:
        return studies
    shares = folder_split(folder)
    chosen = [study for study in studies if side_of(study.patient, shares) is side]
    if not chosen:
        kind = "cases" if modality == "CT" else "X-rays"
        sides = Counter(side_of(patient, shares) for patient in {study.patient for study in studies})
        counts = ", ".join(f"{other.value} {sides[other]}" for other in Side)
        raise PneumoScreenError(
            f"{folder}: none of its {len(studies)} labelled {kind} is on the {side} side of the split (patients: "
            f"{counts}); label more {kind} or choose with --side {'|'.join(Side)}|all"
        )
    keep_split(folder, shares, say)
    return chosen


def trained_otherwise(folder: Path, store: ModelStore, models: Mapping[str, ModelInfo]) -> list[str]:
    """A sentence for each network whose card says that it was trained on this folder under another split.

    A folder has kept its split since trainings write it; models of before may have learnt from its test patients.
    """
    found = []
    for name, model in sorted(models.items()):
        card = store.card(name, model.version)
        split = card.get("split") or (card.get("training_settings") or {}).get("split")
        is_of_folder = f"studies folder {folder.resolve().name}," in str(card.get("data"))
        if is_of_folder and split and SplitSettings.model_validate(split) != folder_split(folder):
            was = SplitSettings.model_validate(split).in_words
            found.append(
                f"{name} version {model.version} was trained on this folder under another split ({was}): it may have "
                "learnt from patients who test here, and the figures may be too good; train it anew"
            )
    return found


def labelled_cases(studies: Sequence[Study], classes: Classes = DEFAULT_CLASSES) -> list[LabelledCase]:
    """Studies as cases of known truth; boxes without masks are painted."""
    return [_labelled(study, classes) for study in studies]


def phantom_cases(
    count: int, seed: int, classes: Classes = DEFAULT_CLASSES, spec: PhantomSpec | None = None
) -> list[LabelledCase]:
    """Unseen phantoms, the diagnoses in turn: 90 are 30 of each, as in the paper; each is a patient of its own."""
    return [_phantom(seed + i, classes.case_labels[i % len(classes.case_labels)], spec) for i in range(count)]


def _labelled(study: Study, classes: Classes) -> LabelledCase:
    def load() -> TrueCase:
        return complete_truth(load_study(study, classes), classes)

    def diagnose() -> str:
        return diagnosis_of_document(read_document(study.document, classes), classes)

    return LabelledCase(study.case_id, study.patient, study.origin(), load, diagnose)


def _phantom(seed: int, diagnosis: str, spec: PhantomSpec | None) -> LabelledCase:
    def load() -> Phantom:
        return generate_phantom(seed, diagnosis, spec)

    name = f"phantom-{seed:06d}"
    made_from = (spec or PhantomSpec()).model_dump_json()
    return LabelledCase(name, name, f"{seed} {diagnosis} {made_from}", load, lambda: diagnosis)
