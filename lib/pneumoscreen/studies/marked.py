"""An annotated case as other programs train with it: its image, and what is marked on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import SimpleITK as sitk

from ..case import Case, LungBox


@dataclass(frozen=True)
class Marked:
    """An annotated case.

    Attributes:
        case: its document.
        image: the scan in Hounsfield units, or the picture as the boxes lie on it.
        boxes: by what they are called; x, y, w, h in pixels of the picture.
        mask: of a scan, on its grid; None of a picture.
        notes: a sentence for each thing that nobody drew.
    """

    case: Case
    image: sitk.Image
    boxes: Mapping[str, LungBox] = field(default_factory=dict)
    mask: sitk.Image | None = None
    notes: tuple[str, ...] = ()
