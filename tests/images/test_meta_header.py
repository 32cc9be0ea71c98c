"""Text headers of NRRD and MetaImage: what ITK finds is found, and no header leads to another file or takes memory."""

import bz2
import contextlib
import gzip
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.errors import ImageError
from pneumoscreen.images.canonical import orientation_of
from pneumoscreen.images.faults import DamagedError, DimensionError, GeometryError, UnsupportedError
from pneumoscreen.images.raw import RawImage
from pneumoscreen.images.volume_file import read_volume_file

N = 16
LOCAL = "ElementDataFile = LOCAL\n"
SECRET = b"TOP-SECRET-" * 400
VALUES = np.arange(N**3, dtype=np.uint16).reshape(N, N, N)


def nrrd(fields: str = "", body: bytes = b"\0" * N**3, before: str = "", **replaced: str) -> bytes:
    """An attached NRRD of N^3 bytes; ``replaced`` fields by name with "_" for a space, "" leaves one out."""
    known = {
        "type": "uint8", "dimension": "3", "space": "left-posterior-superior", "sizes": f"{N} {N} {N}",
        "space directions": "(1,0,0) (0,1,0) (0,0,1)", "space origin": "(0,0,0)", "endian": "little",
        "encoding": "raw",
    }  # fmt: skip
    known |= {name.replace("_", " "): value for name, value in replaced.items()}
    lines = "".join(f"{name}: {value}\n" for name, value in known.items() if value)
    return f"NRRD0004\n{before}{lines}{fields}\n".encode("latin-1") + body


def mha(
    last: str = "ElementDataFile = LOCAL\n", body: bytes = b"\0" * N**3, before: str = "", **replaced: str
) -> bytes:
    known = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0",
        "ElementSpacing": "1 1 1", "DimSize": f"{N} {N} {N}", "ElementType": "MET_UCHAR",
    } | replaced  # fmt: skip
    lines = "".join(f"{name} = {value}\n" for name, value in known.items() if value)
    return f"{lines}{before}{last}".encode("latin-1") + body


PADDING = "".join(f"# {'x' * 500}\n" for _ in range(200))
LONGER = "".join(f"# {'x' * 500}\n" for _ in range(2200))


