"""What a DICOM file is: an image, an object without one, or damaged (dicom_start, dicom_file)."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    generate_uid,
)

from pneumoscreen.images import find_inputs, read_input, read_volume
from pneumoscreen.images.dicom_file import read_dicom_file
from pneumoscreen.images.dicom_start import looks_like_dicom
from pneumoscreen.images.faults import DamagedError, GeometryError

INDEX = "1.2.840.10008.1.3.10"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
SERIES = "1.2.3.4"


def bare(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A data set without preamble and without group 2."""
    file = io.BytesIO()
    plain = Dataset()
    plain.update(ds)
    plain.is_little_endian = syntax != ExplicitVRBigEndian
    plain.is_implicit_VR = syntax == ImplicitVRLittleEndian
    plain.save_as(file, write_like_original=True)
    return file.getvalue()


def whole(files, chest, z: int = 0, **fields) -> bytes:
    file = io.BytesIO()
    files.slice(chest, z, SERIES, **fields).save_as(file, write_like_original=False)
    return file.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_every_way_in_which_a_data_set_begins_is_known(tmp_path, chest, files, syntax):
    ds = files.slice(chest, 0, SERIES)
    with_charset = files.slice(chest, 0, SERIES)
    with_charset.SpecificCharacterSet = "ISO_IR 100"
    starts = {
        "preamble": whole(files, chest),
        "group2": whole(files, chest)[132:],
        "image_type": bare(ds, syntax),  # begins with (0008,0008)
        "character_set": bare(with_charset, syntax),
    }
    del ds.ImageType
    starts["sop_class"] = bare(ds, syntax)
    for name, content in starts.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert looks_like_dicom(path), name
        found = read_dicom_file(path)
        assert found.fault is None, name
        assert [header.series_uid for header in found.headers] == [SERIES], name


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"text that is no DICOM" * 9, b"\x5c\x01\0\0" + bytes(400), b"\x1f\x8b\x08\0" * 50, bytes(400)],
)
def test_other_files_do_not_look_like_dicom(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    assert not looks_like_dicom(path)


@pytest.mark.parametrize("kept", [140, 200, 350, 600])
def test_a_slice_that_runs_out_into_zeros_before_its_pixels_is_damaged(tmp_path, chest, files, kept):
    content = whole(files, chest)
    assert kept < len(content) - chest[0].nbytes
    path = tmp_path / "x.dcm"
    path.write_bytes(content[:kept] + bytes(len(content) - kept))
    found = read_dicom_file(path)
    assert found.headers == ()
    assert isinstance(found.fault, DamagedError)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_slice_that_ends_anywhere_before_its_pixels_is_damaged(tmp_path, chest, files, syntax):
    with_mark, without = whole(files, chest), bare(files.slice(chest, 0, SERIES), syntax)
    path = tmp_path / "x.dcm"
    for content, first in ((with_mark, 140), (without, 30)):
        for kept in range(first, len(content) - chest[0].nbytes):
            path.write_bytes(content[:kept])
            assert isinstance(read_dicom_file(path).fault, DamagedError), kept


def test_what_a_damaged_file_still_says_tells_its_series(tmp_path, chest, files):
    content = whole(files, chest)
    path = tmp_path / "x.dcm"
    path.write_bytes(content[:-100])
    found = read_dicom_file(path)
    assert isinstance(found.fault, DamagedError)
    assert found.series is not None and found.series[1] == SERIES
    path.write_bytes(content[:200] + bytes(len(content) - 200))
    assert read_dicom_file(path).series is None


def test_objects_without_an_image_are_sound(tmp_path):
    for sop_class in (INDEX, REPORT, "1.2.840.10008.5.1.4.1.1.481.3", "1.3.12.2.1107.5.9.1"):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = pydicom.FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        ds.is_little_endian, ds.is_implicit_VR = True, False
        if sop_class != INDEX:
            ds.SOPClassUID = sop_class
        ds.FileSetID = "DISC"
        ds.save_as(tmp_path / "x", write_like_original=False)
        found = read_dicom_file(tmp_path / "x")
        assert (found.fault, found.headers) == (None, ()), sop_class


def test_an_image_without_pixels_is_damaged(tmp_path, chest, files):
    path = tmp_path / "x.dcm"
    path.write_bytes(whole(files, chest)[: -chest[0].nbytes - 12])
    found = read_dicom_file(path)
    assert isinstance(found.fault, DamagedError) and found.series is not None


def test_a_field_that_is_no_number_is_named(tmp_path, chest, files):
    content = whole(files, chest).replace(b"1.5\\2.0", b"1,5\\2,0")
    assert b"1,5\\2,0" in content
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    found = read_dicom_file(path)
    assert isinstance(found.fault, GeometryError)
    assert "PixelSpacing" in str(found.fault) and "2 numbers" in str(found.fault)
    assert found.series is not None and found.series[1] == SERIES


def test_a_series_number_that_is_no_number_costs_nothing(tmp_path, chest, files):
    content = whole(files, chest, SeriesNumber=31).replace(b"IS\x02\x0031", b"IS\x02\x003a")
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    (header,) = read_dicom_file(path).headers
    assert header.series_number is None


def test_slices_whose_pixels_run_out_into_zeros_spoil_their_series(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    by_height = sorted(folder.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    for path in by_height[-3:]:
        content = path.read_bytes()
        path.write_bytes(content[: -chest[0].nbytes // 2] + bytes(chest[0].nbytes // 2))
    with pytest.raises(DamagedError, match="holds damaged DICOM files") as caught:
        read_volume(folder)
    assert all(path.name in str(caught.value) for path in by_height[-3:])


@pytest.mark.parametrize("number", [0, 5, -1])
def test_one_slice_whose_last_eighth_is_zeros_spoils_its_series(tmp_path, chest, files, number):
    folder = files.series(tmp_path / "ct", chest)
    path = sorted(folder.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])[number]
    content = path.read_bytes()
    path.write_bytes(content[: -chest[0].nbytes // 8] + bytes(chest[0].nbytes // 8))
    with pytest.raises(DamagedError, match=rf"holds damaged DICOM files \({path.name}\)"):
        read_volume(folder)


def test_blank_slices_and_air_that_is_stored_as_zeros_are_no_damage(tmp_path, chest, files):
    hu = chest.copy()
    hu[-2:] = -1024  # resampled scans end so
    for z in range(len(hu)):
        hu[z, 40 - 2 * min(z, 8) :] = -1024  # the couch ends, slice by slice
    volume = read_volume(files.series(tmp_path / "ct", hu))
    np.testing.assert_array_equal(volume.hu, hu)


def test_compressed_pixels_that_run_out_into_zeros_are_damaged(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    files.recompress(folder, "JPEG2000")
    (given,) = find_inputs([folder])
    assert given.headers[0].transfer_syntax == JPEG2000Lossless
    np.testing.assert_array_equal(read_input(given).hu, chest)
    victim = sorted(folder.iterdir())[4]
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) - 400] + bytes(400))
    (refused,) = find_inputs([folder])
    assert refused.reason == f"{folder} holds damaged DICOM files ({victim.name}); copy the series again"


def test_a_path_that_cannot_be_read_is_a_fault(tmp_path):
    found = read_dicom_file(tmp_path / "gone.dcm")
    assert isinstance(found.fault, DamagedError)


def test_nothing_of_a_damaged_header_is_quoted_in_a_warning(tmp_path, chest, files, recwarn) -> None:
    ds = files.slice(chest, 0, SERIES)
    long = "Mustermann" * 9
    path = tmp_path / "a.dcm"
    with pydicom.config.disable_value_validation():
        ds.SeriesInstanceUID = long
        del ds.PixelData
        ds.save_as(path, write_like_original=False)
    recwarn.clear()
    assert read_dicom_file(path).fault is not None
    assert [str(warning.message) for warning in recwarn] == []
