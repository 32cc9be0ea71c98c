"""From a file to a radiograph, or a sentence that says why not."""

import hashlib

import numpy as np
import pytest
from PIL import Image
from tests.images.radiographs import HEIGHT, MARKER, WIDTH, make_radiograph, write_dataset

from pneumoscreen.errors import ImageError
from pneumoscreen.images import Input, Radiograph, find_inputs, read_input, read_radiograph, read_volume
from pneumoscreen.images.faults import (
    AbsentError,
    DamagedError,
    DimensionError,
    NonFiniteError,
    NotCTError,
    NotRadiographError,
    UnsupportedError,
)
from pneumoscreen.images.radiograph_likeness import likeness
from pneumoscreen.images.radiograph_reader import read_radiograph_file


def save(path, values):
    Image.fromarray(values).save(path)
    return path


def grey():
    return make_radiograph(255).astype(np.uint8)


def test_a_picture(tmp_path):
    path = save(tmp_path / "my chest.png", grey())
    read = read_radiograph_file(path)
    assert isinstance(read, Radiograph)
    assert read.pixels.dtype == np.float32 and read.pixels.shape == (HEIGHT, WIDTH)
    assert (read.pixels.min(), read.pixels.max()) == (0, 1)
    assert read.pixels[MARKER].mean() > 0.99
    assert (read.spacing_mm, read.content, read.series_uid) == ((1.0, 1.0), (0, 0, WIDTH, HEIGHT), None)
    assert (read.case_id, read.source) == ("my_chest", path)
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (note,) = read.notes
    assert "1 mm" in note
    assert read.image_info().size == (WIDTH, HEIGHT)


def test_dicom_and_picture_of_one_chest_agree(tmp_path):
    picture = read_radiograph_file(save(tmp_path / "x.png", make_radiograph(65535)))
    dicom = read_radiograph_file(
        write_dataset(tmp_path / "x.dcm", 4095 - make_radiograph(), PhotometricInterpretation="MONOCHROME1")
    )
    assert np.abs(picture.pixels - dicom.pixels).max() < 0.01
    assert (dicom.spacing_mm, dicom.series_uid) == ((0.2, 0.3), "1.2.3.4")


def test_grey_values_are_scaled_by_the_content_alone(tmp_path):
    inner = (grey() // 2 + 60).astype(np.uint8)
    whole = np.pad(inner, ((40, 30), (60, 50)), constant_values=255)
    read = read_radiograph_file(save(tmp_path / "x.png", whole))
    alone = read_radiograph_file(save(tmp_path / "y.png", inner))
    assert read.content == (60, 40, WIDTH, HEIGHT)
    assert any("border" in note for note in read.notes)
    np.testing.assert_array_equal(read.pixels[40 : 40 + HEIGHT, 60 : 60 + WIDTH], alone.pixels)
    assert read.pixels.max() == 1


def test_a_few_bright_pixels_do_not_set_the_scale(tmp_path):
    values = make_radiograph(10_000)
    values[80, 80:90] = 65_535
    pixels = read_radiograph_file(save(tmp_path / "x.png", values)).pixels
    assert np.abs(pixels - read_radiograph_file(save(tmp_path / "y.png", make_radiograph(10_000))).pixels).mean() < 0.01


def test_the_inputs_of_find_inputs_are_read(tmp_path):
    save(tmp_path / "a.png", grey())
    write_dataset(tmp_path / "Mustermann.dcm")
    dicom, picture = (read_radiograph(item) for item in find_inputs([tmp_path / "Mustermann.dcm", tmp_path / "a.png"]))
    assert picture.case_id == "a"
    assert dicom.case_id.startswith("case_")


def test_a_ct_is_no_radiograph_and_the_reverse(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    (given,) = find_inputs([folder])
    with pytest.raises(NotRadiographError, match="CT"):
        read_radiograph(given)
    with pytest.raises(NotRadiographError, match="CT"):
        read_radiograph_file(files.image(tmp_path / "ct.nii.gz", chest))
    with pytest.raises(UnsupportedError, match="single DICOM slice"):
        read_radiograph_file(next(folder.iterdir()))
    with pytest.raises(UnsupportedError, match="folder"):
        read_radiograph_file(folder)
    for path in (save(tmp_path / "x.png", grey()), write_dataset(tmp_path / "x.dcm")):
        with pytest.raises(NotCTError, match="X-ray"):
            read_volume(path)
        with pytest.raises(NotCTError, match="X-ray"):
            read_input(Input("x", path, modality="CXR"))


def with_nan():
    values = make_radiograph().astype(np.float32)
    values[5, 5] = np.nan
    return values


def ct_slice():
    y, x = np.mgrid[:256, :256]
    body = ((x - 128) / 100) ** 2 + ((y - 128) / 75) ** 2
    values = np.where(body < 1, 180, 0)
    for center in (88, 168):
        values[((x - center) / 28) ** 2 + ((y - 125) / 45) ** 2 < 1] = 40
    noise = np.random.default_rng(2).normal(0, 3, values.shape)
    return np.clip(values + noise * (values > 0), 0, 255).astype(np.uint8)


REFUSALS = {
    "constant": (np.full((100, 100), 77, np.uint8), DamagedError, "same"),
    "mask": (np.kron(np.eye(2, dtype=np.uint8), np.full((50, 60), 255, np.uint8)), NotRadiographError, "mask"),
    "NaN": (with_nan(), NonFiniteError, "NaN"),
    "tiny": (grey()[:60], DimensionError, "60 pixels"),
    "long": (np.tile(grey(), (1, 4)), DimensionError, "800 x 160"),
    "tiny inside": (np.pad(grey()[50:100, 50:100], 100), DimensionError, "inside its border"),
    "negative": (255 - grey(), NotRadiographError, "negative"),
    "CT slice": (ct_slice(), NotRadiographError, "CT"),
}


@pytest.mark.parametrize(("values", "error", "word"), REFUSALS.values(), ids=REFUSALS)
def test_pictures_that_are_no_radiograph(tmp_path, values, error, word):
    path = save(tmp_path / ("x.tif" if values.dtype == np.float32 else "x.png"), values)
    with pytest.raises(error, match=word) as caught:
        read_radiograph_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "error"), [("gone.png", AbsentError), ("x.txt", UnsupportedError), (".", ImageError)])
def test_paths_that_are_no_radiograph(tmp_path, name, error):
    (tmp_path / "x.txt").write_text("text", encoding="utf-8")
    with pytest.raises(error):
        read_radiograph_file(tmp_path / name)


def test_likeness_of_a_chest_and_its_negative():
    values = make_radiograph().astype(np.float32)
    assert likeness(values) > 0.3
    assert likeness(-values) == pytest.approx(-likeness(values), abs=1e-5)
    assert likeness(np.ones((80, 80), np.float32)) == 0


def test_the_document_has_source_and_study(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "named" / name).mkdir(parents=True)
    write_dataset(tmp_path / "named" / "a" / "xray.dcm")
    save(tmp_path / "named" / "b" / "y.png", grey())
    dicom, picture = (read_radiograph(item).image_info() for item in find_inputs([tmp_path / "named"]))
    assert (dicom.source, dicom.study_uid, dicom.series_uid) == ("a/xray.dcm", "1.2.3.9", "1.2.3.4")
    assert (picture.source, picture.study_uid) == ("b/y.png", None)
    assert read_radiograph_file(tmp_path / "named" / "b" / "y.png", tmp_path).image_info().source == "named/b/y.png"
