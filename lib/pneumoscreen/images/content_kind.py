"""What a file is by its first bytes, for the sentence that refuses one whose name says something else."""

from pathlib import Path

from ..errors import ImageError
from .faults import DamagedError, UnsupportedError

_EXPORT = "which is not read; export it as PNG, JPEG or DICOM"
_RENAME = "which its name denies; name it {}"
# (offset, first bytes there, what they begin, what to do about it), the first that fits; ours.
_KINDS = (
    (128, b"DICM", "a DICOM file", _RENAME.format(".dcm")),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", _RENAME.format(".png")),
    (0, b"\xff\xd8\xff", "a JPEG picture", _RENAME.format(".jpg")),
    (0, b"II*\0", "a TIFF picture", _RENAME.format(".tif")),
    (0, b"MM\0*", "a TIFF picture", _RENAME.format(".tif")),
    (0, b"NRRD000", "an NRRD file", _RENAME.format(".nrrd")),
    (0, b"ObjectType", "a MetaImage file", _RENAME.format(".mha")),
    (344, b"n+1\0", "a NIfTI file", _RENAME.format(".nii")),
    (0, b"GIF8", "a GIF picture", _EXPORT),
    (8, b"WEBP", "a WebP picture", _EXPORT),
    (0, b"\xff\x0a", "a JPEG XL picture", _EXPORT),
    (4, b"JXL \r\n\x87\n", "a JPEG XL picture", _EXPORT),
    (4, b"jP  \r\n\x87\n", "a JPEG 2000 picture", _EXPORT),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture", _EXPORT),
    (4, b"ftypavif", "an AVIF picture", _EXPORT),
    (4, b"ftyphei", "a HEIC picture", _EXPORT),
    (4, b"ftypmif1", "a HEIC picture", _EXPORT),
    (4, b"ftyp", "a video", "which is not read; give the image itself"),
    (0, b"%PDF", "a PDF document", "which is not read; give the image itself"),
    (0, b"<?xml", "an XML document", "which is not read; give the image itself"),
    (0, b"<svg", "a drawing (SVG)", "which is not read; give the image itself"),
    (0, b"<html", "a web page", "which is not read; give the image itself"),
    (0, b"<!doctype html", "a web page", "which is not read; give the image itself"),
    (0, b"PK\x03\x04", "a ZIP archive", "which is not read; unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "which is not read; unpack it"),
    (0, b"Rar!", "a RAR archive", "which is not read; unpack it"),
    (0, b"\x1f\x8b", "a gzip archive", "which is not read under this name; unpack it"),
)
DICOM, NRRD, META_IMAGE = "a DICOM file", "an NRRD file", "a MetaImage file"
NIFTI = ("a NIfTI file", "a gzip archive")
PICTURES = ("a PNG picture", "a JPEG picture", "a TIFF picture")
"""Of the kinds that are read; BMP has no mark to tell it by."""


def is_picture(path: Path) -> bool:
    """Whether the file is a picture of a kind that is read, whatever its name says.

    Raises:
        OSError: if it cannot be opened.
    """
    found = _find(path)
    return found is not None and found[0] in PICTURES


def not_readable(path: Path, own: tuple[str, ...], otherwise: str) -> ImageError:
    """What to raise for a file that is not what its name says, or damaged.

    Args:
        path: of the file.
        own: kinds that the reader knows: a file of them is damaged.
        otherwise: rest of the sentence for what is damaged or not known; it begins with the path.
    """
    try:
        found = _find(path)
    except OSError:
        found = None
    if found is None or found[0] in own:
        return DamagedError(f"{path} {otherwise}")
    return UnsupportedError(f"{path} is {found[0]}, {found[1]}")


def _find(path: Path) -> tuple[str, str] | None:
    with path.open("rb") as file:
        start = file.read(352)
    for offset, mark, what, remedy in _KINDS:
        if start[offset : offset + len(mark)].lower() == mark.lower():
            return what, remedy
    return None
