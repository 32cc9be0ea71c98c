"""Picture files: what they hold is read, and what no X-ray can be is refused."""

import contextlib
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image
from tests.images.radiographs import HEIGHT, WIDTH, make_radiograph

from pneumoscreen.errors import ImageError
from pneumoscreen.images.faults import (
    AbsentError,
    DamagedError,
    DimensionError,
    NotRadiographError,
)
from pneumoscreen.images.radiograph_picture import read_picture


def grey8():
    return Image.fromarray(make_radiograph(255).astype(np.uint8))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "TIFF", "PNG"])
def test_pictures_without_loss(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    grey8().save(path)
    raw = read_picture(path)
    np.testing.assert_array_equal(raw.values, make_radiograph(255))
    assert raw.values.dtype == np.float32
    assert (raw.spacing_mm, raw.series_uid, raw.notes) == (None, None, ())


@pytest.mark.parametrize("suffix", ["jpg", "jpeg"])
def test_jpeg(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    grey8().save(path, quality=90)
    assert np.abs(read_picture(path).values - make_radiograph(255)).mean() < 2


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(make_radiograph(65535)).save(path)
    np.testing.assert_array_equal(read_picture(path).values, make_radiograph(65535))


def test_floating_tiff(tmp_path):
    values = make_radiograph(1000).astype(np.float32) / 7
    Image.fromarray(values).save(tmp_path / "x.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif").values, values)


@pytest.mark.parametrize(("top", "dtype"), [(255, np.uint8), (65535, np.uint16)])
def test_white_is_zero_in_tiff(tmp_path, top, dtype):
    stored = (top - make_radiograph(top)).astype(dtype)
    Image.fromarray(stored).save(tmp_path / "x.tif", tiffinfo={262: 0})
    raw_bytes = bytearray((tmp_path / "x.tif").read_bytes())
    entry = raw_bytes.find(struct.pack("<HHI", 262, 3, 1))
    raw_bytes[entry + 8 : entry + 10] = struct.pack("<H", 0)
    (tmp_path / "x.tif").write_bytes(raw_bytes)
    values = read_picture(tmp_path / "x.tif").values
    correlation = np.corrcoef(values.ravel(), make_radiograph(top).ravel())[0, 1]
    # Where Pillow wrote the pixels inverted itself, the picture is the stored one.
    assert abs(correlation) > 0.999
    assert correlation > 0 or dtype == np.uint8


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_grey_in_other_modes(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    grey8().convert(mode).save(path)
    raw = read_picture(path)
    assert np.abs(raw.values - make_radiograph(255)).max() < 2
    assert raw.notes == ()


def test_grey_jpeg_saved_in_colour(tmp_path):
    grey8().convert("RGB").save(tmp_path / "x.jpg", quality=40)
    assert read_picture(tmp_path / "x.jpg").notes == ()


def test_transparent_parts_are_black(tmp_path):
    layers = np.dstack([np.asarray(grey8())] * 3 + [np.full((HEIGHT, WIDTH), 255, np.uint8)])
    layers[:, :30, 3] = 0
    Image.fromarray(layers, "RGBA").save(tmp_path / "x.png")
    raw = read_picture(tmp_path / "x.png")
    assert (raw.values[:, :30] == 0).all()
    assert "ransparent" in raw.notes[0]


def test_coloured_marks_are_borne_and_noted(tmp_path):
    rgb = np.dstack([np.asarray(grey8())] * 3)
    rgb[20:30, 20:40] = (255, 0, 0)
    Image.fromarray(rgb).save(tmp_path / "x.png")
    assert "coloured" in read_picture(tmp_path / "x.png").notes[0]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_colour_photographs_are_refused(tmp_path, suffix, mode):
    if mode == "P" and suffix == "jpg":
        pytest.skip("JPEG has no palettes")
    rgb = np.dstack([np.asarray(grey8())] * 3)
    rgb[..., 2] //= 3
    Image.fromarray(rgb).convert(mode).save(tmp_path / f"x.{suffix}")
    with pytest.raises(NotRadiographError, match="colour"):
        read_picture(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_orientation_tags_are_followed(tmp_path, orientation, suffix):
    upright = np.asarray(grey8())
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, **({"quality": 95} if suffix == "jpg" else {}))
    raw = read_picture(path)
    assert raw.values.shape == (HEIGHT, WIDTH)
    assert np.abs(raw.values - upright).mean() < 2
    assert bool(raw.notes) == (orientation != 1)


def test_damaged_exif_does_no_harm(tmp_path):
    grey8().save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert read_picture(tmp_path / "x.jpg").values.shape == (HEIGHT, WIDTH)


def encoded(kind, image=None, **options):
    file = io.BytesIO()
    (image or grey8()).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("x.png", lambda: b"", "empty"),
        ("x.png", lambda: b"\x89PNG", "damaged"),
        ("x.jpg", lambda: b"\xff\xd8", "damaged"),
        ("x.jpg", lambda: b"text" * 100, "no picture"),
        ("x.jpg", lambda: encoded("JPEG")[:-1200], "truncated"),
        ("x.png", lambda: encoded("PNG")[:-3000], "truncated"),
        ("x.tif", lambda: encoded("TIFF")[:-3000], "truncated"),
        ("x.tif", lambda: encoded("TIFF", compression="tiff_lzw")[:4000], "truncated"),
        ("x.bmp", lambda: encoded("BMP")[:-3000], "truncated"),
        ("x.png", lambda: encoded("PNG").replace(b"IDAT", b"JDAT"), "damaged"),
    ],
)
def test_damaged_files_are_refused(tmp_path, capfd, name, content, word):
    (tmp_path / name).write_bytes(content())
    with pytest.raises(DamagedError, match=word):
        read_picture(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_flipped_bytes_end_in_a_picture_or_a_sentence(tmp_path, capfd):
    rng = np.random.default_rng(0)
    for kind, suffix in (("PNG", "png"), ("JPEG", "jpg"), ("TIFF", "tif"), ("BMP", "bmp")):
        whole = np.frombuffer(encoded(kind), np.uint8)
        for _ in range(25):
            broken = whole.copy()
            broken[rng.integers(0, min(len(broken), 600), 4)] = rng.integers(0, 256, 4)
            (tmp_path / f"x.{suffix}").write_bytes(broken.tobytes())
            with contextlib.suppress(ImageError):
                assert read_picture(tmp_path / f"x.{suffix}").values.ndim == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "png"), ("PNG", "jpg"), ("TIFF", "bmp")])
