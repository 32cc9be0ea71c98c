"""How a lung on an X-ray is varied before its features are kept: place, tilt, sharpness, noise, compression (ours).

What differs between hospitals and files must say nothing: so each copy is cut with another box, blurred, noisy or
compressed anew, and its greys are equalised after that, as the network sees them.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...case import Vector
from ...config import Settings
from ..localization import LocalizationSettings
from ..sampling import cut, equalised


class LungVariation(Settings):
    """How far copies are varied.

    Attributes:
        shift: largest shift of the box, as a share of its side.
        scale: largest change of its width and of its height, as the logarithm of the ratio.
        tilt: largest turn, in degrees.
        blur: smallest size to which half of the copies are brought and back, as a share.
        noise: largest standard deviation of the noise of half of the copies.
        quality: lowest and highest quality of the JPEG of a third of the copies.
        gamma: largest logarithm of the exponent of the greys.
    """

    shift: float = 0.06
    scale: float = 0.12
    tilt: float = 8.0
    blur: float = 0.4
    noise: float = 0.06
    quality: tuple[int, int] = (20, 80)
    gamma: float = 0.4


@dataclass(frozen=True)
class LungCopy:
    """A lung as the network sees it, and where readers saw an opacity in it.

    Attributes:
        lung: float32 [height, width], the left one mirrored.
        opacity: float32 [height, width] in 0 to 1.
    """

    lung: NDArray[np.float32]
    opacity: NDArray[np.float32]


def lung_copy(
    pixels: NDArray[np.float32],
    opacity: NDArray[np.float32],
    box: Vector,
    side: str,
    settings: LocalizationSettings,
    variation: LungVariation | None = None,
    generator: np.random.Generator | None = None,
) -> LungCopy:
    """A copy of a lung; as it is without a variation.

    Args:
        pixels: float32 [y, x] of the X-ray.
        opacity: float32 [y, x] in 0 to 1, 1 inside what readers drew.
        box: of the lung, x, y, w, h in pixels.
        side: the patient's.
        settings: of the network.
        variation: how far the copy is varied.
        generator: what is drawn from; needed with a variation.
    """
    grown = _grown(box, settings.margin)
    if variation is not None and generator is not None:
        grown = _moved(grown, variation, generator)
    lung, mask = cut(pixels, grown, settings.size), cut(opacity, grown, settings.size)
    if variation is not None and generator is not None:
        angle = float(generator.uniform(-variation.tilt, variation.tilt))
        lung, mask = _turned(lung, angle, float(np.median(lung))), _turned(mask, angle, 0.0)
        lung = _taken_anew(lung, variation, generator)
    lung = equalised(lung) if settings.equalised else lung
    if side == "left":
        lung, mask = lung[:, ::-1], mask[:, ::-1]
    return LungCopy(np.ascontiguousarray(lung), np.ascontiguousarray(mask))


def _grown(box: Vector, margin: float) -> Vector:
    x, y, width, height = box
    return (x - margin * width, y - margin * height, width * (1.0 + 2.0 * margin), height * (1.0 + 2.0 * margin))


def _moved(box: Vector, variation: LungVariation, generator: np.random.Generator) -> Vector:
    x, y, width, height = box
    wide, high = np.exp(generator.uniform(-variation.scale, variation.scale, 2)).tolist()
    right, down = generator.uniform(-variation.shift, variation.shift, 2).tolist()
    middle = (x + width * (0.5 + right), y + height * (0.5 + down))
    return (middle[0] - width * wide / 2, middle[1] - height * high / 2, width * wide, height * high)


def _turned(part: NDArray[np.float32], angle: float, outside: float) -> NDArray[np.float32]:
    turned = Image.fromarray(part).rotate(angle, Image.Resampling.BILINEAR, fillcolor=outside)
    return np.asarray(turned, dtype=np.float32)


def _taken_anew(
    lung: NDArray[np.float32], variation: LungVariation, generator: np.random.Generator
) -> NDArray[np.float32]:
    """The lung as another unit and another file would show it."""
    height, width = lung.shape
    if generator.random() < 0.5:
        share = generator.uniform(variation.blur, 1.0)
        small = Image.fromarray(lung).resize((int(width * share), int(height * share)), Image.Resampling.BILINEAR)
        lung = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    if generator.random() < 0.5:
        lung = lung + generator.normal(0.0, generator.uniform(0.0, variation.noise), lung.shape)
    lung = np.clip(lung, 0.0, 1.0)
    if generator.random() < 1 / 3:
        file = io.BytesIO()
        quality = int(generator.integers(*variation.quality))
        Image.fromarray((lung * 255.0).astype(np.uint8)).save(file, "JPEG", quality=quality)
        lung = np.asarray(Image.open(file)) / 255.0
    return np.asarray(lung ** np.exp(generator.uniform(-variation.gamma, variation.gamma)), dtype=np.float32)
