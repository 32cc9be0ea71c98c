"""Step 1, PoL: a box around each lung (Wang et al. 2020, equation 1).

A VGG-like network looks at the whole picture and regresses, for each lung, the four R-CNN offsets (x, y, w, h) against
an anchor box. Ours: the anchor of a lung is the mean box of the training set; the picture is brought to a square, in
which boxes are shares of the width and the height; batch normalisation and narrower stages than VGG's; and in place of
VGG's fully connected layers, which learn the mean box where boxes are few, a heatmap of each edge, whose expected place
is the edge (Sun et al. 2018, integral regression).

Ours as well: the heatmaps can be read from a trunk that has learnt photographs (``efficientnet.py``) in place of the
VGG stages. Radiographs with drawn boxes whose licence lets them teach are some hundred; on that trunk they are enough.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ..case import SIDES, Vector
from ..config import Settings
from ..errors import NoLungsError
from ..images.radiograph import Radiograph
from ..models.network import NetworkModel
from .efficientnet import LEVELS, PhotographTrunk
from .networks import LUNG_BOXES
from .sampling import cut

MODEL_NAME = LUNG_BOXES

Anchor = tuple[float, float, float, float]
"""Centre x, centre y, width, height, as shares of the content of a picture."""

_LEVELS = 3
"""Of the last stages, which the heatmaps are read from at the resolution of the finest of them."""
_PHOTOGRAPH_STRIDE = 8
"""Of the finest level of the trunk that has learnt photographs."""
_GUESS_WIDTH = 0.25
"""Standard deviation of the guess around an anchor's edge, as a share of the picture."""
SMALLEST = 0.01
"""Width and height of a box, as a share, whose edges have passed each other."""

SMALLEST_SHARE, LARGEST_SHARE = 0.08, 1.1
"""Ours: width and height of a lung in a frontal chest X-ray, as shares of the picture."""


class LungBoxSettings(Settings):
    """What the network is made of.

    Attributes:
        size: side of the square that it looks at, in pixels.
        trunk: what the heatmaps are read from: VGG stages, or what ImageNet taught.
        stages: channels of the VGG stages, each of which halves the picture.
        features: channels that the heatmaps are read from.
        anchors: of the patient's left and right lung.
        mirrored: whether the boxes of a picture are the mean of those of itself and of its mirror image (ours).
    """

    size: int = Field(128, ge=32)
    trunk: Literal["vgg", "efficientnet_lite0"] = "vgg"
    stages: tuple[int, ...] = Field((16, 32, 64, 96, 128), min_length=2)
    features: int = Field(64, gt=0)
    anchors: dict[str, Anchor] = Field(
        default_factory=lambda: {"left": (0.7, 0.5, 0.35, 0.7), "right": (0.3, 0.5, 0.35, 0.7)}
    )
    mirrored: bool = True


