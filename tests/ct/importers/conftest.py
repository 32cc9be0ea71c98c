"""Phantoms written in the layouts of public data sets, in any orientation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from pneumoscreen.case import Case
from pneumoscreen.commands.import_ import pick_layout
from pneumoscreen.ct.importers.run import import_cases
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.ct.study_cases import StudyCase, load_study
from pneumoscreen.importers.found import ImportSettings, Remark
from pneumoscreen.importers.outcomes import Outcome
from pneumoscreen.studies.cases import find_studies

SPEC = PhantomSpec(matrix=64, thickness_mm=10.0)
ORIENTATIONS = ("LPS", "RAI", "PIR")


@dataclass(frozen=True)
class Imported:
    """What an import left behind."""

    studies: Path
    outcomes: list[Outcome]
    remarks: list[str]

    def actions(self) -> dict[str, str]:
        return {outcome.case_id: outcome.action.value for outcome in self.outcomes}

    def reasons(self) -> list[str]:
        return [outcome.reason for outcome in self.outcomes if outcome.reason]

    def document(self, case_id: str) -> Case:
        return Case.from_json((self.studies / "labels" / "final" / f"{case_id}.json").read_text(encoding="utf-8"))

    def load(self, case_id: str) -> StudyCase:
        """The case as training reads it."""
        return load_study(next(study for study in find_studies(self.studies) if study.case_id == case_id))


@pytest.fixture(scope="session")
def covid() -> Phantom:
    """A phantom of COVID-19 with lesions."""
    return generate_phantom(3, "covid19", SPEC)


@pytest.fixture(scope="session")
def clear() -> Phantom:
    """A phantom without infection."""
    return generate_phantom(4, "no_infection_found", SPEC)


@pytest.fixture(scope="session")
def left_only(covid: Phantom) -> NDArray[np.bool_]:
    """A ball of infection in the left lung alone, bool [z, y, x]."""
    return ball(covid, 1)


def ball(phantom: Phantom, lung: int, radius_mm: float = 14.0) -> NDArray[np.bool_]:
    """The lung voxels within a radius of the middle of one lung."""
    inside = np.argwhere(phantom.lungs == lung)
    middle = inside[np.abs(inside - inside.mean(axis=0)).sum(axis=1).argmin()]
    offsets = (np.indices(phantom.lungs.shape).transpose(1, 2, 3, 0) - middle) * np.array(phantom.volume.spacing_zyx)
    found: NDArray[np.bool_] = ((offsets**2).sum(axis=-1) <= radius_mm**2) & (phantom.lungs == lung)
    return found


def write(path: Path, phantom: Phantom, array: NDArray[np.generic], orientation: str = "LPS") -> Path:
    """Write an array on the phantom's grid as a file of this orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = phantom.volume.to_sitk(array.astype(np.uint8) if array.dtype == bool else array)
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), path, useCompression=path.suffix != ".mhd")
    return path


def write_dicom(folder: Path, phantom: Phantom, patient: str = "4711", name: str = "") -> list[str]:
    """Write the scan as a DICOM series; returns the SOPInstanceUIDs from the feet up."""
    folder.mkdir(parents=True, exist_ok=True)
    volume, study, series = phantom.volume, generate_uid(), generate_uid()
    uids = []
    for z, plane in enumerate(volume.hu):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        ds.is_little_endian, ds.is_implicit_VR = True, False
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = study, series, 3
        ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.PatientName, ds.PatientID = name, patient
        ds.Rows, ds.Columns = plane.shape
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.PixelSpacing = [round(volume.spacing_mm[1], 6), round(volume.spacing_mm[0], 6)]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        x, y, bottom = volume.origin_mm
        ds.ImagePositionPatient = [round(x, 4), round(y, 4), round(bottom + volume.spacing_mm[2] * z, 4)]
        ds.RescaleSlope, ds.RescaleIntercept = 1, 0
        ds.PixelData = plane.astype("<i2").tobytes()
        # From the head down, so that the order of the names is not that of the slices.
        pydicom.dcmwrite(folder / f"{name or 'slice'}{len(volume.hu) - z:03d}.dcm", ds, write_like_original=False)
        uids.append(str(ds.SOPInstanceUID))
    return uids


@pytest.fixture
def run_import(tmp_path: Path) -> Callable[..., Imported]:
    """Imports a folder; keywords are those of the settings and of ``import_cases``."""

    def run(
        source: Path,
        layout: str = "auto",
        studies: Path | None = None,
        annotations: Path | None = None,
        diagnosis: str | None = None,
        label: str | None = None,
        reader: str = "import",
        **options: bool,
    ) -> Imported:
        studies = studies or tmp_path / "studies"
        settings = ImportSettings(diagnosis=diagnosis, label=label, reader=reader)
        _, chosen = pick_layout(layout, source, annotations or source)
        found = chosen.find(source, annotations or source)
        results = list(import_cases(found, chosen, studies, settings, **options))
        outcomes = [item for item in results if isinstance(item, Outcome)]
        remarks = [item.sentence for item in results if isinstance(item, Remark)]
        return Imported(studies, outcomes, remarks)

    return run
