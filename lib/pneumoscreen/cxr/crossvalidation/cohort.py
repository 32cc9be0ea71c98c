"""The X-rays of a cross-validation, cut once for every network that looks at them and kept on the disk.

``<out>/pictures/<case>-<origin>-<key>.npz`` holds what one kind of network looks at, ``.json`` of the case what is
known of it. All set-ups of a run see the same X-rays: one that cannot be cut for one of them is left out of all.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...case import SIDES
from ...errors import PneumoScreenError
from ...models.atomic_files import replace_durably
from ...studies.cases import Study
from ..figures.cases import boxes_are_drawn
from ..learning.items import Items, read_items, write_items
from ..lung_boxes import LungBoxModel, find_lung_boxes
from ..truth import LabelledRadiograph, load_radiograph

PICTURES = "pictures"

Cutter = Callable[[LabelledRadiograph], Items]


@dataclass(frozen=True)
class Entry:
    """An X-ray of a cross-validation.

    Attributes:
        case_id: its name.
        patient: whose it is.
        origin: changes when picture or label change.
        label: its class.
        sides: whether each lung is infected; empty where that is not known.
        has_own_boxes: whether its document holds both lung boxes and somebody stands for them.
    """

    case_id: str
    patient: str
    origin: str
    label: str
    sides: Mapping[str, bool]
    has_own_boxes: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**vars(self), "sides": dict(self.sides)}


@dataclass(frozen=True)
class LungBoxFinder:
    """The lung-box network in use, for X-rays whose document holds no boxes.

    Attributes:
        model: the network.
        sha256: of its weights: other weights, other pictures.
    """

    model: LungBoxModel
    sha256: str


@dataclass(frozen=True)
class Cohort:
    """X-rays that are cut.

    Attributes:
        folder: of the pictures.
        entries: the X-rays, in the order of their names.
        left_out: sentences on those that could not be cut.
        boxes_found: how many lung boxes are the network's.
    """

    folder: Path
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...]
    boxes_found: int

    def items(self, entry: Entry, cut: str) -> Items:
        """What was cut of an X-ray.

        Raises:
            PneumoScreenError: if the file is gone or damaged.
        """
        return read_items(_file(self.folder, entry.case_id, entry.origin, cut))


def cut_key(task: str, seen: Mapping[str, Any]) -> str:
    """What tells pictures that are cut for one kind of network from those for another."""
    text = json.dumps([task, dict(seen)], sort_keys=True)
    return f"{task}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def prepare_cohort(
    studies: Sequence[Study],
    cuts: Mapping[str, Cutter],
    out: Path,
    *,
    needs_boxes: bool,
    finder: LungBoxFinder | None,
    say: Callable[[str], None],
) -> Cohort:
    """Cut every X-ray that has not been cut yet.

    Args:
        studies: the labelled X-rays.
        cuts: what is cut, by key.
        out: folder of the cross-validation.
        needs_boxes: whether an X-ray without lung boxes is of use to nobody.
        finder: finds the boxes that documents lack; None where there is no such network.
        say: takes a line for each X-ray that is left out, and now and then the progress.

    Raises:
        PneumoScreenError: if boxes are needed and there is no network to find those that are missing, or no X-ray
            can be cut.
    """
    folder = out / PICTURES
    entries: list[Entry] = []
    left_out: list[str] = []
    boxless = 0
    for number, study in enumerate(studies, start=1):
        origin = study.origin() + (f"-{finder.sha256[:8]}" if finder is not None and needs_boxes else "")
        entry = _known(folder, study, origin, cuts)
        if entry is None:
            try:
                entry = _cut(folder, study, origin, cuts, needs_boxes, finder)
            except PneumoScreenError as error:
                left_out.append(f"{study.case_id}: {error}")
                say(f"left out: {left_out[-1]}")
                continue
            if entry is None:
                boxless += 1
                continue
        entries.append(entry)
        if number % 100 == 0:
            say(f"X-rays prepared: {number} of {len(studies)}")
    if boxless:
        raise PneumoScreenError(
            f"{boxless} of {len(studies)} labelled X-rays have no lung boxes and the model store has no network that "
            "finds them; publish a cxr_lung_boxes model, give the boxes, or use --view whole"
        )
    if not entries:
        raise PneumoScreenError(f"no X-ray can be used: {left_out[0] if left_out else 'none is labelled'}")
    found = sum(not entry.has_own_boxes for entry in entries) if needs_boxes else 0
    return Cohort(folder, tuple(entries), tuple(left_out), found)


def _known(folder: Path, study: Study, origin: str, cuts: Mapping[str, Cutter]) -> Entry | None:
    """The X-ray if all of it has been cut before."""
    if not all(_file(folder, study.case_id, origin, cut).is_file() for cut in cuts):
        return None
    try:
        document = json.loads(_note(folder, study.case_id, origin).read_text(encoding="utf-8"))
        # Whose it is may have been corrected since: patients.csv is no part of the label.
        return replace(Entry(**document), patient=study.patient)
    except (OSError, ValueError, TypeError):
        return None


def _cut(
    folder: Path,
    study: Study,
    origin: str,
    cuts: Mapping[str, Cutter],
    needs_boxes: bool,
    finder: LungBoxFinder | None,
) -> Entry | None:
    """Cut an X-ray; None where it has no boxes and nobody can find them."""
    labelled = load_radiograph(study)
    has_boxes = len(labelled.lung_boxes) == len(SIDES)
    has_own = has_boxes and boxes_are_drawn(study.document)
    if needs_boxes and not has_boxes:
        if finder is None:
            return None
        labelled = replace(labelled, lung_boxes=find_lung_boxes(labelled.radiograph, finder.model).by_side())
    for cut, cutter in cuts.items():
        write_items(_file(folder, study.case_id, origin, cut), cutter(labelled))
    entry = Entry(study.case_id, study.patient, origin, labelled.label, dict(labelled.sides), has_own)
    replace_durably(_note(folder, study.case_id, origin), json.dumps(entry.to_dict()).encode())
    return entry


def _file(folder: Path, case_id: str, origin: str, cut: str) -> Path:
    return folder / f"{case_id}-{origin}-{cut}.npz"


def _note(folder: Path, case_id: str, origin: str) -> Path:
    return folder / f"{case_id}-{origin}.json"
