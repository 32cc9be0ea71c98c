"""DICOM radiographs: grey values as the file wants them shown, hung as a reader hangs them."""

import time

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from tests.images.radiographs import HEIGHT, MARKER, WIDTH, make_dataset, make_radiograph, write_dataset

from pneumoscreen.errors import ImageError
from pneumoscreen.images.dicom_file import read_headers
from pneumoscreen.images.faults import DamagedError, DimensionError, NotRadiographError
from pneumoscreen.images.radiograph_dicom import read_dicom_radiograph

UPRIGHT = make_radiograph().astype(np.float32)


def read(path):
    return read_dicom_radiograph(read_headers(path))


def written(tmp_path, stored=None, **fields):
    return read(write_dataset(tmp_path / "x.dcm", stored, **fields))


def agree(values, wanted=UPRIGHT):
    """Whether two pictures are the same up to a linear scale of the grey values."""
    return values.shape == wanted.shape and np.corrcoef(values.ravel(), wanted.ravel())[0, 1] > 0.9999


def test_plain(tmp_path):
    raw = written(tmp_path)
    np.testing.assert_array_equal(raw.values, UPRIGHT)
    assert raw.values.dtype == np.float32
    assert (raw.spacing_mm, raw.series_uid, raw.notes) == ((0.2, 0.3), "1.2.3.4", ())
    assert raw.values[MARKER].mean() > 4000, "the marker is on the right of the picture"


def test_monochrome1_is_inverted_back(tmp_path):
    raw = written(tmp_path, 4095 - make_radiograph(), PhotometricInterpretation="MONOCHROME1")
    assert agree(raw.values)
    assert "MONOCHROME1" in raw.notes[0]


@pytest.mark.parametrize("sop_class", [ComputedRadiographyImageStorage, SecondaryCaptureImageStorage, CTImageStorage])
def test_rescale_does_not_depend_on_the_sop_class(tmp_path, sop_class):
    raw = written(tmp_path, SOPClassUID=sop_class, RescaleSlope=0.5, RescaleIntercept=-100)
    np.testing.assert_allclose(raw.values, UPRIGHT * 0.5 - 100)


def test_an_inverting_rescale(tmp_path):
    raw = written(tmp_path, 4095 - make_radiograph(), RescaleSlope=-1, RescaleIntercept=4095)
    np.testing.assert_allclose(raw.values, UPRIGHT)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_clips(tmp_path, photometric):
    raw = written(tmp_path, WindowCenter=2000, WindowWidth=2000, PhotometricInterpretation=photometric)
    ends = raw.values[UPRIGHT < 990], raw.values[UPRIGHT > 3010]
    assert all(len(np.unique(end)) == 1 for end in ends)
    assert (ends[0][0] < ends[1][0]) == (photometric == "MONOCHROME2")


def test_the_first_of_several_windows(tmp_path):
    raw = written(tmp_path, WindowCenter=[2048, 100], WindowWidth=[4096, 10])
    assert agree(raw.values)


def test_a_window_that_shows_nothing_is_left_out(tmp_path):
    raw = written(tmp_path, WindowCenter=40_000, WindowWidth=10)
    np.testing.assert_array_equal(raw.values, UPRIGHT)
    assert "window" in raw.notes[0]


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 2048, "WindowWidth": 0},
        {"WindowCenter": 2048, "WindowWidth": -4096},
        {"WindowCenter": [2048, 2048], "WindowWidth": [0, -1]},
        {"WindowCenter": 2048, "WindowWidth": -5, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 0.5, "WindowWidth": 0.4},
        {"WindowWidth": 400},
    ],
    ids=["zero", "negative", "none of two", "sigmoid", "below one", "no centre"],
)
def test_a_window_without_a_width_is_left_out(tmp_path, window):
    raw = written(tmp_path, **window)
    np.testing.assert_array_equal(raw.values, UPRIGHT)
    assert raw.notes == ("The window in the file has no width; all grey values were taken.",)


