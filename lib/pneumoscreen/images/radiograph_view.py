"""Whether a picture hangs upright and shows one view: what its header, if it has one, does not say.

Ours, by the coarse brightness of the picture, turned and halved, and its likeness to the usual frontal chest. Measured
on 2,171 frontal radiographs of eight collections (their mean made the usual chest): turned by a quarter or a half,
94 to 97 % are refused and 99.7 % refused or noted; upright, one is refused, which is stored upside down, and 2 % noted.
A lateral view is only ever noted: 1 in 100 frontal radiographs of poor exposure or odd framing looks more like one.
"""

import numpy as np
from numpy.typing import NDArray

from .faults import NotRadiographError
from .radiograph_likeness import likeness, standard_thumbnail, thumbnail_likeness

# How much less a picture is like the usual chest as it hangs than turned: of frontal ones that hang upright -0.26 at
# the least (an arm beside the chest), of turned ones below -0.35 in 94 %.
_TURNED = -0.35
# How the features of a chest from the side differ from those from the front, in the mean of 60 phantoms: the middle is
# not brighter than the sides, and the halves are not alike. `python -m pneumoscreen.ct.phantoms.views` prints it.
LATERAL_LESS_FRONTAL = np.array([[
    [0.38, 0.01, -0.11, -0.26],
    [-0.23, 0.21, 0.44, -0.26],
    [-0.20, 0.48, 0.49, -0.57],
    [-0.07, 0.61, 0.30, -0.76],
    [0.02, 0.64, 0.32, -0.90],
    [0.04, 0.70, 0.37, -0.87],
    [-0.14, 0.16, 0.08, -0.19],
    [-0.37, -0.20, -0.07, -0.02],
], [
    [-0.17, -0.12, -0.05, -0.13],
    [0.04, 0.00, 0.03, -0.36],
    [0.15, 0.09, 0.15, -0.47],
    [0.23, 0.28, 0.14, -0.46],
    [0.28, 0.33, 0.04, -0.35],
    [0.29, 0.17, -0.01, -0.09],
    [0.19, -0.02, 0.05, -0.07],
    [0.05, -0.01, 0.00, -0.04],
]])  # fmt: skip
# How much more a picture is like a lateral view than like the usual chest: above it lie 1.3 % of the frontal
# radiographs, the one lateral radiograph at hand, the lateral projections of all of 19 real CTs from either side, and
# 99 % of 110 pictures of CT slices.
_LATERAL = -0.5
# The widest frontal radiograph is 1.74 times as wide as high, the highest 1.3 times as high as wide.
_WIDEST = 1.75
_NARROWEST = 0.6
_WIDE = 1.3
_HOW = {1: "on its side", 2: "upside down", 3: "on its side"}


def check_one_upright_view(
    name: str, content: NDArray[np.float32], thumbnail: NDArray[np.float64], aspect: float
) -> tuple[str, ...]:
    """Refuse a picture that surely lies on its side, stands upside down or holds several views.

    Args:
        name: of the file.
        content: [y, x] inside the borders, 0 to 1.
        thumbnail: its ``standard_thumbnail``.
        aspect: width by height in the patient.

    Returns:
        A note where the picture may be none, else nothing.

    Raises:
        NotRadiographError: if it is none.
    """
    if aspect > _WIDEST or aspect < _NARROWEST or (aspect > _WIDE and _are_two(content, thumbnail)):
        raise NotRadiographError(
            f"{name} is a picture of several views, or of more than a chest: {aspect:.2f} times as wide as high; "
            "give the frontal X-ray by itself"
        )
    turned = [thumbnail_likeness(np.rot90(thumbnail, quarters)) for quarters in range(4)]
    best = int(np.argmax(turned))
    if turned[0] - max(turned[1:]) < _TURNED:
        raise NotRadiographError(f"{name} shows a chest {_HOW[best]}, or no frontal chest; give it upright")
    if best:
        return (f"The picture may show the chest {_HOW[best]}, or no frontal chest at all; check how it hangs.",)
    if _lateral_share(thumbnail) - turned[0] > _LATERAL:
        return ("The picture is little like a frontal chest X-ray: a lateral view, a CT slice, or no chest; check it.",)
    return ()


def _lateral_share(thumbnail: NDArray[np.float64]) -> float:
    """How far a picture's features have gone the way from a frontal to a lateral view: 1 more in a lateral one."""
    return float((_features(thumbnail) * LATERAL_LESS_FRONTAL).sum() / np.square(LATERAL_LESS_FRONTAL).sum())


def features(content: NDArray[np.float32]) -> NDArray[np.float64]:
    """Coarse brightness of a picture [y, x], the same for its mirror image: a lateral view may face either side.

    Returns:
        [2, 8, 4]: means of the left and the right half, laid over each other, and the halves' differences; from the
        neck down, from the side to the middle.
    """
    return _features(standard_thumbnail(content))


def _features(coarse: NDArray[np.float64]) -> NDArray[np.float64]:
    mirrored = coarse[:, ::-1]
    return np.stack([(coarse + mirrored) / 2, np.abs(coarse - mirrored) / 2])[:, :, : coarse.shape[1] // 2]


def _are_two(content: NDArray[np.float32], thumbnail: NDArray[np.float64]) -> bool:
    """Whether the halves beside each other are more like a chest than the whole, as of none of the wide real ones."""
    middle = content.shape[1] // 2
    return (likeness(content[:, :middle]) + likeness(content[:, middle:])) / 2 > thumbnail_likeness(thumbnail)
