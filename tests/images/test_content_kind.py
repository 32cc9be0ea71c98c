"""Files whose names say something else than what they are."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.images.radiographs import make_radiograph, write_dataset

from pneumoscreen.images import Refused, find_inputs, read_input, read_radiograph
from pneumoscreen.images.faults import UnsupportedError

PICTURE = Image.fromarray((make_radiograph() >> 4).astype(np.uint8))


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, kind)
    return file.getvalue()


def box(brand: bytes) -> bytes:
    """The beginning of a file of the family of MP4."""
    return b"\0\0\0\x1cftyp" + brand + bytes(400)


OTHERS = [
    ("WebP", encoded("WEBP"), "export it as PNG"),
    ("GIF", encoded("GIF"), "export it as PNG"),
    ("JPEG 2000", encoded("JPEG2000"), "export it as PNG"),
    ("AVIF", box(b"avif"), "export it as PNG"),
    ("HEIC", box(b"heic"), "export it as PNG"),
    ("JPEG XL", b"\xff\x0a" + bytes(400), "export it as PNG"),
    ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(400), "export it as PNG"),
    ("video", box(b"isom"), "give the image"),
    ("PDF", b"%PDF-1.7\n" + bytes(400), "give the image"),
    ("ZIP", b"PK\x03\x04" + bytes(400), "unpack it"),
    ("web page", b"<!DOCTYPE HTML><html>" + bytes(400), "give the image"),
    ("NRRD", b"NRRD0004\ntype: short\n" + bytes(400), "name it .nrrd"),
]


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif", "x.dcm", "x.nii", "x.mha", "x.webp", "x"])
@pytest.mark.parametrize(("kind", "content", "remedy"), OTHERS, ids=[f"{k} {n}" for n, (k, *_) in enumerate(OTHERS)])
def test_another_kind_is_named_with_the_remedy(
    tmp_path: Path, name: str, kind: str, content: bytes, remedy: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    (item,) = find_inputs([path])
    reason = item.reason if isinstance(item, Refused) else None
    if reason is None:
        with pytest.raises(UnsupportedError) as caught:
            (read_radiograph if item.modality == "CXR" else read_input)(item)
        reason = str(caught.value)
    assert f"{path} is a" in reason
    assert kind in reason
    assert remedy in reason
    assert "damaged" not in reason


def test_a_dicom_file_named_as_a_picture_is_named(tmp_path: Path) -> None:
    (given,) = find_inputs([write_dataset(tmp_path / "x.png")])
    with pytest.raises(UnsupportedError, match=r"is a DICOM file, which its name denies; name it .dcm"):
        read_radiograph(given)


@pytest.mark.parametrize(
    ("kind", "name"), [("PNG", "x.dcm"), ("JPEG", "x.jpeg.ima"), ("TIFF", "picture"), ("PNG", "x.gif")]
)
def test_a_picture_is_read_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(kind))
    (given,) = find_inputs([tmp_path / name])
    found = read_radiograph(given)
    assert found.pixels.shape == PICTURE.size[::-1]
    assert found.notes[0] == f"The file is a {kind} picture, which its name denies; it was read as what it is."


def test_a_damaged_file_of_its_own_kind_stays_damaged(tmp_path: Path) -> None:
    whole = write_dataset(tmp_path / "whole.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:200])
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(b"no NIfTI" * 99))
    for item in find_inputs([tmp_path / "cut.dcm"]):
        assert isinstance(item, Refused)
        assert "damaged" in item.reason
    (given,) = find_inputs([tmp_path / "cut.nii.gz"])
    with pytest.raises(Exception, match="is no NIfTI file whatever its suffix says"):
        read_input(given)