def test_the_first_sound_one_of_several_windows(tmp_path):
    raw = written(tmp_path, WindowCenter=[100, 2048], WindowWidth=[0, 4096])
    assert agree(raw.values)
    assert raw.notes == ("The first window in the file has no width; the next one was taken.",)


def test_a_lut_stands_for_a_window_without_a_width(tmp_path):
    curve = (np.arange(4096) ** 2 // 300).astype(int)
    raw = written(tmp_path, VOILUTSequence=lut(curve, 0), WindowCenter=10, WindowWidth=0)
    np.testing.assert_array_equal(raw.values, curve[make_radiograph()])
    assert raw.notes == ()


def lut(values, first, bits=16):
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = np.asarray(values, "<u2").tobytes()
    item["LUTDescriptor"].VR = "US"
    item["LUTData"].VR = "OW"
    return Sequence([item])


def test_voi_lut_goes_before_the_window(tmp_path):
    curve = (np.arange(4096) ** 2 // 300).astype(int)
    raw = written(tmp_path, VOILUTSequence=lut(curve, 0), WindowCenter=10, WindowWidth=5)
    np.testing.assert_array_equal(raw.values, curve[make_radiograph()])


def test_modality_lut_and_window_after_it(tmp_path):
    curve = 60_000 - 10 * np.arange(4096)
    raw = written(tmp_path, ModalityLUTSequence=lut(curve, 0), WindowCenter=40_000, WindowWidth=60_000)
    assert agree(-raw.values)


def test_a_broken_lut_is_refused_with_a_sentence(tmp_path):
    broken = lut(np.arange(10), 0)
    broken[0].LUTDescriptor = [4096, 0, 16]
    with pytest.raises(DamagedError, match="lookup table"):
        written(tmp_path, VOILUTSequence=broken)


STORED = {
    ("L", "F"): UPRIGHT,
    ("R", "F"): UPRIGHT[:, ::-1],
    ("L", "H"): UPRIGHT[::-1],
    ("R", "H"): UPRIGHT[::-1, ::-1],
    ("F", "L"): UPRIGHT.T,
    ("H", "L"): UPRIGHT.T[:, ::-1],
    ("F", "R"): UPRIGHT.T[::-1],
    ("H", "R"): UPRIGHT.T[::-1, ::-1],
    ("RF", "FL"): UPRIGHT[:, ::-1],
}


@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_or_mirrored_picture_is_turned_back(tmp_path, orientation):
    raw = written(tmp_path, STORED[orientation], PatientOrientation=list(orientation))
    np.testing.assert_array_equal(raw.values, UPRIGHT)
    assert raw.spacing_mm == ((0.3, 0.2) if orientation[0] in "FH" else (0.2, 0.3))
    assert any("PatientOrientation" in note for note in raw.notes) == (orientation != ("L", "F"))


@pytest.mark.parametrize("orientation", [None, "", ["L"], ["X", "Y"], ["L", "R"]])
def test_no_sound_orientation_is_none(tmp_path, orientation):
    np.testing.assert_array_equal(written(tmp_path, PatientOrientation=orientation).values, UPRIGHT)


OTHER_VIEWS = {
    "LL": {"ViewPosition": "LL"},
    "RL": {"ViewPosition": "RL"},
    "lateral": {"ViewPosition": "LATERAL"},
    "oblique": {"ViewPosition": "RAO"},
    "to the front": {"ViewPosition": None, "PatientOrientation": ["A", "F"]},
    "to the back": {"PatientOrientation": ["P", "F"]},
    "axial": {"PatientOrientation": ["L", "P"]},
    "series": {"ViewPosition": "", "SeriesDescription": "Chest LAT"},
}


@pytest.mark.parametrize("fields", OTHER_VIEWS.values(), ids=OTHER_VIEWS)
def test_other_views_are_refused(tmp_path, fields):
    with pytest.raises(NotRadiographError, match="frontal") as caught:
        written(tmp_path, **fields)
    assert str(tmp_path / "x.dcm") in str(caught.value)
    assert "uster" not in str(caught.value)


def test_the_coded_view(tmp_path):
    code = Dataset()
    code.CodeMeaning = "left-lateral"
    with pytest.raises(NotRadiographError, match="frontal"):
        written(tmp_path, ViewPosition=None, ViewCodeSequence=Sequence([code]))
    code.CodeMeaning = "postero-anterior"
    assert agree(written(tmp_path, ViewPosition=None, ViewCodeSequence=Sequence([code])).values)


@pytest.mark.parametrize("fields", [
    {"ViewPosition": "AP"},
    {"ViewPosition": "", "SeriesDescription": "view: PA"},
    {"ViewPosition": None, "SeriesDescription": "Chest PA and lateral"},
    {"ViewPosition": None, "SeriesDescription": "Bilateral ribs"},
    {"ViewPosition": None, "PatientOrientation": None},
])  # fmt: skip
def test_frontal_and_unstated_views_are_read(tmp_path, fields):
    assert agree(written(tmp_path, **fields).values)


@pytest.mark.parametrize(("fields", "spacing", "noted"), [
    ({"PixelSpacing": None}, None, False),
    ({"PixelSpacing": None, "ImagerPixelSpacing": [0.15, 0.14]}, (0.14, 0.15), True),
    ({"PixelSpacing": [0.15, 0.14], "ImagerPixelSpacing": [0.15, 0.14]}, (0.14, 0.15), True),
    ({"PixelSpacing": [0.13, 0.13], "ImagerPixelSpacing": [0.15, 0.15]}, (0.13, 0.13), False),
    ({"PixelSpacing": [0, 0]}, None, False),
    ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.15, 0.14]}, (0.14, 0.15), True),
])  # fmt: skip
def test_spacing(tmp_path, fields, spacing, noted):
    raw = written(tmp_path, **fields)
    assert raw.spacing_mm == spacing
    assert any("detector" in note for note in raw.notes) == noted


