"""Pictures of a screened radiograph: its lung boxes, Grad-CAM, superpixels and the patches of the localiser.

As in ``pictures.py`` a picture carries no drawing: the radiograph is stored once, and what is laid over it are
boxes in SVG and small PNGs of 256 or 3 colours with an opacity each, which take milliseconds and few bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...case import Case, Vector
from ...images.radiograph import Radiograph
from ...report.pictures import Frame, data_uri, encoded, to_grey

if TYPE_CHECKING:  # the networks for X-rays, which the report of a CT does not need
    from ..screening import Side

LONG_SIDE_PIXELS = 900
HEAT_PIXELS = 240
"""Ours: a Grad-CAM is as coarse as the last feature map of a network, a few dozen cells across."""

PATCH_PIXELS = (64, 128)
"""Width and height of what the localiser sees of a lung (Wang et al. 2020)."""

FRAME_UNITS = 360.0

HEAT_STOPS = (
    (0.0, (66, 10, 104), 0.0),
    (0.15, (96, 19, 110), 0.08),
    (0.4, (170, 44, 96), 0.38),
    (0.65, (228, 88, 48), 0.55),
    (0.85, (250, 155, 20), 0.64),
    (1.0, (252, 232, 110), 0.70),
)
"""Ours: (value, colour, opacity). The colours grow lighter all the way, so that they read without hue too; a value
of 0 leaves the radiograph as it is."""

LEAST_ATTENTION_SPAN = 0.1

OUTLINE_COLOUR, OUTLINE_OPACITY = (159, 227, 234), 0.8
HALO_COLOUR, HALO_OPACITY = (5, 8, 11), 0.35

SIDES: tuple["Side", ...] = ("right", "left")
"""The right lung first, as it lies in the pictures."""


@dataclass(frozen=True)
class LungBox:
    """The box of one lung in units of the frame."""

    side: "Side"
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class LungPatch:
    """What the localiser saw of one lung, and its attention mask to be laid over it."""

    side: "Side"
    picture: str
    mask: str


@dataclass(frozen=True)
class CxrPictures:
    """All pictures of a radiograph as data URIs; overlays cover the whole radiograph.

    Attributes:
        frame: the radiograph's frame; its "mm" are units, ``FRAME_UNITS`` on the longer side.
        radiograph: the radiograph itself.
        boxes: the lung boxes, the right one first.
        gradcam: overlay of the Grad-CAM.
        superpixels: overlay of the superpixels' outlines, or None where there are none.
        patches: patches with attention masks, the right one first; empty where nothing was localised.
        attention_range: values of attention that the masks' first and last colour stand for.
    """

    frame: Frame
    radiograph: str
    boxes: tuple[LungBox, ...]
    gradcam: str
    superpixels: str | None
    patches: tuple[LungPatch, ...]
    attention_range: tuple[float, float]


class DrawnFrom(Protocol):
    """What pictures are drawn from; see ``screening.CxrScreening``."""

    @property
    def case(self) -> Case:
        """The case document."""

    @property
    def gradcam(self) -> NDArray[np.float32]:
        """What spoke for an opacity, [y, x] of the whole picture."""

    @property
    def attention(self) -> Mapping[Any, NDArray[np.float32]]:
        """Of each lung that was localised."""

    @property
    def superpixels(self) -> NDArray[np.int32]:
        """Their numbers, [y, x] of the whole picture, or nothing."""


def draw(radiograph: Radiograph, screening: DrawnFrom) -> CxrPictures:
    """Draw the pictures of a screened radiograph.

    Raises:
        ValueError: if the Grad-CAM or the superpixels do not lie on the radiograph's grid.
    """
    shape = radiograph.pixels.shape
    for name, array in (("Grad-CAM", screening.gradcam), ("superpixels", screening.superpixels)):
        if array.shape != shape and (name != "superpixels" or array.size):
            raise ValueError(f"the {name} {array.shape} do not lie on the grid of the radiograph {shape}")
    frame = cxr_frame(radiograph)
    grey = to_grey(radiograph.pixels, (0.0, 1.0))
    boxes = screening.case.cxr.boxes if screening.case.cxr else {}
    size = frame.pixels(min(LONG_SIDE_PIXELS, max(shape)))  # never enlarged: that is the browser's part
    shown = attention_range(screening)
    return CxrPictures(
        frame=frame,
        radiograph=data_uri(grey, size),
        boxes=tuple(_box(side, boxes[side], frame) for side in SIDES if side in boxes),
        gradcam=heat(screening.gradcam, frame.pixels(min(HEAT_PIXELS, max(shape)))),
        superpixels=outlines(screening.superpixels, frame.pixels(LONG_SIDE_PIXELS))
        if screening.superpixels.any()
        else None,
        patches=tuple(_patches(grey, boxes, screening, shown)),
        attention_range=shown,
    )


def cxr_frame(radiograph: Radiograph) -> Frame:
    """The frame of the whole radiograph.

    Ours: in units of the picture, not in mm, which a radiograph often does not state; letters and lines then come
    out as large as in the report of a CT.
    """
    height, width = radiograph.pixels.shape
    x, y = radiograph.spacing_mm
    unit = FRAME_UNITS / max(width * x, height * y)
    return Frame((0, height), (0, width), y * unit, x * unit)


def attention_range(screening: DrawnFrom) -> tuple[float, float]:
    """The values between which the attention masks of both lungs are coloured.

    Ours: a mask seldom comes near 0 or 1, so the colours span what occurs; over less than ``LEAST_ATTENTION_SPAN``
    they would show noise as if it were a finding.
    """
    low = min((float(mask.min()) for mask in screening.attention.values()), default=0.0)
    high = max((float(mask.max()) for mask in screening.attention.values()), default=1.0)
    return low, max(high, low + LEAST_ATTENTION_SPAN)


def heat(values: NDArray[np.float32], size: tuple[int, int], shown: tuple[float, float] = (0.0, 1.0)) -> str:
    """Values [y, x] as a coloured, transparent PNG of (width, height), coloured between the two values shown."""
    image = Image.fromarray(to_grey(values, shown))
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    at = np.linspace(0.0, 1.0, 256)
    stops = [stop for stop, _, _ in HEAT_STOPS]
    channels = [np.interp(at, stops, [colour[i] for _, colour, _ in HEAT_STOPS]) for i in range(3)]
    opacity = np.interp(at, stops, [255.0 * value for _, _, value in HEAT_STOPS])
    image.putpalette(np.stack(channels, axis=1).round().astype(np.uint8).tobytes())
    return encoded(image, "png", transparency=opacity.round().astype(np.uint8).tobytes())


def heat_gradient() -> str:
    """The colours of ``heat`` as a CSS gradient, the lowest on the left."""
    colours = (f"rgb({r} {g} {b} / {opacity}) {100 * at:.0f}%" for at, (r, g, b), opacity in HEAT_STOPS)
    return f"linear-gradient(to right, {', '.join(colours)})"


def outlines(labels: NDArray[np.int32], size: tuple[int, int]) -> str:
    """The borders between labels [y, x] as a transparent PNG of (width, height).

    The lines are two pixels wide and have a dark pixel on either side, without which they are lost on bright tissue.
    """
    rows, columns = ((np.arange(n) * old) // n for n, old in zip(reversed(size), labels.shape, strict=True))
    shown = labels[rows][:, columns]
    lines = _grown(shown[1:] != shown[:-1], shown[:, 1:] != shown[:, :-1])
    halo = _grown(lines[1:] | lines[:-1], lines[:, 1:] | lines[:, :-1])
    image = Image.fromarray(lines.view(np.uint8) + halo.view(np.uint8))  # 0 nothing, 1 halo, 2 line
    image.putpalette(bytes((*HALO_COLOUR, *HALO_COLOUR, *OUTLINE_COLOUR)))
    opacities = (0.0, HALO_OPACITY, OUTLINE_OPACITY)
    return encoded(image, "png", bits=2, transparency=bytes(round(255 * opacity) for opacity in opacities))


def _grown(down: NDArray[np.bool_], right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels beside what is true between rows (down) or between columns (right)."""
    grown = np.zeros((right.shape[0], down.shape[1]), dtype=np.bool_)
    for part, between in ((grown[1:], down), (grown[:-1], down), (grown[:, 1:], right), (grown[:, :-1], right)):
        part |= between
    return grown


def _box(side: "Side", box: Vector, frame: Frame) -> LungBox:
    x, y, width, height = box
    # Pixel i covers i to i + 1 in a box, and has its middle at i in a frame.
    (x0, y0), (x1, y1) = frame.point(y - 0.5, x - 0.5), frame.point(y + height - 0.5, x + width - 0.5)
    return LungBox(side, x0, y0, x1 - x0, y1 - y0)


def _patches(
    grey: NDArray[np.uint8], boxes: dict[str, Vector], screening: DrawnFrom, shown: tuple[float, float]
) -> Iterator[LungPatch]:
    image = Image.fromarray(grey)
    for side in SIDES:
        if side not in screening.attention or side not in boxes:
            continue
        x, y, width, height = boxes[side]
        inside = (max(x, 0.0), max(y, 0.0), min(x + width, image.width), min(y + height, image.height))
        if inside[2] - inside[0] < 1.0 or inside[3] - inside[1] < 1.0:
            continue  # nothing of this lung is in the picture
        patch = image.resize(PATCH_PIXELS, Image.Resampling.BICUBIC, box=inside)
        yield LungPatch(side, encoded(patch, "jpeg", quality=90), heat(screening.attention[side], PATCH_PIXELS, shown))
