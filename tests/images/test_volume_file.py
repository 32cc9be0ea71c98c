"""NIfTI, NRRD and MetaImage: orientation, values, repairs and refusals (volume_file, meta_header, canonical)."""

import gzip
import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.images import read_volume
from pneumoscreen.images.faults import (
    AbsentError,
    DamagedError,
    DimensionError,
    GeometryError,
    NonFiniteError,
    NotCTError,
    ObliqueError,
    TiltedError,
    TooFewSlicesError,
    UnsupportedError,
)

SUFFIXES = ["nii", "nii.gz", "nrrd", "nhdr", "mha", "mhd"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LAS", "RPI", "SPL", "PIR"])
def test_left_stays_left_in_every_format_and_orientation(tmp_path, chest, files, suffix, orientation):
    volume = read_volume(files.image(tmp_path / f"ct.{suffix}", chest, orientation))
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.stored_orientation == orientation
    assert volume.spacing_mm == pytest.approx(files.spacing)
    assert volume.origin_mm == pytest.approx(files.origin)
    np.testing.assert_allclose(volume.direction, np.eye(3), atol=1e-6)
    assert len(volume.notes) == (orientation != "LPS")
    assert volume.case_id == "ct"
    # The dense mark lies in the patient's left lung, at the top: at growing x and z.
    z, _, x = np.argwhere(np.abs(volume.hu - 250) < 40).mean(axis=0)
    assert volume.index_to_mm(np.array([z, 0, x]))[0] > files.origin[0] + 23.5 * files.spacing[0]


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "RPI", "LAI", "SPL", "PIR"])
def test_the_number_of_a_stored_slice_is_the_one_it_has_in_the_file(tmp_path, chest, files, orientation):
    path = files.image(tmp_path / "ct.nii", chest, orientation)
    volume = read_volume(path)
    in_file = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    upright = next(axis for axis, letter in enumerate(reversed(orientation)) if letter in "SI")
    for z, plane in enumerate(volume.hu):
        # In its plane a slice may be turned; its voxels are those of no other.
        stored = in_file.take(volume.stored_slice(z), axis=upright)
        np.testing.assert_array_equal(np.sort(stored, axis=None), np.sort(plane, axis=None))


def test_notes_name_what_was_turned(tmp_path, chest, files):
    def note(orientation):
        return read_volume(files.image(tmp_path / f"{orientation}.nii", chest, orientation)).notes[0]

    assert "RAS" in note("RAS")
    assert "head to feet" in note("RPI")
    assert "permuted" in note("SPL")


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_compressed_files(tmp_path, chest, files, suffix):
    volume = read_volume(files.image(tmp_path / f"ct.{suffix}", chest, compress=True))
    np.testing.assert_array_equal(volume.hu, chest)


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mhd"])
def test_sha256_covers_header_and_data(tmp_path, chest, files, suffix):
    path = files.image(tmp_path / f"ct.{suffix}", chest)
    data = path.read_bytes() + ((tmp_path / "ct.raw").read_bytes() if suffix == "mhd" else b"")
    assert read_volume(path).sha256 == hashlib.sha256(data).hexdigest()


def test_suffix_does_not_decide_on_gzip(tmp_path, chest, files):
    packed = files.image(tmp_path / "a.nii.gz", chest)
    (tmp_path / "b.nii").write_bytes(packed.read_bytes())
    (tmp_path / "c.nii.gz").write_bytes(gzip.decompress(packed.read_bytes()))
    for name in ("b.nii", "c.nii.gz"):
        np.testing.assert_array_equal(read_volume(tmp_path / name).hu, chest)


