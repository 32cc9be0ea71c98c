"""A deflated DICOM file is read where it is small, and refused before it is inflated where it is not."""

import io
import tracemalloc

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from pneumoscreen.errors import ImageError
from pneumoscreen.images import read_volume
from pneumoscreen.images.dicom_deflated import check_inflated
from pneumoscreen.images.faults import DimensionError


def deflate(path, zeros=0):
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    if zeros:
        dataset.add_new((0x0009, 0x1001), "OB", bytes(zeros))
    dataset.save_as(path, write_like_original=False)


def test_deflated_slices_are_read(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    for path in folder.iterdir():
        deflate(path)
    np.testing.assert_array_equal(read_volume(folder).hu, chest)


def test_a_small_file_that_inflates_to_much_is_refused_before_it_is_inflated(tmp_path, chest, files, monkeypatch):
    monkeypatch.setenv("PNEUMOSCREEN_MAX_SCAN_MB", "16")
    folder = files.series(tmp_path / "ct", chest)
    path = next(folder.iterdir())
    deflate(path, zeros=64 << 20)
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    with path.open("rb") as file, pytest.raises(DimensionError, match="more than the 16 MB that are read"):
        check_inflated(file, path)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    with pytest.raises(ImageError, match="more than the 16 MB that are read"):
        read_volume(folder)


@pytest.mark.parametrize("content", [b"", bytes(200), b"\x02\x00\x00\x00UL\x04\x00" * 20])
def test_what_is_not_deflated_is_left_at_its_beginning(tmp_path, content):
    file = io.BytesIO(content)
    check_inflated(file, tmp_path / "x")
    assert file.tell() == 0
