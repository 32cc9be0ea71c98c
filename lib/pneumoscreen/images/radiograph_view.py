"""Whether a picture hangs upright and shows one view: what its header, if it has one, does not say.

Ours, by the coarse brightness of the picture, turned and halved, and its likeness to the usual frontal chest. Measured
on 2,171 frontal radiographs of eight collections (their mean made the usual chest): turned by a quarter or a half,
94 to 97 % are refused and 99.7 % refused or noted; upright, one is refused, which is stored upside down, and 2 % noted.
"""

import numpy as np
from numpy.typing import NDArray

from .faults import NotRadiographError
from .radiograph_likeness import likeness

# How much less a picture is like the usual chest as it hangs than turned: of frontal ones that hang upright -0.26 at
# the least (an arm beside the chest), of turned ones below -0.35 in 94 %.
_TURNED = -0.35
_UNLIKE = 0.35
"""Below it lie 1.4 % of the frontal radiographs, and most of what is none."""
# The widest frontal radiograph is 1.74 times as wide as high, the highest 1.3 times as high as wide.
_WIDEST = 1.75
_NARROWEST = 0.6
_WIDE = 1.3
_HOW = {1: "on its side", 2: "upside down", 3: "on its side"}


def check_one_upright_view(name: str, content: NDArray[np.float32], aspect: float) -> tuple[str, ...]:
    """Refuse a picture that surely lies on its side, stands upside down or holds several views.

    Args:
        name: of the file.
        content: [y, x] inside the borders, 0 to 1.
        aspect: width by height in the patient.

    Returns:
        A note where the picture may be none, else nothing.

    Raises:
        NotRadiographError: if it is none.
    """
    if aspect > _WIDEST or aspect < _NARROWEST or (aspect > _WIDE and _are_two(content)):
        raise NotRadiographError(
            f"{name} is a picture of several views, or of more than a chest: {aspect:.2f} times as wide as high; "
            "give the frontal X-ray by itself"
        )
    turned = [likeness(np.rot90(content, quarters)) for quarters in range(4)]
    best = int(np.argmax(turned))
    if turned[0] - max(turned[1:]) < _TURNED:
        raise NotRadiographError(f"{name} shows a chest {_HOW[best]}; give it upright")
    if best:
        return (f"The picture may show the chest {_HOW[best]}, or no frontal chest at all; check how it hangs.",)
    if turned[0] < _UNLIKE:
        return ("The picture is little like a frontal chest X-ray: a lateral view, a part, or no chest; check it.",)
    return ()


def _are_two(content: NDArray[np.float32]) -> bool:
    """Whether the halves beside each other are more like a chest than the whole, as of none of the wide real ones."""
    middle = content.shape[1] // 2
    return (likeness(content[:, :middle]) + likeness(content[:, middle:])) / 2 > likeness(content)
