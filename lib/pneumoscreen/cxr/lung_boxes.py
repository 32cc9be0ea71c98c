"""Step 1, PoL: a box around each lung (Wang et al. 2020, equation 1).

A VGG-like network looks at the whole picture and regresses, for each lung, the four R-CNN offsets (x, y, w, h) against
an anchor box. Ours: the anchor of a lung is the mean box of the training set; the picture is brought to a square, in
which boxes are shares of the width and the height; batch normalisation and narrower stages than VGG's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from ..case import SIDES, Vector
from ..config import Settings
from ..errors import NoLungsError
from ..images.radiograph import Radiograph
from .network import CxrModel
from .sampling import cut

MODEL_NAME = "cxr_lung_boxes"

Anchor = tuple[float, float, float, float]
"""Centre x, centre y, width, height, as shares of the content of a picture."""

SMALLEST_SHARE, LARGEST_SHARE = 0.08, 1.1
"""Ours: width and height of a lung in a frontal chest X-ray, as shares of the picture."""


class LungBoxSettings(Settings):
    """What the network is made of.

    Attributes:
        size: side of the square that it looks at, in pixels.
        stages: channels of the VGG stages, each of which halves the picture.
        features: width of the fully connected layer.
        anchors: of the patient's left and right lung.
    """

    size: int = Field(128, ge=32)
    stages: tuple[int, ...] = Field((16, 32, 64, 96, 128), min_length=2)
    features: int = Field(256, gt=0)
    anchors: dict[str, Anchor] = Field(
        default_factory=lambda: {"left": (0.7, 0.5, 0.35, 0.7), "right": (0.3, 0.5, 0.35, 0.7)}
    )


class LungBoxNetwork(nn.Module):
    """VGG stages and two fully connected layers: pictures [b, 1, size, size] to offsets [b, 2, 4], left lung first."""

    def __init__(self, settings: LungBoxSettings) -> None:
        super().__init__()
        self.settings = settings
        layers: list[nn.Module] = []
        channels = 1
        for number, width in enumerate(settings.stages):
            for _ in range(1 if number < 2 else 2):  # as VGG-11
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.convolutions = nn.Sequential(*layers)
        side = settings.size // 2 ** len(settings.stages)
        self.regress = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * side * side, settings.features),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(settings.features, 4 * len(SIDES)),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Offsets [b, 2, 4]."""
        found: Tensor = self.regress(self.convolutions(pictures * 2.0 - 1.0))
        return found.unflatten(1, (len(SIDES), 4))


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """R-CNN offsets [..., 4] of boxes against anchors, both (centre x, centre y, w, h) (Girshick et al. 2014)."""
    place = (boxes[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    return torch.cat([place, torch.log(boxes[..., 2:] / anchors[..., 2:])], dim=-1)


def decode(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Boxes [..., 4] (centre x, centre y, w, h) of offsets, the inverse of ``encode``."""
    place = offsets[..., :2] * anchors[..., 2:] + anchors[..., :2]
    return torch.cat([place, torch.exp(offsets[..., 2:].clamp(-4.0, 4.0)) * anchors[..., 2:]], dim=-1)


class LungBoxModel(CxrModel[LungBoxSettings, LungBoxNetwork]):
    """The network with its settings, on a device, ready to use."""

    settings_type = LungBoxSettings
    network_type = LungBoxNetwork
    what = "lung-box regressor"

    @property
    def anchors(self) -> Tensor:
        """float32 [2, 4], left lung first."""
        return torch.tensor([self.settings.anchors[side] for side in SIDES])

    def iou(self, offsets: Tensor, boxes: Tensor) -> Tensor:
        """Intersection over union [n, 2] of the boxes that offsets [n, 2, 4] stand for with boxes [n, 2, 4]."""
        return box_iou(decode(offsets, self.anchors), boxes)

    @torch.inference_mode()
    def boxes(self, pictures: NDArray[np.float32]) -> NDArray[np.float64]:
        """Boxes [n, 2, 4] (centre x, centre y, w, h as shares) of pictures [n, size, size], left lung first."""
        offsets = self.network(torch.from_numpy(pictures)[:, None].to(self.device)).float().cpu()
        return np.asarray(decode(offsets, self.anchors).double().numpy())


def corners(boxes: Tensor) -> Tensor:
    """Left, top, right and bottom [..., 4] of boxes [..., 4] (centre x, centre y, w, h)."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], dim=-1)


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union [...] of boxes [..., 4] (centre x, centre y, w, h), pair by pair."""
    one, other = corners(first), corners(second)
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    shared = (high - low).clamp(min=0.0).prod(dim=-1)
    return shared / (first[..., 2:].prod(dim=-1) + second[..., 2:].prod(dim=-1) - shared)


@dataclass(frozen=True)
class LungBoxes:
    """Boxes x, y, w, h in pixels of the whole picture, by the patient's side."""

    left: Vector
    right: Vector

    def by_side(self) -> dict[str, Vector]:
        """As the document holds them."""
        return {"left": self.left, "right": self.right}


def find_lung_boxes(radiograph: Radiograph, model: LungBoxModel) -> LungBoxes:
    """The box around each lung.

    Raises:
        NoLungsError: if what is found cannot be two lungs of a frontal chest X-ray.
    """
    shares = model.boxes(picture_of(radiograph, model.settings)[None])[0]
    _require_lungs(shares, radiograph)
    left, right = (to_pixels(share, radiograph) for share in shares)
    return LungBoxes(left, right)


def picture_of(radiograph: Radiograph, settings: LungBoxSettings) -> NDArray[np.float32]:
    """What the network looks at: the content of the picture as a square, float32 [size, size]."""
    return cut(radiograph.pixels, radiograph.content, (settings.size, settings.size))


def to_pixels(share: NDArray[Any], radiograph: Radiograph) -> Vector:
    """A box (centre x, centre y, w, h as shares of the content) as x, y, w, h in pixels, inside the picture."""
    x, y, width, height = radiograph.content
    rows, columns = radiograph.pixels.shape
    low = np.array([x, y]) + (share[:2] - share[2:] / 2) * (width, height)
    high = np.array([x, y]) + (share[:2] + share[2:] / 2) * (width, height)
    low, high = np.clip(low, 0, (columns - 1, rows - 1)), np.clip(high, 1, (columns, rows))
    return (*np.round(low, 1).tolist(), *np.round(np.maximum(high - low, 1.0), 1).tolist())


def to_shares(box: Vector, radiograph: Radiograph) -> NDArray[np.float64]:
    """A box x, y, w, h in pixels as (centre x, centre y, w, h) in shares of the content."""
    x, y, width, height = radiograph.content
    center = (np.array(box[:2]) + np.array(box[2:]) / 2 - (x, y)) / (width, height)
    return np.concatenate([center, np.array(box[2:]) / (width, height)])


def _require_lungs(shares: NDArray[np.float64], radiograph: Radiograph) -> None:
    sizes, (left, right) = shares[:, 2:], shares[:, :2]
    plausible = (sizes > SMALLEST_SHARE).all() and (sizes < LARGEST_SHARE).all() and left[0] > right[0]
    if not plausible or not ((shares[:, :2] > 0.0) & (shares[:, :2] < 1.0)).all():
        raise NoLungsError(f"{radiograph.source} shows no two lungs side by side; give a frontal chest X-ray")