def escapes(secret: Path) -> dict[str, dict[str, bytes | Path]]:
    """Files by name, the first one to be read; a ``Path`` is a link to it."""
    to, up = f"data file: {secret}\n", f"data file: ../../{secret.parent.name}/{secret.name}\n"
    local, here, zeros = "Comment = a{}ElementDataFile = LOCAL\n", f"ElementDataFile = {secret}\n", b"\0" * N**3
    found: dict[str, dict[str, bytes | Path]] = {
        "plain": {"a.nrrd": nrrd(to)},
        "relative": {"a.nrrd": nrrd(up)},
        "after 100 kB": {"a.nrrd": nrrd(to, before=PADDING)},
        "after 1.1 MB": {"a.nrrd": nrrd(to, before=LONGER)},
        "twice": {"a.nrrd": nrrd("data file: x\n" + to), "x": zeros},
        "twice the other way": {"a.nrrd": nrrd(to + "data file: x\n"), "x": zeros},
        "both spellings": {"a.nrrd": nrrd(to.replace(" f", "f") + "data file: x\n"), "x": zeros},
        "key and value": {"a.nrrd": nrrd(to + "data file:=x\n"), "=x": zeros},
        "value and key": {"a.nrrd": nrrd("data file:=x\n" + to), "=x": zeros},
        "capitals": {"a.nrrd": nrrd(to.upper().replace(str(secret).upper(), str(secret)))},
        "list": {"a.nrrd": nrrd("", b"").removesuffix(b"\n") + f"data file: LIST\n{secret}\n".encode(), "LIST": zeros},
        "pattern": {"a.nrrd": nrrd("data file: s%01d 1 1 1 3\n"), "s%01d 1 1 1 3": zeros, "s1": secret},
        "link beside": {"a.nrrd": nrrd("data file: x\n"), "x": secret},
        "standard input": {"a.nrrd": nrrd("data file: -\n"), "-": zeros},
        "the file itself is a link": {"a.nrrd": secret},
        "nhdr": {"a.nhdr": nrrd(to, b"")},
        "nhdr upwards": {"a.nhdr": nrrd(up, b"")},
        "nhdr, link beside": {"a.nhdr": nrrd("data file: x\n", b""), "x": secret},
        "nhdr, list": {"a.nhdr": nrrd("data file: LIST 3\n", b""), "LIST 3": zeros},
        "nhdr, pattern": {"a.nhdr": nrrd("data file: s%01d 1 1 1\n", b""), "s%01d 1 1 1": zeros, "s1": secret},
        "nhdr, backslash": {"a.nhdr": nrrd(f"data file: ..\\{secret.name}\n", b"")},
        "nhdr, nothing": {"a.nhdr": nrrd("data file: \n", b"")},
        "nhdr, folder": {"a.nhdr": nrrd("data file: ..\n", b"")},
        "mha": {"a.mha": mha(here, b"")},
        "mha, then local": {"a.mha": mha(here + "ElementDataFile = LOCAL\n")},
        "mha, comment": {"a.mha": mha(here, before="Comment = ElementDataFile = LOCAL\n")},
        "mhd": {"a.mhd": mha(here, b"")},
        "mhd, list": {"a.mhd": mha("ElementDataFile = LIST\n", f"{secret}\n".encode() * N), "LIST": zeros},
        "mhd, list 2": {"a.mhd": mha("ElementDataFile = list 3\n", f"{secret}\n".encode() * N), "list 3": zeros},
        "mhd, pattern": {"a.mhd": mha("ElementDataFile = s%02d 1 9 1\n", b""), "s%02d 1 9 1": zeros, "s01": secret},
        "mhd, link beside": {"a.mhd": mha("ElementDataFile = x\n", b""), "x": secret},
        "mhd, nothing": {"a.mhd": mha("ElementDataFile = \n", b"")},
    }
    for sign in "\x0b\x0c\x1c\x1d\x1e\x85\r\0":
        name = f"{ord(sign):02x}"
        found[f"nrrd field {name}"] = {"a.nrrd": nrrd(f"{to}content: a{sign}data file: x\n"), "x": zeros}
        found[f"nrrd comment {name}"] = {"a.nrrd": nrrd(f"{to}# a{sign}data file: x\n"), "x": zeros}
        found[f"nrrd key {name}"] = {"a.nrrd": nrrd(f"{to}k:=a{sign}data file: x\n"), "x": zeros}
        found[f"nrrd end {name}"] = {"a.nrrd": nrrd(f"# a\n{sign}\n{to}")}
        found[f"mha {name}"] = {"a.mha": mha(here, zeros, before=local.format(sign))}
        found[f"mha field {name}"] = {"a.mha": mha(f"ElementDataFile = LOCAL{sign}{here}", zeros)}
    return found


@pytest.mark.parametrize("name", escapes(Path("/tmp/place/secret.bin")))
def test_no_header_reads_a_file_that_is_not_its_own(tmp_path: Path, name: str) -> None:
    secret, folder = tmp_path / "outside" / "secret.bin", tmp_path / "inside" / "folder"
    secret.parent.mkdir()
    folder.mkdir(parents=True)
    secret.write_bytes(SECRET)
    files = escapes(secret)[name]
    for file, content in files.items():
        if isinstance(content, Path):
            (folder / file).symlink_to(content)
        else:
            (folder / file).write_bytes(content)
    with contextlib.suppress(ImageError):
        # To read the header otherwise than the attacker thought is fine, as long as it is the file's own bytes.
        assert b"TOP-SECRET" not in read_volume_file(folder / next(iter(files))).values.tobytes()


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz", "a.mhd"])
def test_what_is_no_file_is_refused_and_nobody_waits(tmp_path: Path, kind: str, name: str) -> None:
    place = tmp_path / name
    if name == "a.mhd":
        place.write_bytes(mha("ElementDataFile = x\n", b""))
        place = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    else:
        place.mkdir()
    with pytest.raises(ImageError):
        read_volume_file(tmp_path / name)


def test_header_and_data_may_be_links_to_one_folder(tmp_path: Path) -> None:
    real, links = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    links.mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(real / "a.mhd"))
    for name in ("a.mhd", "a.raw"):
        (links / name).symlink_to(real / name)
    np.testing.assert_array_equal(read_volume_file(links / "a.mhd").values, VALUES)


