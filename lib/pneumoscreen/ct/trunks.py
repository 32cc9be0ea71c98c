"""What makes a vector of a patch, by name: the trunk of the patch classifier (Xu et al. 2020, section 2.5.2).

Published: ResNet-18. Ours: a site may put another network in its place and compare. A configuration names it
(``network: {trunk: NAME}``), the card of the weights repeats it, and both heads stand on it.

>>> from torch import nn
>>> def average(widths, features):
...     return nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(64, features))
>>> register("average", average)
>>> sorted(TRUNKS)
['average', 'resnet18']
>>> del TRUNKS["average"]
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def _resnet18(widths: Sequence[int], features: int) -> "nn.Module":
    # Imported when it is made, so that an extension may register a trunk without loading torch into every command.
    from .resnet18 import ResNet18

    return ResNet18(widths, features)


Trunk = Callable[[Sequence[int], int], "nn.Module"]
"""Makes, of four widths and ``features``, a network from pictures [b, 1, h, w] to vectors [b, features]."""

DEFAULT = "resnet18"
TRUNKS: dict[str, Trunk] = {DEFAULT: _resnet18}


def register(name: str, make: Trunk) -> None:
    """Let configurations name a further trunk; a program that loads such weights must have registered it too."""
    TRUNKS[name] = make
