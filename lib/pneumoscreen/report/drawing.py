"""The one picture that stands for a screening of whatever method, and what lies over it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DrawnBox:
    """A rectangle on a picture, in the picture's units; ``key`` is its style class, see ``wording.label_key``."""

    text: str
    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Drawing:
    """One picture that stands for a screening: a data URI, its size in units of its own, and the boxes on it.

    Attributes:
        title: what it shows.
        orientation: where its rows and its columns run to, as DICOM's PatientOrientation names it.
        overlay: a picture with an alpha channel that lies over the whole of it, as a data URI; empty for none.
    """

    title: str
    picture: str
    width: float
    height: float
    orientation: tuple[str, str]
    boxes: tuple[DrawnBox, ...] = ()
    overlay: str = ""
