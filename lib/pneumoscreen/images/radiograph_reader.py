"""From a path or an ``Input`` to a ``Radiograph``."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .faults import DamagedError, DimensionError, NotRadiographError, UnsupportedError
from .inputs import Input, below, file_input, series_in_folders
from .radiograph import Radiograph
from .radiograph_borders import content_box
from .radiograph_dicom import read_dicom_radiograph
from .radiograph_likeness import check_no_ct_slice, check_not_negative, standard_thumbnail
from .radiograph_picture import read_picture
from .radiograph_raw import MIN_SIDE, RawRadiograph, check_values
from .radiograph_view import check_one_upright_view
from .raw import hash_files

# Of the grey values inside the borders (ours): a marker of lead or a dead pixel does not set the scale.
_PERCENTILES = (0.5, 99.5)
_SAMPLE = 4_000_000
# A border of a few lines is not worth a note (ours).
_BORDER_PART = 0.02


def read_radiograph_file(path: Path, root: Path | None = None) -> Radiograph:
    """Read one chest X-ray: a DICOM radiograph or the folder that holds it, PNG, JPEG, BMP or TIFF.

    Args:
        path: the file or folder.
        root: the folder below which its document says where it lies; default: the document has its name only.

    Raises:
        ImageError: of the type that names what is wrong with the image.
    """
    path = Path(path)
    given = _only_radiograph(path) if path.is_dir() else file_input(path)
    return read_radiograph(below(given, root or path))


def _only_radiograph(folder: Path) -> Input:
    found = [item for item in series_in_folders([folder]) if isinstance(item, Input) and item.modality == "CXR"]
    if len(found) != 1:
        raise UnsupportedError(f"{folder} is a folder with {len(found)} X-rays; give the file of one")
    return found[0]


def read_radiograph(given: Input) -> Radiograph:
    """Read the chest X-ray of an input that ``find_inputs`` found.

    Returns:
        The radiograph as a reader hangs it, grey values 0 to 1; its notes say what was repaired.

    Raises:
        ImageError: of the type that names what is wrong with the image.
    """
    name = str(given.path)
    if given.modality != "CXR":
        raise NotRadiographError(f"{name} is a CT or another scan and no radiograph; give a chest X-ray")
    raw = read_dicom_radiograph(given.headers) if given.headers else read_picture(given.path)
    check_values(name, raw.values)
    content = content_box(raw.values)
    if min(content[2:]) < MIN_SIDE:
        raise DimensionError(
            f"{name} shows {content[2]} x {content[3]} pixels inside its border, and fewer than {MIN_SIDE} a side "
            "cannot be screened; give the X-ray at full size"
        )
    pixels = _scaled(raw.values, content)
    spacing = raw.spacing_mm or (1.0, 1.0)
    view_notes = _check_likeness(given, pixels, content, spacing)
    return Radiograph(
        pixels=pixels,
        spacing_mm=spacing,
        content=content,
        case_id=given.case_id,
        source=given.path,
        sha256=_hash(given.path),
        series_uid=raw.series_uid,
        notes=(*given.notes, *raw.notes, *view_notes, *_more_notes(raw, content)),
        study_uid=raw.study_uid,
        source_below=given.source_below,
    )


def _scaled(values: NDArray[np.float32], content: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Values [y, x] in 0 to 1: the percentiles of the content become 0 and 1, whatever lies outside is clipped."""
    x, y, width, height = content
    step = max(1, int(np.sqrt(width * height / _SAMPLE)))
    inner = values[y : y + height : step, x : x + width : step]
    low, high = np.percentile(inner, _PERCENTILES)
    if low == high:
        low, high = inner.min(), inner.max()
    scaled = (values - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, 0, 1, out=scaled)


def _check_likeness(
    given: Input, pixels: NDArray[np.float32], content: tuple[int, int, int, int], spacing: tuple[float, float]
) -> tuple[str, ...]:
    """Notes on a picture that may be no upright frontal chest; what surely is none is refused."""
    x, y, width, height = content
    inner, name = pixels[y : y + height, x : x + width], str(given.path)
    thumbnail = standard_thumbnail(inner)
    check_not_negative(name, thumbnail)
    if not given.headers:
        # A DICOM header has said that it is none.
        check_no_ct_slice(name, inner)
    return check_one_upright_view(name, inner, thumbnail, width * spacing[0] / (height * spacing[1]))


def _more_notes(raw: RawRadiograph, content: tuple[int, int, int, int]) -> tuple[str, ...]:
    notes = []
    if raw.spacing_mm is None:
        notes.append("The file states no pixel spacing; 1 mm was taken, so sizes in mm are not to be relied on.")
    if content[2] * content[3] < (1 - _BORDER_PART) * raw.values.size:
        notes.append("The picture has an even border; it was left out.")
    return tuple(notes)


def _hash(path: Path) -> str:
    try:
        return hash_files([path])
    except OSError:
        raise DamagedError(f"{path} can no longer be read; check that it is still there") from None