def nifti(path: Path, values_zyx, **fields):
    """A NIfTI with single header fields set, whatever they do to the image."""
    spacing = (-2.0, -1.5, 5.0)  # LPS, in the RAS of NIfTI
    image = nibabel.Nifti1Image(values_zyx.transpose(range(values_zyx.ndim)[::-1]), np.diag([*spacing, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    data = bytearray(path.read_bytes())
    header = nibabel.Nifti1Header(bytes(data[:348]))
    for name, value in fields.items():
        header.structarr[name] = value
    data[:348] = header.structarr.tobytes()
    path.write_bytes(data)
    return path


def test_scaled_and_big_endian_nifti(tmp_path, chest):
    stored = (chest + 1024).astype(">i2")
    path = nifti(tmp_path / "ct.nii", stored, scl_slope=1, scl_inter=-1024)
    np.testing.assert_array_equal(read_volume(path).hu, chest)


def test_trailing_dimension_of_one_is_no_dimension(tmp_path, chest):
    np.testing.assert_array_equal(read_volume(nifti(tmp_path / "ct.nii", chest[None])).hu, chest)


@pytest.mark.parametrize(("code", "factor"), [(1, 0.001), (3, 1000.0), (0, 1.0)])
def test_units_of_length(tmp_path, chest, files, code, factor):
    pixdim = np.array([1, 2.0, 1.5, 5.0, 0, 0, 0, 0]) * factor
    rows = {f"srow_{a}": np.eye(4)[k] * v * factor for k, (a, v) in enumerate(zip("xyz", (-2, -1.5, 5), strict=True))}
    volume = read_volume(nifti(tmp_path / "ct.nii", chest, xyzt_units=code, pixdim=pixdim, qform_code=0, **rows))
    assert volume.spacing_mm == pytest.approx(files.spacing, rel=1e-5)


def test_qform_alone_is_enough(tmp_path, chest, files):
    path = files.image(tmp_path / "ct.nii", chest, "RAS")
    data = bytearray(path.read_bytes())
    data[254:256] = (0).to_bytes(2, "little")  # sform_code
    path.write_bytes(data)
    np.testing.assert_array_equal(read_volume(path).hu, chest)


def turned_by(degrees: float) -> dict[str, float]:
    """Fields of a qform that is turned about the patient's long axis against the sform of ``nifti``."""
    # Half a turn about that axis comes first: the spacing of the file counts to the right and to the front.
    half = np.radians(degrees + 180.0) / 2
    return {"qform_code": 1, "quatern_b": 0.0, "quatern_c": 0.0, "quatern_d": np.sin(half)}


@pytest.mark.parametrize("degrees", [15.0, -4.0, 1.0])
def test_forms_that_turn_a_scan_against_each_other_are_refused(tmp_path, chest, degrees):
    path = nifti(tmp_path / "ct.nii", chest, **turned_by(degrees))
    # The far corner lies 94 mm in x and 58.5 mm in y from the first voxel.
    apart = 2 * np.hypot(94.0, 58.5) * np.sin(np.radians(abs(degrees)) / 2)
    with pytest.raises(GeometryError, match="contradicts itself on orientation") as caught:
        read_volume(path)
    assert f"{apart:.3g} apart" in str(caught.value)


def test_forms_that_differ_by_rounding_are_one(tmp_path, chest, files):
    path = nifti(tmp_path / "ct.nii", chest, **turned_by(0.3), qoffset_x=0.1)
    np.testing.assert_array_equal(read_volume(path).hu, chest)


def test_volume_in_ten_degrees_and_in_thirty(tmp_path, chest):
    for degrees in (10, 30):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        image = sitk.GetImageFromArray(chest)
        image.SetSpacing((2.0, 1.5, 5.0))
        image.SetDirection([1, 0, 0, 0, c, -s, 0, s, c])
        sitk.WriteImage(image, str(tmp_path / f"{degrees}.nrrd"))
    assert read_volume(tmp_path / "10.nrrd").hu.shape == chest.shape
    with pytest.raises(ObliqueError, match="30 degrees"):
        read_volume(tmp_path / "30.nrrd")


def test_float_values_are_rounded_and_clipped(tmp_path, chest, files):
    values = chest.astype(np.float64) + 0.3
    values[0, 0, 0], values[0, 0, 1] = -1100.0, 9000.0
    hu = read_volume(files.image(tmp_path / "ct.nrrd", values)).hu
    assert (hu[0, 0, 0], hu[0, 0, 1]) == (-1024, 3071)
    np.testing.assert_array_equal(hu[1:], np.maximum(chest[1:], -1024))


REFUSED_HEADERS = [
    ("pixdim", {"pixdim": np.array([1, 0, 0, 0, 0, 0, 0, 0])}, GeometryError, "spacing"),
    ("pixdim nan", {"pixdim": np.array([1, np.nan, 1, 1, 0, 0, 0, 0])}, GeometryError, "spacing"),
    ("no form", {"sform_code": 0, "qform_code": 0}, GeometryError, "left"),
    ("form nan", {"srow_x": np.array([np.nan, 0, 0, 0])}, GeometryError, "orientation"),
    ("flat form", {"srow_x": np.zeros(4)}, GeometryError, "orientation"),
    ("sheared", {"srow_y": np.array([0, -1.5, 0.5, 0]), "qform_code": 0}, TiltedError, "right angles"),
    ("mirrored", {"srow_x": np.array([2, 0, 0, 0]), "qform_code": 1}, GeometryError, "contradicts"),
    ("huge form", {"srow_x": np.array([1e38, 0, 0, 0]), "qform_code": 0}, GeometryError, "contradicts"),
    ("far away", {"srow_x": np.array([-2, 0, 0, 1e38]), "qform_code": 0}, GeometryError, "position"),
    ("elsewhere", {"qform_code": 1, "qoffset_z": 5.0}, GeometryError, "sform, qform and pixdim .* 5 apart"),
    ("spacing", {"srow_x": np.array([-2.06, 0, 0, 0]), "qform_code": 0}, GeometryError, "2.82 apart"),
    ("unit", {"xyzt_units": 5}, GeometryError, "unit"),
    ("rgb", {"datatype": 128, "bitpix": 24}, DimensionError, "colours"),
    ("complex", {"datatype": 32, "bitpix": 64}, DimensionError, "complex"),
    ("type", {"datatype": 77}, DamagedError, "header"),
    ("huge", {"dim": np.array([3, 4000, 4000, 4000, 1, 1, 1, 1])}, DimensionError, "4000"),
    ("more", {"dim": np.array([3, 48, 40, 500, 1, 1, 1, 1])}, DamagedError, "truncated"),
    ("negative", {"dim": np.array([3, -48, 40, 12, 1, 1, 1, 1])}, DimensionError, "-48"),
    ("two", {"dim": np.array([2, 48, 40, 1, 1, 1, 1, 1])}, DimensionError, "2 dimensions"),
    ("offset", {"vox_offset": np.nan}, DamagedError, "header"),
    ("slope", {"scl_slope": 1e30, "scl_inter": 0}, NotCTError, "scales"),
]


@pytest.mark.parametrize(
    ("fields", "error", "word"), [r[1:] for r in REFUSED_HEADERS], ids=[r[0] for r in REFUSED_HEADERS]
)
def test_refused_nifti_headers(tmp_path, chest, fields, error, word):
    path = nifti(tmp_path / "scan.nii", chest, **fields)
    with pytest.raises(error, match=word) as caught:
        read_volume(path)
    assert str(path) in str(caught.value)
    assert ";" in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_empty_false_and_absent(tmp_path, chest, files, suffix):
    path = files.image(tmp_path / f"ct.{suffix}", chest)
    with pytest.raises(AbsentError, match="does not exist"):
        read_volume(tmp_path / f"other.{suffix}")
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:60], b"", b"This is only a text, whatever its name says.\n" * 20):
        path.write_bytes(data)
        with pytest.raises(DamagedError, match=f"ct.{suffix}"):
            read_volume(path)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha"])
@pytest.mark.parametrize("compress", [True, False])
def test_a_file_that_lacks_its_last_bytes(tmp_path, chest, files, suffix, compress):
    path = files.image(tmp_path / f"ct.{suffix}", chest, compress=compress)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedError):
        read_volume(path)