class LungBoxNetwork(nn.Module):
    """A trunk and a heatmap of each edge: pictures [b, 1, size, size] to offsets [b, 2, 4], left lung first."""

    anchors: Tensor
    guess: Tensor
    shift: Tensor

    def __init__(self, settings: LungBoxSettings) -> None:
        super().__init__()
        self.settings = settings
        if settings.trunk == "vgg":
            self.stages = _vgg_stages(settings.stages)
            widths, stride = settings.stages[-_LEVELS:], 2 ** max(len(settings.stages) - _LEVELS + 1, 1)
        else:
            self.trunk = PhotographTrunk()
            self.narrow = nn.ModuleList(_narrowed(width, settings.features) for width in LEVELS)
            widths, stride = (settings.features,) * len(LEVELS), _PHOTOGRAPH_STRIDE
        self.read = nn.Sequential(
            *_convolution(sum(widths), settings.features),
            *_convolution(settings.features, settings.features),
            nn.Conv2d(settings.features, 4 * len(SIDES), 1),
        )
        anchors = torch.tensor([settings.anchors[side] for side in SIDES])
        count = settings.size // stride + 2
        self.register_buffer("anchors", anchors, persistent=False)
        edges = corners(anchors)
        guess = _guess(edges, count)
        self.register_buffer("guess", guess, persistent=False)
        self.register_buffer("shift", edges - (guess.softmax(dim=-1) * _centers(count)).sum(dim=-1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Offsets [b, 2, 4]; a training sees every picture as it is."""
        if self.training or not self.settings.mirrored:
            return self._regress(pictures)
        offsets = self._regress(torch.cat([pictures, pictures.flip(3)]))
        found, mirrored = decode(offsets, self.anchors).chunk(2)
        return encode((found + mirror(mirrored)) / 2, self.anchors)

    def _regress(self, pictures: Tensor) -> Tensor:
        levels = self._levels(pictures * 2.0 - 1.0)
        finest = levels[0].shape[2:]
        joined = [functional.interpolate(level, finest, mode="bilinear", align_corners=False) for level in levels[1:]]
        # A cell more on each side, so that an edge can lie on that of the picture.
        heatmaps: Tensor = self.read(functional.pad(torch.cat([levels[0], *joined], dim=1), (1, 1, 1, 1)))
        return self._offsets(heatmaps.unflatten(1, (len(SIDES), 4)))

    def _levels(self, x: Tensor) -> list[Tensor]:
        """Feature maps that the heatmaps are read from, the finest first."""
        if self.settings.trunk != "vgg":
            maps = self.trunk(x.expand(-1, 3, -1, -1))
            return [narrow(level) for narrow, level in zip(self.narrow, maps, strict=True)]
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels[-_LEVELS:]

    def _offsets(self, heatmaps: Tensor) -> Tensor:
        """Offsets [b, 2, 4] of heatmaps [b, 2, 4, n, n]: of the left, upper, right and lower edge.

        A heatmap is what the picture adds to a wide guess around the edge of the anchor, so that one that says nothing
        gives the anchor.
        """
        # An expected place needs more digits than half precision has.
        heatmaps = heatmaps.float()
        x = _expected(heatmaps[:, :, 0::2] + self.guess[:, 0::2, None, :], along=4) + self.shift[:, 0::2]
        y = _expected(heatmaps[:, :, 1::2] + self.guess[:, 1::2, :, None], along=3) + self.shift[:, 1::2]
        found = torch.stack([x, y], dim=-1)  # [b, 2, first and last edge, 2]
        size = (found[:, :, 1] - found[:, :, 0]).clamp(min=SMALLEST)
        return encode(torch.cat([found.mean(dim=2), size], dim=-1), self.anchors)


def _vgg_stages(widths: tuple[int, ...]) -> nn.ModuleList:
    stages, channels = nn.ModuleList(), 1
    for number, width in enumerate(widths):
        layers: list[nn.Module] = []
        for _ in range(1 if number < 2 else 2):  # as VGG-11
            layers += _convolution(channels, width)
            channels = width
        stages.append(nn.Sequential(*layers, nn.MaxPool2d(2)))
    return stages


def _narrowed(inside: int, outside: int) -> nn.Sequential:
    """A level of the trunk, as wide as the others."""
    return nn.Sequential(
        nn.BatchNorm2d(inside), nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


def _convolution(inside: int, outside: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]


def _centers(count: int) -> Tensor:
    """Places [n] of the cells of a heatmap, the first and the last of them beyond the picture."""
    return (torch.arange(count) - 0.5) / (count - 2)


def _expected(heatmaps: Tensor, along: int) -> Tensor:
    """Expected place [b, 2, 2], as a share, along axis 3 (y) or 4 (x) of heatmaps [b, 2, 2, n, n]."""
    shares = heatmaps.flatten(3).softmax(dim=3).view_as(heatmaps)
    centers = _centers(heatmaps.shape[along]).to(heatmaps.device)
    return (shares.sum(dim=7 - along) * centers).sum(dim=3)


def _guess(edges: Tensor, count: int) -> Tensor:
    """Log-shares [2, 4, n] along the picture whose expected places are the edges [2, 4].

    A bell around the edge itself would expect an edge near the border further inside, so its middle is searched for.
    Edges that no heatmap reaches get the nearest.
    """
    centers = _centers(count).double()
    low, high = torch.full(edges.shape, -9.0).double(), torch.full(edges.shape, 10.0).double()
    for _ in range(60):
        middle = (low + high) / 2
        guess = -0.5 * ((centers - middle[..., None]) / _GUESS_WIDTH) ** 2
        is_short = (guess.softmax(dim=-1) * centers).sum(dim=-1) < edges
        low, high = torch.where(is_short, middle, low), torch.where(is_short, high, middle)
    return guess.float()


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """R-CNN offsets [..., 4] of boxes against anchors, both (centre x, centre y, w, h) (Girshick et al. 2014)."""
    place = (boxes[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    return torch.cat([place, torch.log(boxes[..., 2:] / anchors[..., 2:])], dim=-1)


def decode(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Boxes [..., 4] (centre x, centre y, w, h) of offsets, the inverse of ``encode``."""
    place = offsets[..., :2] * anchors[..., 2:] + anchors[..., :2]
    return torch.cat([place, torch.exp(offsets[..., 2:].clamp(-4.0, 4.0)) * anchors[..., 2:]], dim=-1)


class LungBoxModel(NetworkModel[LungBoxSettings, LungBoxNetwork]):
    """The network with its settings, on a device, ready to use."""

    settings_type = LungBoxSettings
    network_type = LungBoxNetwork
    what = "lung-box regressor"

    @property
    def anchors(self) -> Tensor:
        """float32 [2, 4], left lung first."""
        return self.network.anchors.cpu()

    def iou(self, offsets: Tensor, boxes: Tensor) -> Tensor:
        """Intersection over union [n, 2] of the boxes that offsets [n, 2, 4] stand for with boxes [n, 2, 4]."""
        return box_iou(decode(offsets, self.anchors), boxes)

    @torch.inference_mode()
    def boxes(self, pictures: NDArray[np.float32]) -> NDArray[np.float64]:
        """Boxes [n, 2, 4] (centre x, centre y, w, h as shares) of pictures [n, size, size], left lung first."""
        offsets = self.network(torch.from_numpy(pictures)[:, None].to(self.device)).float().cpu()
        return np.asarray(decode(offsets, self.anchors).double().numpy())


def mirror(boxes: Tensor) -> Tensor:
    """Boxes [..., 2, 4] (centre x, centre y, w, h as shares), left lung first, in the mirrored picture."""
    exchanged = boxes.flip(-2)
    return torch.cat([1.0 - exchanged[..., :1], exchanged[..., 1:]], dim=-1)


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
    picture = picture_of(radiograph, model.settings)
    shares = model.boxes(picture[None])[0]
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
