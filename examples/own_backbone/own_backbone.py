"""A trunk of four plain convolutions, each of which halves the patch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pneumoscreen.ct.trunks import register

if TYPE_CHECKING:
    from torch import nn


def plain(widths: Sequence[int], features: int) -> "nn.Module":
    """Patches [b, 1, h, w] to vectors [b, features]."""
    # Imported here, not above: the commands that need no network start without it.
    from torch import nn

    layers: list[nn.Module] = []
    for before, after in zip((1, *widths), widths, strict=False):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], features))


register("plain", plain)