def test_an_aspect_ratio_without_a_spacing(tmp_path):
    raw = written(tmp_path, PixelSpacing=None, PixelAspectRatio=[3, 2])
    assert raw.spacing_mm == (1.0, 1.5)
    assert "1.5 times as high as wide" in raw.notes[0]
    turned = written(tmp_path, UPRIGHT.T, PixelSpacing=None, PixelAspectRatio=[3, 2], PatientOrientation=["F", "L"])
    assert turned.spacing_mm == (1.5, 1.0)


@pytest.mark.parametrize("ratio", [[1, 1], [0, 1], [1, 0], [-3, 2], [1, 1000]])
def test_no_aspect_ratio(tmp_path, ratio):
    assert written(tmp_path, PixelSpacing=None, PixelAspectRatio=ratio).spacing_mm is None
    assert written(tmp_path, PixelAspectRatio=ratio).spacing_mm == (0.2, 0.3)


def test_another_part_of_the_body_is_noted(tmp_path):
    assert written(tmp_path, BodyPartExamined="CHEST").notes == ()
    assert "another part" in written(tmp_path, BodyPartExamined="HAND").notes[0]


@pytest.mark.parametrize(
    ("age", "is_child"), [("007Y", True), ("015Y", True), ("016Y", False), ("020M", True), ("999D", True), ("", False)]
)
def test_a_childs_age_in_the_header_is_noted(tmp_path, age, is_child):
    notes = written(tmp_path, PatientAge=age).notes
    assert any("this is a child" in note for note in notes) is is_child


