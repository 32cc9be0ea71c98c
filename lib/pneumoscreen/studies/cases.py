"""Training cases from a MONAI Label studies folder: scans, case documents as labels, and masks where there are any.

``<case>.nii.gz`` or any other input beside ``labels/final/<case>.json``, the document that counts; optional masks
``labels/lesions/<case>.nii.gz`` (a number for each finding, see ``lesion_masks``) and ``labels/lungs/<case>.nii.gz``
(1 left, 2 right).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..case import Case
from ..case_kinds import KINDS
from ..errors import CaseError, PneumoScreenError
from ..images.inputs import Input, Modality, Refused, file_input, find_inputs
from ..verdict import DEFAULT_CLASSES, Classes
from .layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS, PICTURE_ENDINGS, VOLUME_ENDINGS, image_id
from .patients import patient_of, read_patients


@dataclass(frozen=True)
class Study:
    """A labelled case that has not been read yet.

    Attributes:
        scan: the image.
        document: its label.
        folder: the studies folder, where masks are looked for.
        patient: whose scan it is; see ``patients``.
    """

    scan: Input
    document: Path
    folder: Path
    patient: str

    @property
    def case_id(self) -> str:
        """The case's name."""
        return self.scan.case_id

    def origin(self) -> str:
        """16 hex digits that change when the document, a mask or the scan does.

        Of scan and masks, which are too large to be read for this, size and time count.
        """
        try:
            document = hashlib.sha256(self.document.read_bytes()).hexdigest()
        except OSError:
            document = ""  # loading will say what is wrong with it
        scan = self.scan.path
        files = sorted(path for path in scan.iterdir() if path.is_file()) if scan.is_dir() else [scan]
        files += sorted({header.path for header in self.scan.headers} - set(files))  # a series in several folders
        masks = (LESION_MASKS, LUNG_MASKS) if self.scan.modality == "CT" else ()
        files += [self.folder / kind / f"{self.case_id}.nii.gz" for kind in masks]
        stats = [(path.name, path.stat()) for path in files if path.is_file()]
        stamps = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        parts = json.dumps([document, self.scan.series_uid, stamps])
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


def read_document(path: Path, classes: Classes = DEFAULT_CLASSES) -> Case:
    """The case document in a file.

    Raises:
        CaseError: if it cannot be read or breaks the contract; the message names file and field.
    """
    try:
        return Case.from_json(path.read_text(encoding="utf-8"), classes)
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"{path} cannot be read ({error}); save the label again") from None
    except CaseError as error:
        raise CaseError(f"{path}: {error}") from None


def find_scans(folder: Path, say: Callable[[str], None] | None = None) -> list[Study]:
    """The scans and radiographs of a studies folder with the places of their labels, in order of their names.

    Args:
        folder: of the studies.
        say: takes a line for each scan that cannot be a case.

    Raises:
        PneumoScreenError: if the folder is absent or its list of patients is wrong.
    """
    if not folder.is_dir():
        raise PneumoScreenError(f"{folder} is not a folder; give the studies folder of MONAI Label")
    patients = read_patients(folder)
    found = _with_pictures(find_inputs([folder]), folder)
    for item in found:
        if say is not None and isinstance(item, Refused) and item.path != folder:
            say(f"left out: {item.reason}")
    scans = _named_as_labels([item for item in found if isinstance(item, Input)], folder)
    studies = [
        Study(scan, folder / FINAL_LABELS / f"{scan.case_id}.json", folder, patient_of(scan, patients))
        for scan in scans
    ]
    return sorted(studies, key=lambda study: study.case_id)


def find_studies(folder: Path, say: Callable[[str], None] | None = None, modality: Modality = "CT") -> list[Study]:
    """The labelled cases of a studies folder, in order of their names.

    Args:
        folder: of the studies.
        say: takes a line for each scan that cannot be a case.
        modality: of the cases; those of others are passed over.

    Raises:
        PneumoScreenError: if the folder is absent, holds no labelled scan, or its list of patients is wrong.
    """
    studies = [study for study in find_scans(folder, say) if study.scan.modality == modality]
    labelled = [study for study in studies if study.document.is_file()]
    for study in studies if say is not None else ():
        label_map = _label_map_of(study)
        if label_map is not None and say is not None:
            say(f"left out: {label_map} is a label map without a document; a server on this folder says why")
    if not labelled:
        scan, more = KINDS[modality].image, "" if modality == "CT" else f" --modality {modality.lower()}"
        raise PneumoScreenError(
            f"{folder} holds no labelled {scan}: {FINAL_LABELS}/<case>.json is needed beside the {scan}s; "
            f"label cases or make phantoms with `pneumoscreen phantom{more}`"
        )
    return labelled


def _label_map_of(study: Study) -> Path | None:
    """The label map that somebody put in the place of a case's document; None where there is none, or a document."""
    if study.document.is_file():
        return None
    places = (study.document.with_suffix(ending) for ending in VOLUME_ENDINGS)
    return next((place for place in places if place.is_file()), None)


def _with_pictures(found: Sequence[Input | Refused], folder: Path) -> list[Input | Refused]:
    """The inputs, and the pictures in the folder itself: beside CTs they are X-rays here, as the server offers them."""
    known = {item.path for item in found}
    pictures = (path for path in sorted(folder.iterdir()) if path.name.lower().endswith(PICTURE_ENDINGS))
    more = [path for path in pictures if path not in known and path.is_file() and not path.name.startswith(".")]
    return [*found, *map(file_input, more)]


def _named_as_labels(scans: Sequence[Input], folder: Path) -> list[Input]:
    """The scans under the names that their labels have: the server's ids.

    A label that was put into the folder by hand may have the name that the command line gives a scan, and so has
    each series of a folder that holds several.
    """
    holds = Counter(scan.path for scan in scans)
    taken: set[str] = set()
    named = []
    for scan in scans:
        name = image_id(folder, scan.path.relative_to(folder))
        is_by_hand = (folder / FINAL_LABELS / f"{scan.case_id}.json").is_file()
        is_served = (folder / FINAL_LABELS / f"{name}.json").is_file() or not is_by_hand
        if holds[scan.path] > 1 or name in taken or not is_served:
            name = scan.case_id
        taken.add(name)
        named.append(replace(scan, case_id=name))
    return named
