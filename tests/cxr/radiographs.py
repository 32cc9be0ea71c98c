"""Small radiographs and networks for the tests of the X-ray method."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscreen.cxr.discrimination import DiscriminationModel, DiscriminationSettings
from pneumoscreen.cxr.localization import LocalizationModel, LocalizationSettings
from pneumoscreen.cxr.lung_boxes import LungBoxModel, LungBoxSettings
from pneumoscreen.cxr.phantoms.radiograph import RadiographPhantom, RadiographSpec, generate_radiograph
from pneumoscreen.images.radiograph import Radiograph

TINY_BOXES = LungBoxSettings(size=32, stages=(4, 4), features=8, mirrored=False)
TINY_CLASSES = DiscriminationSettings(size=32, widths=(4, 4, 4, 4), pyramid_channels=4)
TINY_SIDES = LocalizationSettings(widths=(4, 4))

BOXES = {"left": (110.0, 30.0, 60.0, 90.0), "right": (24.0, 20.0, 50.0, 96.0)}
"""Of ``uneven``: of different sizes and heights; the left lung lies on the right of the picture."""
CONTENT = (12, 8, 176, 140)


def radiograph_of(pixels: NDArray[np.floating], content: tuple[int, int, int, int] | None = None) -> Radiograph:
    """A radiograph of these grey values [y, x]."""
    height, width = pixels.shape
    return Radiograph(
        pixels=np.ascontiguousarray(pixels, dtype=np.float32),
        spacing_mm=(0.5, 0.5),
        content=content or (0, 0, width, height),
        case_id="chest",
        source=Path("chest.png"),
        sha256="0" * 64,
    )


def uneven(seed: int = 0) -> Radiograph:
    """A picture without any symmetry, 200 x 160: smooth noise above 0.2, in a black border around ``CONTENT``."""
    coarse = np.random.default_rng(seed).uniform(0.2, 0.9, (20, 25))
    pixels = np.kron(coarse, np.ones((8, 8)))
    x, y, w, h = CONTENT
    bordered = np.zeros_like(pixels)
    bordered[y : y + h, x : x + w] = pixels[y : y + h, x : x + w]
    return radiograph_of(bordered, CONTENT)


@cache
def phantom(seed: int = 1, label: str = "covid19", size: int = 128) -> RadiographPhantom:
    """A radiograph phantom, made once."""
    return generate_radiograph(seed, label, RadiographSpec(size=size))


def mirrored(radiograph: Radiograph) -> Radiograph:
    """The radiograph as its mirror image shows it."""
    x, y, w, h = radiograph.content
    width = radiograph.pixels.shape[1]
    return replace(
        radiograph, pixels=np.ascontiguousarray(radiograph.pixels[:, ::-1]), content=(width - x - w, y, w, h)
    )


def box_model(seed: int = 0, settings: LungBoxSettings = TINY_BOXES) -> LungBoxModel:
    """An untrained network that names its anchors, which are those of two lungs."""
    model = LungBoxModel.untrained(settings, seed)
    last = model.network.read[-1]
    last.weight.data.zero_()
    last.bias.data.zero_()
    return model


def class_model(seed: int = 0, settings: DiscriminationSettings = TINY_CLASSES) -> DiscriminationModel:
    """An untrained discriminator."""
    return DiscriminationModel.untrained(settings, seed)


def side_model(seed: int = 0, settings: LocalizationSettings = TINY_SIDES) -> LocalizationModel:
    """An untrained localiser."""
    return LocalizationModel.untrained(settings, seed)
