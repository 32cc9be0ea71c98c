"""Training cases from a MONAI Label studies folder: scans, case documents as labels, and masks where there are any.

``<case>.nii.gz`` or any other input beside ``labels/final/<case>.json``; optional masks
``labels/lesions/<case>.nii.gz`` (a number for each finding: that of the region's place in the document,
from 1) and ``labels/lungs/<case>.nii.gz`` (1 left, 2 right).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..case import Case, Region
from ..ct.lungs import segment_lungs
from ..errors import CaseError, ImageError, PneumoScreenError
from ..images.inputs import Input, Refused, find_inputs
from ..images.reader import read_input
from ..images.volume import CANONICAL_ORIENTATION, Volume
from ..phantoms.studies import DOCUMENTS, LESION_MASKS, LUNG_MASKS
from ..verdict import DEFAULT_CLASSES, Classes

_DAY = re.compile(r"[_-](day|d|t)\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class MarkedLesion:
    """A region of a document: number in the mask, patch label, index box on the volume's grid."""

    number: int
    label: str
    box: NDArray[np.float64]


@dataclass(frozen=True)
class StudyCase:
    """A case with its truth, in the form that phantoms have.

    Attributes:
        volume: the scan.
        lungs: uint8 [z, y, x], 1 left, 2 right: the mask in the folder, else segmented.
        infection: uint8 [z, y, x], lesion numbers; None where the folder holds boxes only.
        lesions: the marked regions.
        diagnosis: clinical diagnosis, or None where the site does not know it.
        patient: whose scan it is.
    """

    volume: Volume
    lungs: NDArray[np.uint8]
    infection: NDArray[np.uint8] | None
    lesions: tuple[MarkedLesion, ...]
    diagnosis: str | None
    patient: str


@dataclass(frozen=True)
class Study:
    """A labelled case that has not been read yet."""

    scan: Input
    document: Path

    @property
    def case_id(self) -> str:
        """The case's name."""
        return self.scan.case_id

    @property
    def patient(self) -> str:
        """Whose scan it is. Ours: the case's name without a trailing visit such as ``_day5``."""
        return _DAY.sub("", self.case_id)

    def load(self, classes: Classes = DEFAULT_CLASSES) -> StudyCase:
        """Read scan, document and masks.

        Raises:
            PneumoScreenError: if one of them cannot be used; the message names the file.
        """
        try:
            case = Case.from_json(self.document.read_text(encoding="utf-8"), classes)
        except (OSError, UnicodeDecodeError) as error:
            raise CaseError(f"{self.document} cannot be read ({error}); save the label again") from None
        except CaseError as error:
            raise CaseError(f"{self.document}: {error}") from None
        volume = read_input(self.scan)
        root = self.document.parents[2]
        infection = _mask(root / LESION_MASKS, self.case_id, volume)
        lungs = _mask(root / LUNG_MASKS, self.case_id, volume)
        return StudyCase(
            volume,
            segment_lungs(volume).labels if lungs is None else lungs,
            infection,
            _lesions(case.regions, infection, volume),
            case.diagnosis,
            self.patient,
        )


def find_studies(folder: Path, say: Callable[[str], None] | None = None) -> list[Study]:
    """The labelled cases of a studies folder, in order of their names.

    Args:
        folder: of the studies.
        say: takes a line for each scan that cannot be a case.

    Raises:
        PneumoScreenError: if the folder is absent or holds no labelled scan.
    """
    if not folder.is_dir():
        raise PneumoScreenError(f"{folder} is not a folder; give the studies folder of MONAI Label")
    found = find_inputs([folder])
    scans = [item for item in found if isinstance(item, Input)]
    for item in found:
        if say is not None and isinstance(item, Refused) and item.path != folder:
            say(f"left out: {item.reason}")
    studies = [Study(scan, folder / DOCUMENTS / f"{scan.case_id}.json") for scan in scans]
    labelled = sorted((s for s in studies if s.document.is_file()), key=lambda study: study.case_id)
    if not labelled:
        raise PneumoScreenError(
            f"{folder} holds no labelled scan: {DOCUMENTS}/<case>.json is needed beside the scans; "
            "label cases or make phantoms with `pneumoscreen phantom`"
        )
    return labelled


def _lesions(
    regions: Sequence[Region], infection: NDArray[np.uint8] | None, volume: Volume
) -> tuple[MarkedLesion, ...]:
    """The regions a label is known for: the reader's, else the one that the document votes for."""
    found = []
    for place, region in enumerate(regions, start=1):
        if region.opinion is None:
            continue
        box = volume.box_from_mm(np.asarray(region.center_mm), np.asarray(region.size_mm))
        found.append(MarkedLesion(_number(region, place, infection), region.opinion[0], box))
    return tuple(found)


def _number(region: Region, place: int, infection: NDArray[np.uint8] | None) -> int:
    """The mask's value for a region: the digits of its id where the mask holds that value, else its place."""
    digits = re.search(r"\d+$", region.id)
    if infection is not None and digits and bool((infection == int(digits.group())).any()):
        return int(digits.group())
    return place


def _mask(folder: Path, case_id: str, volume: Volume) -> NDArray[np.uint8] | None:
    """A mask on the volume's grid, or None if the folder holds none for the case."""
    path = folder / f"{case_id}.nii.gz"
    if not path.is_file():
        return None
    try:
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), CANONICAL_ORIENTATION)
    except RuntimeError:
        raise ImageError(f"{path} cannot be read as NIfTI; write the mask again") from None
    mask = sitk.GetArrayFromImage(image)
    if mask.shape != volume.hu.shape:
        raise ImageError(f"{path} has {mask.shape} voxels and its scan {volume.hu.shape}; the mask must fit the scan")
    return mask.astype(np.uint8)
