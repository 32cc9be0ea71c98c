"""Phantoms as DICOM files, as a scanner would send them: for demonstrations and tests."""

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.images.volume import Volume
from pneumoscreen.pacs.uids import uid_of

_RAW_AIR = -1024
_XRAY_TOP = 4095
_LUNG_WINDOW = -600, 1500
"""Centre and width, HU."""


def write_ct(volume: Volume, folder: Path, **fields: Any) -> list[Path]:
    """Write a scan as a CT series, stored as its ``stored_orientation`` says; ``fields`` go into every file.

    Returns:
        The files, from the first slice along the normal to the last.
    """
    stored = volume.to_sitk(volume.hu)
    values = sitk.GetArrayFromImage(stored)
    direction = np.array(stored.GetDirection()).reshape(3, 3)
    columns_mm, rows_mm, slices_mm = stored.GetSpacing()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for k, plane in enumerate(values):
        file = _file(CTImageStorage, volume.case_id, "CT", str(k))
        file.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        file.FrameOfReferenceUID = uid_of(volume.case_id, "frame")
        file.PositionReferenceIndicator = ""
        file.PatientPosition = "HFS"
        file.KVP, file.AcquisitionNumber, file.InstanceNumber = 120, 1, k + 1
        file.ConvolutionKernel, file.BodyPartExamined = "Br40", "CHEST"
        file.SliceThickness = round(slices_mm, 6)
        file.PixelSpacing = [round(rows_mm, 6), round(columns_mm, 6)]
        file.ImageOrientationPatient = [round(float(part), 9) for part in (*direction[:, 0], *direction[:, 1])]
        position = np.array(stored.GetOrigin()) + direction[:, 2] * slices_mm * k
        file.ImagePositionPatient = [round(float(mm), 6) for mm in position]
        file.RescaleSlope, file.RescaleIntercept, file.RescaleType = 1, _RAW_AIR, "HU"
        file.WindowCenter, file.WindowWidth = _LUNG_WINDOW
        _set_pixels(file, np.clip(plane.astype(np.int32) - _RAW_AIR, 0, 4095))
        written.append(_write(file, folder / f"{k:04d}.dcm", fields))
    return written


def write_xray(radiograph: Radiograph, path: Path, **fields: Any) -> Path:
    """Write a radiograph as a DX image; ``fields`` go into the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _file(DigitalXRayImageStorageForPresentation, radiograph.case_id, "DX", "0")
    file.ImageType = ["ORIGINAL", "PRIMARY"]
    file.PresentationIntentType = "FOR PRESENTATION"
    file.BodyPartExamined, file.ViewPosition, file.PatientOrientation = "CHEST", "PA", ["L", "F"]
    file.InstanceNumber, file.ImageLaterality = 1, "U"
    x, y = radiograph.spacing_mm
    file.ImagerPixelSpacing = file.PixelSpacing = [round(y, 6), round(x, 6)]
    file.RescaleSlope, file.RescaleIntercept, file.RescaleType = 1, 0, "US"
    file.PixelIntensityRelationship, file.PixelIntensityRelationshipSign = "LOG", -1
    file.PresentationLUTShape, file.LossyImageCompression, file.BurnedInAnnotation = "IDENTITY", "00", "NO"
    _set_pixels(file, np.rint(radiograph.pixels * _XRAY_TOP))
    return _write(file, path, fields)


def _file(sop_class: UID, case_id: str, modality: str, instance: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = sop_class, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = UID(uid_of(case_id, modality, instance))
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.is_little_endian, file.is_implicit_VR = True, False
    file.SpecificCharacterSet = "ISO_IR 192"
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = sop_class, meta.MediaStorageSOPInstanceUID, modality
    file.StudyInstanceUID, file.SeriesInstanceUID = uid_of(case_id, "study"), uid_of(case_id, "series")
    file.PatientName, file.PatientID, file.PatientBirthDate, file.PatientSex = f"PHANTOM^{case_id}", case_id, "", ""
    file.StudyDate, file.StudyTime, file.StudyID, file.SeriesNumber = "20200101", "120000", "1", 1
    file.AccessionNumber, file.ReferringPhysicianName, file.Manufacturer = "", "", "PneumoScreen phantom"
    return file


def _set_pixels(file: FileDataset, stored: np.ndarray) -> None:
    file.Rows, file.Columns = stored.shape
    file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 12, 11
    file.PixelData = stored.astype("<u2").tobytes()


def _write(file: FileDataset, path: Path, fields: dict[str, Any]) -> Path:
    for keyword, value in fields.items():
        setattr(file, keyword, value)
    file.save_as(path, write_like_original=False)
    return path
