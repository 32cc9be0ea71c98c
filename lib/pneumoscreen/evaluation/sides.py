"""The labelled studies of one side of a folder's split, and which networks were trained under another one."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from ..case import ModelInfo
from ..case_kinds import KINDS
from ..errors import PneumoScreenError
from ..images.inputs import Modality
from ..models.store import ModelStore
from ..studies.cases import Study, find_studies
from ..studies.folder_split import folder_split, keep_split
from ..studies.split import Side, SplitSettings, side_of


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
        kind = "cases" if modality == "CT" else f"{KINDS[modality].image}s"
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
