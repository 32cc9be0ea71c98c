"""Which encodings of pixels are read, and values that do not lie in the lowest bits of their words."""

import numpy as np
import pydicom
import pytest
from tests.images.radiographs import make_dataset, make_radiograph, write_dataset

from pneumoscreen.images import read_radiograph_file, read_volume
from pneumoscreen.images.faults import DamagedError, DimensionError, UnsupportedError

STORED = make_radiograph()


@pytest.mark.parametrize(("bits", "high"), [(12, 15), (12, 13), (10, 15), (12, 12)])
def test_values_in_the_upper_bits_give_the_same_radiograph(tmp_path, bits, high):
    stored, shift = make_radiograph(top=(1 << bits) - 1), high + 1 - bits
    plain = read_radiograph_file(write_dataset(tmp_path / "plain.dcm", stored, BitsStored=bits, HighBit=bits - 1))
    # The bits below the value hold an overlay, as old writers have it.
    rest = np.arange(stored.size).reshape(stored.shape) % (1 << shift)
    shifted = write_dataset(tmp_path / "shifted.dcm", (stored << shift) | rest, BitsStored=bits, HighBit=high)
    np.testing.assert_array_equal(read_radiograph_file(shifted).pixels, plain.pixels)


@pytest.mark.parametrize("signed", [False, True])
def test_values_in_the_upper_bits_give_the_same_ct(tmp_path, chest, files, signed):
    def left_justified(ds, z):
        stored = chest[z].astype(np.int32) + (0 if signed else 1024)
        ds.PixelRepresentation, ds.RescaleIntercept = int(signed), 0 if signed else -1024
        ds.HighBit = 15
        ds.PixelData = ((stored & 0xFFF) << 4).astype("<u2").tobytes()

    volume = read_volume(files.series(tmp_path / "ct", chest, left_justified))
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.notes == ()


def test_one_slice_in_the_upper_bits_among_others(tmp_path, chest, files):
    def fifth(ds, z):
        if z == 5:
            ds.HighBit, ds.PixelData = 15, (np.frombuffer(ds.PixelData, "<u2") << 4).tobytes()

    np.testing.assert_array_equal(read_volume(files.series(tmp_path / "ct", chest, fifth)).hu, chest)


def test_frames_in_the_upper_bits_keep_their_own_rescaling(tmp_path, chest, files):
    path = files.enhanced(tmp_path / "ct.dcm", chest, list(range(12)), [-1024.0 - 10 * z for z in range(12)])
    ds = pydicom.dcmread(path)
    ds.BitsStored, ds.PixelData = 12, (np.frombuffer(ds.PixelData, "<u2") << 4).tobytes()
    ds.save_as(path)
    np.testing.assert_array_equal(read_volume(path).hu, chest)


def test_upper_bits_of_compressed_pixels_are_refused(tmp_path):
    ds = make_dataset(STORED << 4, HighBit=15)
    ds.compress(pydicom.uid.RLELossless)
    ds.save_as(tmp_path / "x.dcm", write_like_original=False)
    with pytest.raises(UnsupportedError, match=r"HighBit.*; export it again uncompressed"):
        read_radiograph_file(tmp_path / "x.dcm")


@pytest.mark.parametrize("high", [16, 40, 65535])
def test_bits_outside_the_word_are_refused(tmp_path, chest, files, high):
    with pytest.raises(DamagedError, match="HighBit"):
        read_radiograph_file(write_dataset(tmp_path / "x.dcm", HighBit=high))
    with pytest.raises(DamagedError, match="HighBit"):
        read_volume(files.series(tmp_path / "ct", chest, HighBit=high))


def test_truncated_pixels_in_the_upper_bits_are_damaged(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest, HighBit=15)
    path = next(folder.iterdir())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedError):
        read_volume(folder)


MPEG = "1.2.840.10008.1.2.4.100"


def with_syntax(path, uid):
    """Give a DICOM file another transfer syntax, whatever its pixels are."""
    ds = pydicom.dcmread(path)
    # pydicom does not write those that it does not know: one of the same length stands for them.
    ds.file_meta.TransferSyntaxUID = MPEG if len(uid) == len(MPEG) else uid
    ds.PixelData = pydicom.encaps.encapsulate([ds.PixelData])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, write_like_original=False)
    path.write_bytes(path.read_bytes().replace(MPEG.encode(), uid.encode()))
    return path


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"),
        ("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"),
        ("1.2.840.10008.1.2.4.110", "JPEG XL"),
        ("1.2.840.10008.1.2.4.102", "H.264 video"),
        ("1.2.840.10008.1.2.4.100", "MPEG-2 video"),
        ("1.2.840.99999.7", "unknown encoding .transfer syntax 1.2.840.99999.7."),
    ],
)
def test_an_encoding_that_is_not_read_is_named_once(tmp_path, chest, files, uid, words):
    xray = with_syntax(write_dataset(tmp_path / "x.dcm"), uid)
    with pytest.raises(UnsupportedError, match=f"{words}.*which is not read; export it again uncompressed"):
        read_radiograph_file(xray)
    folder = files.series(tmp_path / "ct", chest)
    for path in folder.iterdir():
        with_syntax(path, uid)
    with pytest.raises(UnsupportedError, match=f"^{folder} .*{words}"):
        read_volume(folder)


def test_a_missing_photometric_interpretation_is_not_called_colour(tmp_path, chest, files):
    for read, path in (
        (read_radiograph_file, write_dataset(tmp_path / "x.dcm", PhotometricInterpretation=None)),
        (read_volume, files.series(tmp_path / "ct", chest, PhotometricInterpretation=None)),
    ):
        with pytest.raises(DimensionError, match="PhotometricInterpretation is missing") as caught:
            read(path)
        assert "colour" not in str(caught.value)