KINDS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
TURN = np.array(sitk.VersorTransform((0.2, -0.1, 0.3), 0.6).GetMatrix()).reshape(3, 3)


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_itk_reads_the_same(tmp_path: Path, suffix: str, is_packed: bool, kind: str) -> None:
    values = np.random.default_rng(3).integers(0, 120, (5, 6, 7)).astype(kind)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.7, 0.8, 1.25))
    image.SetOrigin((-120.5, 30.25, 1e3))
    image.SetDirection(TURN.ravel().tolist())
    path = tmp_path / f"a.{suffix}"
    sitk.WriteImage(image, str(path), useCompression=is_packed)
    same_as_itk(path)


def same_as_itk(path: Path) -> None:
    itk, ours = sitk.ReadImage(str(path)), read_volume_file(path)
    np.testing.assert_array_equal(ours.values, sitk.GetArrayFromImage(itk))
    assert ours.values.dtype == sitk.GetArrayFromImage(itk).dtype
    assert ours.spacing_mm == pytest.approx(itk.GetSpacing())
    assert ours.origin_mm == pytest.approx(itk.GetOrigin())
    np.testing.assert_allclose(ours.direction.ravel(), itk.GetDirection(), atol=1e-12)


@pytest.mark.parametrize("space", ["LPS", "RAS", "left-anterior-superior", "Right-Anterior-Superior"])
@pytest.mark.parametrize("form", ["raw", "gzip", "gz", "big", "skip", "from the end", "no origin"])
def test_nrrd_in_every_form(tmp_path: Path, space: str, form: str) -> None:
    stored = VALUES.astype(">u2" if form == "big" else "<u2").tobytes()
    packed = {"gzip": gzip.compress, "gz": gzip.compress}.get(form, bytes)(stored)
    fields = {"skip": "byte skip: 7\n", "from the end": "byteskip: -1\n"}.get(form, "")
    body = {"skip": b"1234567", "from the end": b"whatever"}.get(form, b"") + packed
    (tmp_path / "a.nrrd").write_bytes(
        nrrd(
            fields + "content: Größe \x85 of a scan\nkey:=value: of (1,2)\n# comment: x\n",
            body,
            type="unsigned short",
            space=space,
            space_directions="(0.6,-0.8,0)   (0.8,0.6,0) (0,0,2.5)",
            space_origin="" if form == "no origin" else "( 1.5, -2 ,3e1)",
            encoding=form if form in ("gzip", "gz") else "raw",
            endian="big" if form == "big" else "little",
        )
    )
    same_as_itk(tmp_path / "a.nrrd")


def test_bzip2_is_read_although_itk_does_not(tmp_path: Path) -> None:
    body = bz2.compress(VALUES.tobytes())
    (tmp_path / "a.nrrd").write_bytes(nrrd(body=body, type="uint16", encoding="bzip2"))
    np.testing.assert_array_equal(read_volume_file(tmp_path / "a.nrrd").values, VALUES)


@pytest.mark.parametrize("form", ["big", "packed", "crlf", "header", "other words"])
def test_meta_image_in_every_form(tmp_path: Path, form: str) -> None:
    replaced = {"ElementType": "MET_USHORT", "TransformMatrix": "0.6 0.8 0 -0.8 0.6 0 0 0 1", "Offset": "1.5 -2 30"}
    stored = VALUES.astype(">u2" if form == "big" else "<u2").tobytes()
    if form == "big":
        replaced["BinaryDataByteOrderMSB"] = "True"
    if form == "packed":
        stored = zlib.compress(stored)
        replaced |= {"CompressedData": "True", "CompressedDataSize": str(len(stored))}
    if form == "other words":
        replaced |= {"Offset": "", "Position": "1.5 -2 30", "ElementSpacing": "", "ElementSize": "1 1 2"}
    if form == "header":
        (tmp_path / "x").write_bytes(b"before" + stored)
        (tmp_path / "a.mhd").write_bytes(mha("ElementDataFile = x\n", b"", HeaderSize="-1", **replaced))
        same_as_itk(tmp_path / "a.mhd")
        return
    text = mha(body=b"", **replaced)
    (tmp_path / "a.mha").write_bytes((text.replace(b"\n", b"\r\n") if form == "crlf" else text) + stored)
    same_as_itk(tmp_path / "a.mha")