@pytest.mark.parametrize("suffix", ["nii", "nrrd", "mha"])
def test_time_series_colours_and_pictures(tmp_path, chest, files, suffix):
    path = tmp_path / f"ct.{suffix}"
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(chest)] * 2), str(path))
    with pytest.raises(DimensionError):
        read_volume(path)
    sitk.WriteImage(sitk.Compose([sitk.GetImageFromArray((chest % 256).astype(np.uint8))] * 3), str(path))
    with pytest.raises(DimensionError):
        read_volume(path)
    files.image(path, chest[:5])
    with pytest.raises(TooFewSlicesError, match="5 axial slices"):
        read_volume(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_nan_and_infinite_values(tmp_path, chest, files, suffix, bad):
    values = chest.astype(np.float32)
    values[3, 4, 5] = bad
    with pytest.raises(NonFiniteError, match="NaN"):
        read_volume(files.image(tmp_path / f"ct.{suffix}", values))


def rewrite(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    return path


REFUSED_TEXTS = [
    ("nrrd", b"space directions:", b"#pace directions:", GeometryError, "spacing"),
    ("nrrd", b"space: ", b"#pace: ", GeometryError, "left"),
    ("nrrd", b"encoding: raw", b"encoding: hex", UnsupportedError, "encoding"),
    ("nrrd", b"type: short", b"type: block", DimensionError, "grey"),
    ("nrrd", b"sizes: 48", b"sizes: xx", DamagedError, "header"),
    ("nrrd", b"(2,0,0)", b"(0,0,0)", GeometryError, "spacing"),
    ("nhdr", b"data file: ct.raw", b"data file: ../ct.raw", UnsupportedError, "folder"),
    ("mha", b"ElementSpacing = 2 1.5 5", b"ElementSpacing = 0 1.5 5", GeometryError, "spacing"),
    ("mha", b"ElementSpacing = ", b"Comment = ", GeometryError, "spacing"),
    ("mha", b"DimSize = 48", b"DimSize = -4", DimensionError, "-4"),
    ("mha", b"DimSize = 48 40 12", b"DimSize = 48 40 4000", DamagedError, "truncated"),
    ("mhd", b"= ct.raw", b"= gone.raw", DamagedError, "beside"),
    ("mhd", b"= ct.raw", b"= /etc/passwd", UnsupportedError, "folder"),
]


@pytest.mark.parametrize(("suffix", "old", "new", "error", "word"), REFUSED_TEXTS)
def test_refused_text_headers(tmp_path, chest, files, suffix, old, new, error, word):
    inner = tmp_path / "inner"
    inner.mkdir()
    path = files.image(inner / f"ct.{suffix}", chest)
    (tmp_path / "ct.raw").write_bytes(chest.tobytes())
    with pytest.raises(error, match=word):
        read_volume(rewrite(path, old, new))
