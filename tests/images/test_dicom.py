"""DICOM series: geometry, rescaling, repairs and refusals (dicom_header, dicom_series, dicom_pixels)."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pneumoscreen.errors import ImageError
from pneumoscreen.images import read_volume
from pneumoscreen.images.faults import (
    DamagedError,
    DimensionError,
    DoubledSlicesError,
    GeometryError,
    MissingSlicesError,
    MixedSeriesError,
    NotCTError,
    ObliqueError,
    TiltedError,
    TooFewSlicesError,
    UnsupportedError,
)


def test_shuffled_names_give_slices_by_position(tmp_path, chest, files):
    volume = read_volume(files.series(tmp_path / "ct", chest))
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.spacing_mm == pytest.approx(files.spacing)
    assert volume.origin_mm == pytest.approx(files.origin)
    assert (volume.stored_orientation, volume.notes, volume.approximate_hu) == ("LPS", (), False)
    assert volume.case_id == "ct"
    assert volume.series_uid


def test_sha256_is_of_the_files_in_order_of_position(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    paths = sorted(folder.iterdir(), key=lambda p: float(pydicom.dcmread(p).ImagePositionPatient[2]))
    expected = hashlib.sha256(b"".join(p.read_bytes() for p in paths)).hexdigest()
    assert read_volume(folder).sha256 == expected


def test_head_to_feet_numbering_does_not_turn_the_patient(tmp_path, chest, files):
    def renumber(ds, z):
        ds.InstanceNumber = 100 - z

    np.testing.assert_array_equal(read_volume(files.series(tmp_path / "ct", chest, renumber)).hu, chest)


def test_every_slice_has_its_own_rescale(tmp_path, chest, files):
    folder = tmp_path / "ct"
    folder.mkdir()
    for z in range(len(chest)):
        ds = files.slice(chest, z, "1.2.3", RescaleSlope=[1, 0.5, 2][z % 3], RescaleIntercept=-1024 - 8 * z)
        ds.BitsStored, ds.HighBit = 16, 15
        ds.save_as(folder / f"{z}.dcm", write_like_original=False)
    difference = np.abs(read_volume(folder).hu.astype(int) - chest)
    # A slope of 2 keeps every other value only.
    assert [difference[k::3].max() for k in range(3)] == [0, 0, 1]


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000", "RLE"])
def test_compressed_series_read_as_the_plain_ones(tmp_path, chest, files, compressor):
    folder = files.series(tmp_path / "ct", chest)
    files.recompress(folder, compressor)
    syntax = pydicom.dcmread(next(folder.iterdir())).file_meta.TransferSyntaxUID
    assert syntax.name.startswith({"JPEG": "JPEG Lossless", "JPEG2000": "JPEG 2000", "RLE": "RLE"}[compressor])
    np.testing.assert_array_equal(read_volume(folder).hu, chest)


def test_damaged_jpeg_is_refused_without_noise(tmp_path, chest, files, capfd):
    folder = files.series(tmp_path / "ct", chest)
    files.recompress(folder, "JPEG")
    path = sorted(folder.iterdir())[0]
    data = bytearray(path.read_bytes())
    data[-400:-200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(DamagedError, match="damaged"):
        read_volume(folder)
    assert capfd.readouterr().err == ""


def test_sagittal_series_is_permuted_and_says_so(tmp_path, chest, files):
    folder = tmp_path / "ct"
    folder.mkdir()
    sagittal = np.ascontiguousarray(chest.transpose(2, 0, 1)[:, ::-1])  # [x, z from the head, y]
    for k in range(len(sagittal)):
        ds = files.slice(sagittal, k, "1.2.3", ImageOrientationPatient=[0, 1, 0, 0, 0, -1], PixelSpacing=[5.0, 1.5])
        top = files.origin[2] + 5.0 * (len(chest) - 1)
        ds.ImagePositionPatient = [files.origin[0] + 2.0 * k, files.origin[1], top]
        ds.save_as(folder / f"{k}.dcm", write_like_original=False)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.spacing_mm == pytest.approx(files.spacing)
    assert "sagittal" in volume.notes[0]


@pytest.mark.parametrize("intercepts", [[-1024.0] * 12, [-1024.0 - k for k in range(12)]])
def test_multi_frame_ct_in_any_order_of_frames(tmp_path, chest, files, intercepts):
    order = [3, 0, 7, 1, 2, 11, 10, 4, 5, 9, 6, 8]
    volume = read_volume(files.enhanced(tmp_path / "multi.dcm", chest, order, intercepts))
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.spacing_mm == pytest.approx(files.spacing)
    assert volume.origin_mm == pytest.approx(files.origin)


def test_low_padding_becomes_air(tmp_path, chest, files):
    def pad(ds, z):
        stored = np.frombuffer(ds.PixelData, "<u2").astype("<i2").reshape(ds.Rows, ds.Columns) - 1024
        stored[:3] = -2000
        ds.PixelData = stored.astype("<i2").tobytes()
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 1
        ds.RescaleIntercept = 0
        ds.PixelPaddingValue = -2000

    volume = read_volume(files.series(tmp_path / "ct", chest, pad))
    assert (volume.hu[:, :3] == -1024).all()
    np.testing.assert_array_equal(volume.hu[:, 3:], chest[:, 3:])
    assert "Padding" in volume.notes[0]
    assert "7.5 %" in volume.notes[0]


def test_high_padding_becomes_air_and_a_wrong_one_is_not_believed(tmp_path, chest, files):
    def pad(ds, z):
        stored = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns).copy()
        stored[:3] = 4095
        ds.PixelData = stored.tobytes()
        ds.PixelPaddingValue = 4095

    def water(ds, z):
        ds.PixelPaddingValue = 1024 + 40

    assert (read_volume(files.series(tmp_path / "high", chest, pad)).hu[:, :3] == -1024).all()
    np.testing.assert_array_equal(read_volume(files.series(tmp_path / "water", chest, water)).hu, chest)


@pytest.mark.parametrize("inverted", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_monochrome1_is_turned_by_what_the_border_shows(tmp_path, chest, files, inverted, signed):
    def change(ds, z):
        stored = np.frombuffer(ds.PixelData, "<u2").astype(np.int32)
        if signed:
            ds.BitsStored, ds.HighBit, ds.PixelRepresentation, ds.RescaleIntercept = 16, 15, 1, 0
            stored -= 1024
        if inverted:
            stored = (-1 if signed else 4095) - stored
        ds.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()

    volume = read_volume(files.series(tmp_path / "ct", chest, change, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(volume.hu, chest)
    assert "MONOCHROME1" in volume.notes[0]
    assert ("inverted back" in volume.notes[0]) == inverted


def test_missing_intercept_is_recognised(tmp_path, chest, files):
    volume = read_volume(files.series(tmp_path / "ct", chest, RescaleIntercept=None, RescaleSlope=None))
    np.testing.assert_array_equal(volume.hu, chest)
    assert "intercept" in volume.notes[0]


def test_scout_view_within_the_series_is_left_out(tmp_path, chest, files):
    def scout(ds, z):
        if z == 11:
            ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    volume = read_volume(files.series(tmp_path / "ct", chest, scout))
    np.testing.assert_array_equal(volume.hu, chest[:11])
    assert "scout" in volume.notes[0]


def test_a_scout_view_that_does_not_say_so_is_left_out(tmp_path, chest, files):
    def scout(ds, z):
        if z == 11:
            ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    volume = read_volume(files.series(tmp_path / "ct", chest, scout))
    np.testing.assert_array_equal(volume.hu, chest[:11])
    assert volume.notes[0] == "1 scout view in the series was left out."


def test_more_slices_of_another_orientation_are_nobodys_scout_views(tmp_path, chest, files):
    def others(ds, z):
        if z >= 10:
            ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    with pytest.raises(MixedSeriesError, match="orientations"):
        read_volume(files.series(tmp_path / "ct", chest, others))

    def slanted(ds, z):
        if z == 11:
            ds.ImageOrientationPatient = [1, 0, 0, 0, 0.8, -0.6]

    with pytest.raises(MixedSeriesError, match="orientations"):
        read_volume(files.series(tmp_path / "slanted", chest, slanted))


@pytest.mark.parametrize("modality", [None, "OT"])
def test_a_ct_without_a_modality_of_its_own_is_one_by_its_sop_class(tmp_path, chest, files, modality):
    np.testing.assert_array_equal(read_volume(files.series(tmp_path / "ct", chest, Modality=modality)).hu, chest)


def test_padding_of_63536_that_no_header_names_is_air(tmp_path, chest, files):
    def pad(ds, z):
        stored = np.frombuffer(ds.PixelData, "<u2").reshape(chest.shape[1:]).copy()
        stored[outside] = 63536  # -2000 without its sign
        ds.PixelData = stored.tobytes()

    y, x = np.mgrid[:40, :48]
    outside = np.hypot((x - 23.5) / 24, (y - 19.5) / 20) > 1.1
    for bits in (12, 16):
        volume = read_volume(files.series(tmp_path / str(bits), chest, pad, BitsStored=bits, HighBit=bits - 1))
        assert (volume.hu[:, outside] == -1024).all()
        np.testing.assert_array_equal(volume.hu[:, ~outside], chest[:, ~outside])
        assert [note for note in volume.notes if "Padding" in note]


def at(slices, **fields):
    def change(ds, z):
        if z in slices:
            for keyword, value in fields.items():
                setattr(ds, keyword, value)

    return change


def shift(ds, z):
    ds.ImagePositionPatient = [-40, -30 + 2.0 * z, -100 + 5.0 * z]


def tilt(ds, z):
    # Gantry turned by 15 degrees, table moving along z.
    angle = np.radians(15)
    ds.ImageOrientationPatient = [1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle))]


def turn(ds, z, degrees):
    angle = np.radians(degrees)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    ds.ImageOrientationPatient = [c, s, 0, -s, c, 0]


REFUSALS = [
    ("mr", {"Modality": "MR"}, None, NotCTError, "MR"),
    ("pt", {"Modality": "PT"}, None, NotCTError, "PT"),
    ("cr", {"Modality": "CR"}, None, NotCTError, "radiograph"),
    ("none", {"Modality": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, None, NotCTError, "modality"),
    ("screenshot", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, None, NotCTError, "screenshots"),
    ("no spacing", {"PixelSpacing": None}, None, GeometryError, "PixelSpacing"),
    ("zero spacing", {"PixelSpacing": [0, 0]}, None, GeometryError, "PixelSpacing"),
    ("no position", {"ImagePositionPatient": None}, None, GeometryError, "ImagePositionPatient"),
    ("no orientation", {"ImageOrientationPatient": None}, None, GeometryError, "ImageOrientationPatient"),
    ("metres", {"PixelSpacing": [0.0015, 0.002]}, None, GeometryError, "mm"),
    ("slope", {"RescaleSlope": 0.25}, at({3}, RescaleSlope=0), GeometryError, "slope"),
    ("header tilt", {"GantryDetectorTilt": 12}, None, TiltedError, "tilted"),
    ("header tilt of a degree", {"GantryDetectorTilt": -1}, None, TiltedError, "tilted"),
    ("tilt", {}, tilt, TiltedError, "tilted"),
    ("shear", {}, shift, TiltedError, "tilted"),
    ("turned", {}, partial(turn, degrees=30), ObliqueError, "30 degrees"),
    ("turned a little", {}, partial(turn, degrees=21), ObliqueError, "21 degrees"),
    ("doubled", {}, at({5}, ImagePositionPatient=[-40, -30, -80]), DoubledSlicesError, "position"),
    ("uneven", {}, at({11}, ImagePositionPatient=[-40, -30, -37]), MissingSlicesError, "13.00 mm"),
    ("a little uneven", {}, at({11}, ImagePositionPatient=[-40, -30, -44]), MissingSlicesError, "6.00 mm"),
    ("turns", {}, at({6}, ImageOrientationPatient=[0, 1, 0, 1, 0, 0]), MixedSeriesError, "orientations"),
    ("spacings", {}, at({6}, PixelSpacing=[1, 1]), MixedSeriesError, "spacings"),
    ("sizes", {}, at({6}, Rows=20, Columns=96), MixedSeriesError, "sizes"),
    (
        "colour",
        {},
        at({6}, SamplesPerPixel=3, PhotometricInterpretation="RGB", PixelData=bytes(12000)),
        DimensionError,
        "colour",
    ),
    ("claims", {}, at(range(12), Rows=60000, Columns=60000), DamagedError, "fewer pixels"),
    ("cut pixels", {}, at({6}, PixelData=bytes(100)), DamagedError, "damaged"),
]


@pytest.mark.parametrize(("fields", "change", "error", "word"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_refused_with_a_sentence(tmp_path, chest, files, fields, change, error, word):
    folder = files.series(tmp_path / "scan", chest, change, **fields)
    with pytest.raises(error) as caught:
        read_volume(folder)
    message = str(caught.value)
    assert word in message
    assert str(folder) in message
    assert ";" in message
    assert "Mustermann" not in message
    assert "Erika" not in message


def test_what_just_passes_is_read(tmp_path, chest, files):
    change = at({11}, ImagePositionPatient=[-40, -30, -44.6])
    assert read_volume(files.series(tmp_path / "uneven", chest, change)).hu.shape[0] == 12
    assert read_volume(files.series(tmp_path / "tilt", chest, GantryDetectorTilt=0.4)).hu.shape[0] == 12
    turned = read_volume(files.series(tmp_path / "turned", chest, partial(turn, degrees=19)))
    assert turned.direction[1, 0] == pytest.approx(np.sin(np.radians(19)))


def test_missing_slice_is_refused(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    next(p for p in folder.iterdir() if pydicom.dcmread(p).InstanceNumber == 6).unlink()
    with pytest.raises(MissingSlicesError, match=r"10\.00 mm after slice 5"):
        read_volume(folder)


def test_seven_slices_are_too_few_and_eight_are_not(tmp_path, chest, files):
    with pytest.raises(TooFewSlicesError, match="7 slices"):
        read_volume(files.series(tmp_path / "seven", chest[:7]))
    assert read_volume(files.series(tmp_path / "eight", chest[4:])).hu.shape[0] == 8


def test_small_rotation_is_read_as_it_is(tmp_path, chest, files):
    angle = np.radians(5)
    c, s = float(np.cos(angle)), float(np.sin(angle))

    volume = read_volume(files.series(tmp_path / "ct", chest, ImageOrientationPatient=[c, s, 0, -s, c, 0]))
    np.testing.assert_array_equal(volume.hu, chest)
    np.testing.assert_allclose(volume.direction[:, 0], [c, s, 0], atol=1e-6)


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:200], lambda b: b"hello, this is text" * 40])
def test_one_damaged_file_spoils_its_series(tmp_path, chest, files, damage):
    folder = files.series(tmp_path / "ct", chest)
    path = folder / "IM0011.dcm"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ImageError, match="IM0011"):
        read_volume(folder)


def test_several_series_in_one_folder_need_find_inputs(tmp_path, chest, files):
    files.series(tmp_path, chest)
    one = next(tmp_path.iterdir())
    one.rename(tmp_path / "kept.dcm")
    for path in tmp_path.glob("IM*"):
        path.rename(path.with_name("a" + path.name))
    files.series(tmp_path, chest)
    with pytest.raises(MixedSeriesError, match="2 series"):
        read_volume(tmp_path)


def test_absent_folder(tmp_path: Path):
    with pytest.raises(ImageError, match="does not exist"):
        read_volume(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnsupportedError, match="no DICOM series"):
        read_volume(tmp_path / "empty")