REFUSED = [
    (nrrd(space="scanner-xyz"), GeometryError, "left"),
    (nrrd(space="3D-right-handed"), GeometryError, "left"),
    (nrrd(space_directions="(1e308,0,0) (0,1,0) (0,0,1)"), GeometryError, "position"),
    (nrrd(space_directions="(nan,0,0) (0,1,0) (0,0,1)"), GeometryError, "position"),
    (nrrd(space_directions="none (0,1,0) (0,0,1)"), GeometryError, "spacing"),
    (nrrd(space_directions="(1,0) (0,1) (0,0)"), GeometryError, "position"),
    (nrrd(space_directions="(1,0,0) (0,1,0) (0,0,1) (0,0,1)"), GeometryError, "spacing"),
    (nrrd(space_origin="(1,2"), GeometryError, "position"),
    (nrrd(space_origin="(1_0,2,3)"), GeometryError, "position"),
    (nrrd(space_units='"mm" "mm" "cm"'), GeometryError, "unit"),
    (nrrd(kinds="vector domain domain"), DimensionError, "colours"),
    (nrrd(endian="", type="short", sizes="16 16 8"), UnsupportedError, "plainly"),
    (nrrd("line skip: 1\n"), UnsupportedError, "plainly"),
    (nrrd("byte skip: -5\n"), UnsupportedError, "plainly"),
    (nrrd("byte skip: 5\n", gzip.compress(bytes(N**3)), encoding="gzip"), UnsupportedError, "plainly"),
    (nrrd(encoding="ascii"), UnsupportedError, "encoding"),
    (nrrd(type="block"), DimensionError, "grey"),
    (nrrd(sizes="16 16 16_0"), DamagedError, "header"),
    (nrrd(sizes="16 16 99999999999999"), DamagedError, "header"),
    (nrrd("type: uint8\n"), DamagedError, "doubled"),
    (nrrd("", b"", encoding="gzip"), DamagedError, "truncated"),
    (nrrd("", gzip.compress(bytes(N**3))[:-3] + b"abc", encoding="gzip"), DamagedError, "damaged"),
    (nrrd("", bz2.compress(bytes(N**3 - 1)), encoding="bz2"), DamagedError, "truncated"),
    (nrrd("byte skip: 10\n"), DamagedError, "truncated"),
    (nrrd(before=LONGER), DamagedError, "without an end"),
    (mha(TransformMatrix=""), GeometryError, "left"),
    (mha(TransformMatrix="1 0 0 0 1 0 1e308 0 1"), GeometryError, "position"),
    (mha(TransformMatrix="1 0 0 0 1 0 nan 0 1"), GeometryError, "position"),
    (mha(TransformMatrix="1 0 0 0 1 0 0 0"), GeometryError, "position"),
    (mha(ElementSpacing="1 1 -1"), GeometryError, "spacing"),
    (mha(ElementSpacing="1 1 1e308"), GeometryError, "position"),
    (mha(DistanceUnits="cm"), GeometryError, "unit"),
    (mha(BinaryData="False"), UnsupportedError, "text"),
    (mha(ElementToIntensityFunctionSlope="2"), UnsupportedError, "scales"),
    (mha(ElementNumberOfChannels="3"), DimensionError, "colours"),
    (mha(ElementType="MET_STRING"), DimensionError, "grey"),
    (mha(HeaderSize="5"), UnsupportedError, "plainly"),
    (mha(before="DimSize = 16 16 16\n"), DamagedError, "doubled"),
    (mha(before="Rotation = 1 0 0 0 1 0 0 0 1\n"), DamagedError, "doubled"),
    (mha(CompressedData="True"), DamagedError, "damaged"),
    (mha(CompressedData="True", body=zlib.compress(bytes(N**3 - 1))), DamagedError, "truncated"),
    (mha(CompressedData="True", body=zlib.compress(bytes(N**3))[:-2]), DamagedError, "damaged"),
]


@pytest.mark.parametrize(("content", "error", "word"), REFUSED)
def test_what_is_no_plain_header_is_refused(tmp_path: Path, content: bytes, error: type, word: str) -> None:
    path = tmp_path / ("a.nrrd" if content.startswith(b"NRRD") else "a.mha")
    path.write_bytes(content)
    with pytest.raises(error, match=word):
        read_volume_file(path)


@pytest.mark.parametrize("bad", [1e308, 1e200, 1e155, np.nan, np.inf, 3.0])
def test_axes_that_are_no_directions_never_reach_itk(bad: float) -> None:
    """With them DICOMOrient does not come to an end."""
    direction = np.eye(3)
    direction[2, 0] = bad
    with pytest.raises(ImageError):
        orientation_of(RawImage(VALUES, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), direction, "unread"), "a scan")
