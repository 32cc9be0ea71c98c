"""What the header of a DICOM radiograph says of its view, its orientation and its spacing."""

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset

from ..case import Vector
from .faults import DamagedError, NotRadiographError

_KEYWORDS = [
    "SpecificCharacterSet", "ViewPosition", "ViewCodeSequence", "SeriesDescription", "BodyPartExamined",
    "PatientAge",
    "PatientOrientation", "PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio", "PhotometricInterpretation",
    "BitsAllocated", "BitsStored", "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth",
]  # fmt: skip
_WINDOW = ("WindowCenter", "WindowWidth")
# Lateral, oblique and lying-on-the-side views: the method learnt frontal ones of a body upright or on its back.
_OTHER_VIEWS = {"LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "ML", "LM", "LLAT", "RLAT"}
_LATERAL = re.compile(r"\b(lat|lateral|oblique|decubitus|seitlich)\b")
_FRONTAL = re.compile(r"\b(pa|ap|frontal|p\.a|a\.p)\b")
_CHEST = ("CHEST", "THORAX", "LUNG", "RIB", "TORSO", "TRUNK", "HEART", "BODY")
# What a detector and its distance from the body allow (ours).
_SPACING_RANGE_MM = (0.01, 5.0)
_ASPECT_RANGE = (0.25, 4.0)


ADULT_YEARS = 16
"""Ours: below it a chest differs from those that the networks have learnt from."""
_IN_A_YEAR = {"D": 365, "W": 52, "M": 12, "Y": 1}


@dataclass(frozen=True)
class Hanging:
    """How a stored picture is turned to hang: transposed first, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False


def read_dataset(path: Path) -> Dataset:
    """The fields of the header that say how to show the picture, with all lookup tables.

    Raises:
        DamagedError: if the file is no readable DICOM file.
    """
    try:
        with warnings.catch_warnings(), pydicom_config.disable_value_validation():
            # pydicom's warnings quote values of the header.
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=_KEYWORDS)
            # Fields are decoded when they are looked at: here, where a damaged one has its sentence.
            dataset.decode()
            return dataset
    except Exception:
        # pydicom raises whatever a damaged header happens to break.
        raise DamagedError(f"{path} is damaged or no DICOM file; copy it again from the scanner or archive") from None


def check_view(dataset: Dataset, name: str) -> None:
    """Refuse a view that is not frontal, where the header says so.

    Raises:
        NotRadiographError: if it does.
    """
    if _is_other_view(dataset) or any(letter in "AP" for letter in _orientation(dataset)):
        raise NotRadiographError(f"{name} is no frontal view by its header; give the PA or AP chest X-ray")


def names_other_part(dataset: Dataset) -> bool:
    """Whether the header names a part of the body other than the chest; such entries are often wrong."""
    part = _text(dataset, "BodyPartExamined").upper()
    return bool(part) and not any(word in part for word in _CHEST)


def is_child(dataset: Dataset) -> bool:
    """Whether the header gives an age below ``ADULT_YEARS``; without an age nothing is said."""
    age = _text(dataset, "PatientAge").upper()
    found = re.fullmatch(r"(\d{1,3})([DWMY])", age)
    return found is not None and int(found[1]) < ADULT_YEARS * _IN_A_YEAR[found[2]]


def hanging(dataset: Dataset) -> Hanging:
    """The turn that puts the patient's head up and left to the right, by PatientOrientation; none where it is none.

    PatientOrientation says where columns grow to, then where rows grow to: ["L", "F"] hangs as it is.
    """
    across, down = _orientation(dataset) or ("L", "F")
    if across in "LR" and down in "HF":
        return Hanging(False, across == "R", down == "H")
    if across in "HF" and down in "LR":
        return Hanging(True, down == "R", across == "H")
    return Hanging()


def spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Spacing (x, y) in mm of the picture as stored, or None, and notes."""
    pixel, detector = _pair(dataset, "PixelSpacing"), _pair(dataset, "ImagerPixelSpacing")
    if pixel is not None and pixel != detector:
        return pixel, ()
    if detector is not None:
        return detector, ("The pixel spacing is that of the detector, so sizes are larger than in the patient.",)
    aspect = _numbers(dataset, "PixelAspectRatio")
    low, high = _ASPECT_RANGE
    if len(aspect) == 2 and aspect[1] > 0 and low <= aspect[0] / aspect[1] <= high and aspect[0] != aspect[1]:
        return (1.0, aspect[0] / aspect[1]), (
            f"The file states no pixel spacing, but pixels {aspect[0] / aspect[1]:.3g} times as high as wide; "
            "1 mm was taken for their width, so sizes in mm are not to be relied on.",
        )
    return None, ()


def keep_sound_window(dataset: Dataset) -> tuple[str, ...]:
    """Leave the first window with a centre and a width in the header, or none, and note what was not the first."""
    if not any(keyword in dataset for keyword in _WINDOW):
        return ()
    # The standard's linear function needs a width of 1, the others any above 0.
    least = 1.0 if _text(dataset, "VOILUTFunction").upper() in ("", "LINEAR") else math.ulp(0.0)
    windows = list(zip(*(_numbers(dataset, keyword) for keyword in _WINDOW), strict=False))
    sound = [window for window in windows if math.isfinite(window[0]) and least <= window[1] < math.inf]
    for keyword, value in zip(_WINDOW, sound[0] if sound else (None, None), strict=True):
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    if sound and sound[0] == windows[0]:
        return ()
    if sound:
        return ("The first window in the file has no width; the next one was taken.",)
    if dataset.get("VOILUTSequence"):
        return ()  # it goes before a window in any case
    return ("The window in the file has no width; all grey values were taken.",)


def _is_other_view(dataset: Dataset) -> bool:
    position = _text(dataset, "ViewPosition").upper()
    if position:
        return position in _OTHER_VIEWS or bool(_LATERAL.search(position.lower()))
    meanings = " ".join(_text(item, "CodeMeaning") for item in dataset.get("ViewCodeSequence") or []).lower()
    if meanings:
        return bool(_LATERAL.search(meanings))
    # Free text: "PA and lateral" names the examination and says nothing of this picture.
    series = _text(dataset, "SeriesDescription").replace("_", " ").lower()
    return bool(_LATERAL.search(series)) and not _FRONTAL.search(series)


def _orientation(dataset: Dataset) -> tuple[str, ...]:
    """First letters of the two directions of PatientOrientation, or () where it is none."""
    value: Any = dataset.get("PatientOrientation")
    directions = [str(part).strip().upper() for part in value] if value and not isinstance(value, str) else []
    if len(directions) != 2 or not all(part and part[0] in "LRHFAP" for part in directions):
        return ()
    return directions[0][0], directions[1][0]


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """A spacing as (x, y), or None if it is missing or none a radiograph has; DICOM gives rows first."""
    numbers = _numbers(dataset, keyword)
    if len(numbers) != 2:
        return None
    between_rows, between_columns = numbers
    low, high = _SPACING_RANGE_MM
    if not all(low <= value <= high for value in (between_rows, between_columns)):
        return None
    return between_columns, between_rows


def _numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """The numbers of a field, however many; () where it is missing or holds something else."""
    value: Any = dataset.get(keyword)
    try:
        return tuple(map(float, [value] if isinstance(value, str | int | float) else value))
    except (TypeError, ValueError):
        return ()


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def stored_corners(box: Vector, image: Dataset) -> list[tuple[float, float]]:
    """The closed outline (column, row) of a box (x, y, w, h) in pixels of the hung picture.

    Args:
        box: pixel i covers i to i + 1, which DICOM's coordinates on an image do as well.
        image: header of the radiograph.
    """
    turn = hanging(image)
    rows, columns = int(image.Rows), int(image.Columns)
    width, height = (rows, columns) if turn.transpose else (columns, rows)
    x, y, w, h = box
    corners = []
    for hung_x, hung_y in ((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)):
        column = width - hung_x if turn.flip_x else hung_x
        row = height - hung_y if turn.flip_y else hung_y
        column, row = min(max(column, 0.0), float(width)), min(max(row, 0.0), float(height))
        corners.append((row, column) if turn.transpose else (column, row))
    return corners
