"""What all objects about one case share: the case and its images, the equipment, their UIDs and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian

from .. import __version__
from ..case import Case
from ..images.volume import Masks
from ..report.drawing import Drawing
from ..verdict import DEFAULT_CLASSES, Classes
from . import codes
from .source import Source
from .uids import digest_of, uid_of

MAKER = "PneumoScreen"
UTF8 = "ISO_IR 192"
_SERIES = {"SEG": 9001, "SR": 9002, "PDF": 9003, "SC": 9004}
"""Ours: numbers of the series, far behind those of a scanner."""


@dataclass(frozen=True)
class About:
    """A screened or corrected case, and the images it speaks of.

    Attributes:
        case: its document.
        source: its images.
        drawing: the picture that stands for it; None where no sheet is wanted.
        masks: what was marked in it voxel by voxel; None of an X-ray.
        classes: the class list of the document.
        previous: the structured reports of earlier versions of the case, which this one supersedes.
        reader: who submitted the document; empty where only its marks tell.
    """

    case: Case
    source: Source
    drawing: Drawing | None
    masks: Masks | None = None
    classes: Classes = DEFAULT_CLASSES
    previous: Sequence[Dataset] = ()
    reader: str = ""

    def uid(self, *parts: str) -> str:
        """A UID that follows from the study, the document, how many there were before, and these parts."""
        # A case that is settled as it was before is new objects all the same: they supersede those between.
        number = [str(len(self.previous))] if self.previous else []
        return uid_of(self.source.study_uid, digest_of(self.case), *number, *parts)

    def series(self, kind: str, number: int = 1) -> dict[str, Any]:
        """Series and instance of an object of this kind, as highdicom's classes take them.

        Of a study all objects of a kind are one series; those of a corrected case follow with a higher number.

        Args:
            kind: SEG, SR, PDF or SC.
            number: of the object, where a case has several of the kind.
        """
        return {
            "series_instance_uid": _series_uid(self.source, kind),
            "series_number": _SERIES[kind],
            "series_description": f"{MAKER} {kind} (research use only)",
            "sop_instance_uid": self.uid(kind, str(number)),
            "instance_number": 100 * len(self.previous) + number,
            "manufacturer": MAKER,
            "manufacturer_model_name": MAKER,
            "software_versions": __version__,
            "device_serial_number": __version__,
            "transfer_syntax_uid": ExplicitVRLittleEndian,
        }

    @property
    def study(self) -> dict[str, Any]:
        """Patient and study, for those of highdicom's classes that do not take them from an image."""
        first = self.source.first
        return {
            "study_instance_uid": first.StudyInstanceUID,
            "patient_id": first.PatientID,
            "patient_name": first.PatientName,
            "patient_birth_date": first.PatientBirthDate,
            "patient_sex": first.PatientSex,
            "study_id": first.StudyID,
            "accession_number": first.AccessionNumber,
            "study_date": first.StudyDate,
            "study_time": first.StudyTime,
            "referring_physician_name": first.ReferringPhysicianName,
        }


def earlier_report(source: Source, uid: str) -> Dataset:
    """What a later report says of an earlier one about the same images.

    Args:
        source: the images.
        uid: SOPInstanceUID of the earlier report.
    """
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = ComprehensiveSRStorage, uid
    report.StudyInstanceUID, report.SeriesInstanceUID = source.study_uid, _series_uid(source, "SR")
    return report


def _series_uid(source: Source, kind: str) -> str:
    return uid_of(source.study_uid, str(source.first.SeriesInstanceUID), kind)


def finish(dataset: Dataset, with_private_codes: bool = True) -> None:
    """Give an object what highdicom leaves out: the character set, and what the private codes are."""
    dataset.SpecificCharacterSet = UTF8
    if with_private_codes:
        dataset.CodingSchemeIdentificationSequence = [codes.scheme()]