def test_a_suffix_that_lies(tmp_path, kind, suffix):
    (tmp_path / f"x.{suffix}").write_bytes(encoded(kind))
    raw = read_picture(tmp_path / f"x.{suffix}")
    assert raw.notes == (f"The file is a {kind} picture, which its name denies; it was read as what it is.",)
    (tmp_path / f"x.{kind.lower()}").write_bytes(encoded(kind))
    honest = read_picture(tmp_path / f"x.{kind.lower()}")
    np.testing.assert_array_equal(raw.values, honest.values)
    assert honest.notes == ()


def test_absent(tmp_path):
    with pytest.raises(AbsentError, match="does not exist"):
        read_picture(tmp_path / "x.png")


def png_of_size(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "size", [(1, 1), (63, 200), (200, 20), (20_000, 20_000), (12_001, 9_000), (2**31 - 1, 2**31 - 1), (100, 401)]
)
def test_sizes_no_radiograph_has(tmp_path, size):
    (tmp_path / "x.png").write_bytes(png_of_size(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DimensionError, match=r"pixels"):
            read_picture(tmp_path / "x.png")


def test_several_pictures_in_one_file(tmp_path):
    grey8().save(tmp_path / "x.tif", save_all=True, append_images=[grey8().rotate(90)])
    grey8().save(tmp_path / "x.png", save_all=True, append_images=[grey8().transpose(Image.Transpose.ROTATE_180)])
    for suffix in ("tif", "png"):
        with pytest.raises(NotRadiographError, match="several"):
            read_picture(tmp_path / f"x.{suffix}")