def test_padding_is_dark_and_inner_values_like_it_are_not(tmp_path):
    stored = make_radiograph()
    stored[:, :20] = stored[:, -8:] = 4000
    stored[100:110, 95:105] = 4000
    raw = written(tmp_path, stored, PixelPaddingValue=4000)
    assert (raw.values[:, :20] == raw.values.min()).all()
    assert (raw.values[100:110, 95:105] == 4000).all()
    raw = written(tmp_path, 4095 - stored, PixelPaddingValue=95, PhotometricInterpretation="MONOCHROME1")
    assert (raw.values[:, :20] == raw.values.min()).all()


@pytest.mark.parametrize("syntax", [RLELossless, ImplicitVRLittleEndian, ExplicitVRBigEndian, "JPEG", "JPEG2000"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_transfer_syntaxes(tmp_path, syntax, photometric):
    path = tmp_path / "x.dcm"
    inverted = photometric == "MONOCHROME1"
    stored = 4095 - make_radiograph() if inverted else make_radiograph()
    ds = make_dataset(stored, PhotometricInterpretation=photometric, RescaleSlope=2, RescaleIntercept=-7)
    if syntax == RLELossless:
        ds.compress(RLELossless)
        ds.save_as(path, write_like_original=False)
    elif syntax in ("JPEG", "JPEG2000"):
        ds = compressed(ds, tmp_path / "y.dcm", syntax)
        ds.save_as(path, write_like_original=False)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
        ds.is_implicit_VR = syntax == ImplicitVRLittleEndian
        ds.is_little_endian = syntax != ExplicitVRBigEndian
        ds.PixelData = stored.astype("<u2" if ds.is_little_endian else ">u2").tobytes()
        ds.save_as(path, write_like_original=False)
    raw = read(path)
    wanted = stored * 2.0 - 7
    np.testing.assert_allclose(raw.values, -wanted if inverted else wanted)


def compressed(ds, path, compressor):
    """The data set with its pixels compressed by GDCM without loss."""
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.SetFileName(str(path))
    writer.Execute(sitk.GetImageFromArray(np.frombuffer(ds.PixelData, "<u2").reshape(1, HEIGHT, WIDTH)))
    packed = pydicom.dcmread(path)
    ds["PixelData"] = packed["PixelData"]
    ds.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
    ds.BitsStored, ds.HighBit, ds.BitsAllocated = packed.BitsStored, packed.HighBit, packed.BitsAllocated
    return ds


def test_a_file_without_preamble_and_meta_header(tmp_path):
    ds = make_dataset(make_radiograph())
    bare = Dataset()
    bare.update(ds)
    bare.SpecificCharacterSet = "ISO_IR 100"
    bare.is_little_endian, bare.is_implicit_VR = True, True
    bare.save_as(tmp_path / "x.dcm", write_like_original=True)
    np.testing.assert_array_equal(read(tmp_path / "x.dcm").values, UPRIGHT)


def test_colour(tmp_path):
    fields = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    fields |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    grey = make_radiograph(255).astype(np.uint8)
    for colours, refused in (([grey, grey, grey], False), ([grey, grey // 3, grey], True)):
        ds = make_dataset(make_radiograph(), **fields)
        ds.PixelData = np.dstack(colours).tobytes()
        ds.save_as(tmp_path / "x.dcm", write_like_original=False)
        if refused:
            with pytest.raises(NotRadiographError, match="colour"):
                read(tmp_path / "x.dcm")
        else:
            assert np.abs(read(tmp_path / "x.dcm").values - grey).max() < 1


@pytest.mark.parametrize("modality", ["MG", "US", "XA", "CT"])
def test_other_modalities_are_refused(tmp_path, modality):
    with pytest.raises(NotRadiographError, match="modality"):
        written(tmp_path, Modality=modality)


@pytest.mark.parametrize("modality", ["", None, "OT"])
def test_without_a_modality_of_its_own_the_sop_class_decides(tmp_path, modality):
    for sop_class in (ComputedRadiographyImageStorage, f"{ComputedRadiographyImageStorage}.1.1"):
        np.testing.assert_array_equal(written(tmp_path, Modality=modality, SOPClassUID=sop_class).values, UPRIGHT)
    with pytest.raises(NotRadiographError, match="modality"):
        written(tmp_path, Modality=modality, SOPClassUID=SecondaryCaptureImageStorage)


def test_several_frames_are_refused(tmp_path):
    ds = make_dataset(make_radiograph(), NumberOfFrames=2)
    ds.PixelData = ds.PixelData * 2
    ds.save_as(tmp_path / "x.dcm", write_like_original=False)
    with pytest.raises(NotRadiographError, match="several"):
        read(tmp_path / "x.dcm")


@pytest.mark.parametrize("shape", [(1, 1), (60, 200), (20_000, 20_000), (70, 300)])
def test_sizes_no_radiograph_has(tmp_path, shape):
    ds = make_dataset(make_radiograph(), Rows=shape[0], Columns=shape[1])
    # Compressed pixels may be of any length.
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8" * 20])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "x.dcm", write_like_original=False)
    with pytest.raises(DimensionError, match="pixels"):
        read(tmp_path / "x.dcm")


@pytest.mark.parametrize("kept", [100, 400, 900, 2000, 60_000])
def test_truncated_files(tmp_path, kept, capfd):
    path = write_dataset(tmp_path / "x.dcm")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ImageError, match=r"x\.dcm"):
        read_or_nothing(path)
    assert capfd.readouterr() == ("", "")


def read_or_nothing(path):
    headers = read_headers(path)
    if not headers:
        raise DamagedError(f"{path} holds no image")
    return read_dicom_radiograph(headers)


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_truncated_compressed_file(tmp_path, compressor):
    path = tmp_path / "x.dcm"
    compressed(make_dataset(make_radiograph()), tmp_path / "y.dcm", compressor).save_as(path, write_like_original=False)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DamagedError, match=r"x\.dcm"):
        read(path)


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_truncated_compressed_pixels(tmp_path, compressor, capfd):
    ds = compressed(make_dataset(make_radiograph()), tmp_path / "y.dcm", compressor)
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 3]
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "x.dcm", write_like_original=False)
    with pytest.raises(DamagedError, match="decoded"):
        read(tmp_path / "x.dcm")
    assert "uster" not in capfd.readouterr().err


def test_damaged_jpeg_says_nothing_but_its_sentence(tmp_path, capfd):
    compressed(make_dataset(make_radiograph()), tmp_path / "y.dcm", "JPEG").save_as(
        tmp_path / "x.dcm", write_like_original=False
    )
    whole = np.frombuffer((tmp_path / "x.dcm").read_bytes(), np.uint8)
    rng = np.random.default_rng(4)
    refused = 0
    for _ in range(40):
        broken = whole.copy()
        broken[rng.integers(len(whole) - 5000, len(whole), 8)] = rng.integers(0, 256, 8)
        (tmp_path / "x.dcm").write_bytes(broken.tobytes())
        try:
            read_or_nothing(tmp_path / "x.dcm")
        except ImageError:
            refused += 1
    assert refused > 0
    assert capfd.readouterr() == ("", "")


def test_a_damaged_field_is_refused_only_if_it_is_needed(tmp_path):
    path = write_dataset(tmp_path / "x.dcm", BodyPartExamined="CHEST", ProtocolName="CHEST")
    whole = path.read_bytes()
    for field, needed in ((b"\x18\x00\x15\x00CS", True), (b"\x18\x00\x30\x10LO", False)):
        path.write_bytes(whole.replace(field, field[:4] + b"CZ"))
        if needed:
            with pytest.raises(DamagedError, match="damaged"):
                read(path)
        else:
            assert agree(read(path).values)


def test_a_large_radiograph_is_read_fast(tmp_path):
    large = np.kron(make_radiograph(), np.ones((13, 10), np.uint16))
    path = write_dataset(tmp_path / "x.dcm", large)
    started = time.perf_counter()
    assert read(path).values.shape == (2080, 2000)
    assert time.perf_counter() - started < 5
