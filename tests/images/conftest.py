"""Small chests, and the files that hold them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

SPACING = (2.0, 1.5, 5.0)
ORIGIN = (-40.0, -30.0, -100.0)


def make_chest() -> NDArray[np.int16]:
    """HU [z, y, x] in LPS order: a body with two lungs, bone at the back, a dense mark in the left lung at the top."""
    depth, height, width = 12, 40, 48
    z, y, x = np.mgrid[:depth, :height, :width].astype(float)
    hu = np.full((depth, height, width), -1000.0)
    hu[((x - 23.5) / 21) ** 2 + ((y - 19.5) / 17) ** 2 < 1] = 40
    for center in (13, 34):
        hu[((x - center) / 7) ** 2 + ((y - 19) / 10) ** 2 < 1] = -860
    hu[((x - 23.5) / 3) ** 2 + ((y - 32) / 3) ** 2 < 1] = 700
    hu[(np.abs(x - 34) < 3) & (np.abs(y - 19) < 3) & (z > 8)] = 250
    hu += np.random.default_rng(1).normal(0, 12, hu.shape)
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)


def make_slice(hu: NDArray[np.int16], z: int, series: str, **fields: Any) -> FileDataset:
    """One CT slice as a DICOM data set; ``fields`` replace or (None) delete its fields."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.is_little_endian, ds.is_implicit_VR = True, False
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = "1.2.3.9", series, 3
    ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.PatientName, ds.PatientID, ds.InstanceNumber = "Mustermann^Erika", "4711", z + 1
    ds.Rows, ds.Columns = hu.shape[1:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelSpacing = [SPACING[1], SPACING[0]]
    ds.SliceThickness = SPACING[2]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + SPACING[2] * z]
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    set_fields(ds, **fields)
    stored = (hu[z].astype(np.float64) - float(ds.get("RescaleIntercept", -1024))) / float(ds.get("RescaleSlope", 1))
    ds.PixelData = np.rint(stored).astype("<u2").tobytes()
    return ds


def set_fields(ds: Dataset, **fields: Any) -> None:
    for keyword, value in fields.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)


def write_series(
    folder: Path, hu: NDArray[np.int16], change: Callable[[FileDataset, int], None] | None = None, **fields: Any
) -> Path:
    """Write HU [z, y, x] as a DICOM series with file names in no order; ``change`` alters slice z."""
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    names = np.random.default_rng(5).permutation(len(hu))
    for z in range(len(hu)):
        ds = make_slice(hu, z, series, **fields)
        if change is not None:
            change(ds, z)
        ds.save_as(folder / f"IM{names[z]:04d}.dcm", write_like_original=False)
    return folder


def write_enhanced(path: Path, hu: NDArray[np.int16], order: list[int], intercepts: list[float]) -> Path:
    """Write one multi-frame CT: frame n holds slice ``order[n]`` with the rescale intercept ``intercepts[n]``."""
    ds = make_slice(hu, 0, generate_uid())
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    ds.BitsStored, ds.HighBit, ds.NumberOfFrames = 16, 15, len(order)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing = [SPACING[1], SPACING[0]]
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelMeasuresSequence = Sequence([measures])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    frames, stored = [], []
    for z, intercept in zip(order, intercepts, strict=True):
        frame, position, rescale = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + SPACING[2] * z]
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1, intercept, "HU"
        frame.PlanePositionSequence = Sequence([position])
        frame.PixelValueTransformationSequence = Sequence([rescale])
        frames.append(frame)
        stored.append((hu[z] - intercept).astype("<u2").tobytes())
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    ds.PixelData = b"".join(stored)
    ds.save_as(path, write_like_original=False)
    return path


def recompress(folder: Path, compressor: str) -> None:
    """Rewrite the slices of a folder compressed: "JPEG" (lossless) and "JPEG2000" by GDCM, "RLE" by pydicom."""
    for path in folder.iterdir():
        if compressor == "RLE":
            ds = pydicom.dcmread(path)
            ds.compress(pydicom.uid.RLELossless)
            ds.save_as(path, write_like_original=False)
            continue
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.KeepOriginalImageUIDOn()
        writer.UseCompressionOn()
        writer.SetCompressor(compressor)
        writer.SetFileName(str(path))
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.LoadPrivateTagsOn()
        writer.Execute(reader.Execute())


def write_image(path: Path, values: NDArray[Any], orientation: str = "LPS", compress: bool = False) -> Path:
    """Write values [z, y, x], given in LPS order, as NIfTI, NRRD or MetaImage stored in another orientation."""
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path), useCompression=compress)
    return path


@pytest.fixture(scope="session")
def chest() -> NDArray[np.int16]:
    hu = make_chest()
    hu.setflags(write=False)
    return hu


class Files:
    """The writers of this module, for tests."""

    slice = staticmethod(make_slice)
    series = staticmethod(write_series)
    enhanced = staticmethod(write_enhanced)
    recompress = staticmethod(recompress)
    image = staticmethod(write_image)
    set_fields = staticmethod(set_fields)
    spacing, origin = SPACING, ORIGIN


@pytest.fixture(scope="session")
def files() -> type[Files]:
    return Files
