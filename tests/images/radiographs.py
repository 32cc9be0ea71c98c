"""Small radiographs, and the DICOM files that hold them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

HEIGHT, WIDTH = 160, 200
MARKER = (slice(12, 24), slice(172, 184))
"""Rows and columns of the marker, high on the patient's left."""


def make_radiograph(top: int = 4095) -> NDArray[np.uint16]:
    """A frontal chest [y, x] as it hangs: dark lungs, a bright belly, a bright marker on the patient's left."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    bright = np.full((HEIGHT, WIDTH), 0.1)
    bright[np.abs(x - 99.5) < 55 + 0.2 * y] = 0.6
    bright[:30][np.abs(x[:30] - 99.5) > 30] *= 0.5
    bright += 0.3 * (y / HEIGHT) ** 2
    for center in (65, 134):
        bright[((x - center) / 24) ** 2 + ((y - 75) / 45) ** 2 < 1] = 0.25
    bright[np.abs(x - 99.5) < 9] += 0.1
    bright[MARKER] = 1.0
    bright += np.random.default_rng(3).normal(0, 0.004, bright.shape)
    return np.rint(np.clip(bright, 0, 1) * top).astype(np.uint16)


def make_dataset(stored: NDArray[Any], **fields: Any) -> FileDataset:
    """A DICOM radiograph of stored values [y, x]; ``fields`` replace or (None) delete its fields."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.is_little_endian, ds.is_implicit_VR = True, False
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = "1.2.3.9", "1.2.3.4", 1
    ds.Modality, ds.PatientName, ds.PatientID = "DX", "Mustermann^Erika", "4711"
    ds.ViewPosition, ds.PatientOrientation = "PA", ["L", "F"]
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelSpacing = [0.3, 0.2]
    for keyword, value in fields.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.PixelData = stored.astype("<u2").tobytes()
    return ds


def write_dataset(path: Path, stored: NDArray[Any] | None = None, **fields: Any) -> Path:
    """Write a DICOM radiograph; without stored values the usual chest."""
    values = make_radiograph() if stored is None else stored
    make_dataset(values, **fields).save_as(path, write_like_original=False)
    return path
