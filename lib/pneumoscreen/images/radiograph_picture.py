"""Radiographs in picture files: PNG, JPEG, BMP and TIFF, of 8 and 16 bits, by Pillow."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ..errors import ImageError
from .content_kind import PICTURES, not_readable
from .faults import AbsentError, DamagedError, DimensionError, NotRadiographError
from .radiograph_colour import rgb_to_grey
from .radiograph_raw import MAX_SIDE, RawRadiograph, check_sides

_OPENED = ("PNG", "JPEG", "BMP", "TIFF")
_FORMATS = {
    ".png": ("PNG",),
    # A JPEG with a second picture for another screen calls itself MPO.
    ".jpg": ("JPEG", "MPO"),
    ".jpeg": ("JPEG", "MPO"),
    ".bmp": ("BMP",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
}
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def read_picture(path: Path) -> RawRadiograph:
    """Read one picture file; a picture states no spacing, and its sides are taken as a reader hangs it.

    Raises:
        ImageError: of the type that names what is wrong with the picture.
    """
    # Pillow warns of large pictures and of damaged metadata; the sentence of the error says what the user must know.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Given a path, Pillow maps the file, and by that takes the sides of a TIFF to be turned for each other.
            with path.open("rb") as file, Image.open(file, formats=_OPENED) as image:
                _check(path, image)
                return _read(path, image)
        except UnidentifiedImageError:
            raise not_readable(path, PICTURES, f"is {_damage(path)}; copy it again") from None
        except ImageError:
            raise
        except FileNotFoundError:
            raise AbsentError(f"{path} does not exist; check the path") from None
        except Image.DecompressionBombError:
            raise DimensionError(
                f"{path} claims too many pixels, and at most {MAX_SIDE} a side are read; give a smaller picture"
            ) from None
        except MemoryError:
            raise
        except Exception:
            # Pillow raises whatever a damaged file happens to break: OSError, SyntaxError, struct.error and others.
            raise DamagedError(f"{path} is {_damage(path)}; copy it again") from None


def _damage(path: Path) -> str:
    try:
        return "empty" if path.stat().st_size == 0 else "truncated, damaged or no picture"
    except OSError:
        return "not to be read"


def _check(path: Path, image: Image.Image) -> None:
    """Refuse by the header alone, before memory is taken for the pixels."""
    check_sides(str(path), *image.size)
    if getattr(image, "n_frames", 1) > 1:
        raise NotRadiographError(f"{path} holds several pictures; give one X-ray a file")


def _read(path: Path, image: Image.Image) -> RawRadiograph:
    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    turned = _orientation(image) != 1
    image.load()
    if turned:
        # Pillow has turned a TIFF on loading, and then this does nothing.
        ImageOps.exif_transpose(image, in_place=True)
    notes: tuple[str, ...] = ("The picture was turned as its orientation tag says.",) if turned else ()
    if image.format not in _FORMATS.get(path.suffix.lower(), ()):
        notes = (f"The file is a {image.format} picture, which its name denies; it was read as what it is.", *notes)
    values, more = _grey(str(path), image)
    if white_is_zero and image.mode.startswith(("I", "F")):
        # Pillow inverts pictures of 8 bits itself.
        values = -values
        notes += ("The picture was stored inverted (white is zero); its values were inverted back.",)
    return RawRadiograph(values, notes=(*notes, *more))


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 (as stored) to 8; 1 where there is none or it cannot be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1  # cameras and editors write broken EXIF beside sound pictures
    return int(found) if found in range(1, 9) else 1


def _grey(name: str, image: Image.Image) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The picture as float32 [y, x], and notes."""
    if image.mode in ("L", "F", "I") or image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.float32), ()
    if image.mode == "1":
        return np.asarray(image.convert("L")).astype(np.float32), ()
    notes: tuple[str, ...] = ()
    if image.has_transparency_data:
        image, notes = _on_black(image)
    grey, more = rgb_to_grey(name, np.asarray(image.convert("RGB")))
    return grey, (*notes, *more)


def _on_black(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture without its transparency: a viewer's dark background shows through."""
    layers = image.convert("RGBA")
    if layers.getchannel("A").getextrema() == (255, 255):
        return layers, ()
    background = Image.new("RGBA", layers.size, (0, 0, 0, 255))
    return Image.alpha_composite(background, layers), ("Transparent parts of the picture were taken as black.",)
