"""Whether a radiograph may show the chest mirrored: then what is said of the left lung is true of the right one.

Ours: seen from the front, the heart lies more on the patient's left, the liver's dome stands higher on the right and
gas below the diaphragm lies on the left. How the coarse brightness of the lungs' rectangle differs from that of its
mirror image is weighed by what tells a chest from its mirror image best (Fisher 1936). No side is ever exchanged by
this: it is a note for whoever reads the picture. A heart that is shifted, or that lies on the right by nature
(1 person in 10,000), looks the same to it.
"""

import numpy as np
from numpy.typing import NDArray

from ..case import Vector
from ..images.radiograph import Radiograph
from ..images.radiograph_likeness import standard_thumbnail
from .sampling import enclosing

# The patient's right half, from the apex down, from the side to the middle.
_WEIGHTS = np.array([
    [-0.26, -0.07, 0.09, 0.20],
    [0.04, -0.01, 0.37, 0.09],
    [0.07, 0.45, 0.68, -0.14],
    [0.26, -0.34, -0.85, -0.34],
    [-0.00, -0.18, -0.39, -0.53],
    [-0.28, 0.23, -1.12, -0.32],
    [0.17, 0.30, -0.71, 0.11],
    [0.19, 0.82, 0.83, 0.30],
])  # fmt: skip
# Fitted on 282 films of NIH, Hannover, Kermany and the open part of the Cohen collection. Below it lie 2.0 % of 453
# films that it was not fitted on (the rest of the Cohen collection, actualmed) and 79 % of their mirror images; of the
# 282, five-fold by patient, 4.3 % and 66 %.
_MIRRORED = -0.6
NOTE = (
    "The heart seems to lie on the patient's right: the picture may be mirrored, so that left and right are exchanged; "
    "check the side marker."
)


def mirror_notes(radiograph: Radiograph, boxes: dict[str, Vector]) -> tuple[str, ...]:
    """A note where a picture with these lung boxes looks like the mirror image of a chest."""
    return (NOTE,) if uprightness(radiograph, boxes) < _MIRRORED else ()


def uprightness(radiograph: Radiograph, boxes: dict[str, Vector]) -> float:
    """How much more a picture looks like a chest than like its mirror image: of the mirror image it is the opposite."""
    return float((asymmetry(radiograph, boxes) * _WEIGHTS).sum())


def asymmetry(radiograph: Radiograph, boxes: dict[str, Vector]) -> NDArray[np.float64]:
    """Half of what the coarse brightness of the right half is above that of the left one, laid over it, [8, 4]."""
    x, y, width, height = enclosing(list(boxes.values()))
    rows, columns = radiograph.pixels.shape
    left, top = (int(np.clip(round(v), 0, limit - 1)) for v, limit in ((x, columns), (y, rows)))
    right = int(np.clip(round(x + width), left + 1, columns))
    bottom = int(np.clip(round(y + height), top + 1, rows))
    coarse = standard_thumbnail(radiograph.pixels[top:bottom, left:right])
    return (coarse - coarse[:, ::-1])[:, : coarse.shape[1] // 2] / 2
