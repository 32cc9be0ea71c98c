"""Step 3, Discrimination-DL: COVID-19, healthy or community-acquired pneumonia (Wang et al. 2020).

A feature pyramid on a ResNet looks at the lungs' rectangle, from which everything outside the two boxes is removed,
at 224 x 224 pixels. Ours: ResNet-18, narrower where CPU time counts, or a trunk that knows photographs; four pyramid
levels at strides 8 to 64; the mean over each level, joined, goes to the classes; the superpixel means as 2nd channel.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
from monai.networks.nets.resnet import ResNet
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ..case import CXR_CLASSES, Vector
from ..config import Settings
from ..images.radiograph import Radiograph
from ..models.network import NetworkModel
from .efficientnet import LEVELS, EfficientNetLite0
from .networks import DISCRIMINATION
from .sampling import cut, enclosing
from .superpixels import mean_picture, superpixels

MODEL_NAME = DISCRIMINATION

View = Literal["lungs", "whole", "blanked"]
Trunk = Literal["resnet18", "efficientnet_lite0"]


class DiscriminationSettings(Settings):
    """What the network is made of and what it looks at.

    Attributes:
        size: side of the square that it looks at, in pixels (published: 224).
        view: ``lungs`` (published): the lungs' rectangle without what lies outside the boxes; ``whole``: the whole
            content of the picture; ``blanked``: the whole content with the lungs blanked out, for the shortcut audit.
        superpixels: whether the superpixel means are the second channel.
        pyramid: whether the feature pyramid is used; without it the last stage of the ResNet is averaged.
        trunk: ``resnet18`` (published), or ``efficientnet_lite0``, which begins with weights learnt on ImageNet (ours).
        widths: channels of the four stages of the ResNet-18.
        pyramid_channels: of every level.
        mirrored: whether the features of a picture are the mean of those of itself and of its mirror image (ours): the
            class has no side. Trainings flip at random in its place.
        dropout: share of the averaged features that a training leaves out at random (ours).
        temperature: divides the logits before the softmax; fitted on validation patients (ours).
        tells_types: whether it was shown, on patients of one source, to tell COVID-19 from other pneumonia; without
            that the type of a pneumonia stays undecided (ours).
    """

    size: int = Field(224, ge=32)
    view: View = "lungs"
    superpixels: bool = True
    pyramid: bool = True
    trunk: Trunk = "resnet18"
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    pyramid_channels: int = Field(64, gt=0)
    mirrored: bool = True
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    temperature: float = Field(1.0, gt=0.0)
    tells_types: bool = True


class _ResNetTrunk(ResNet):
    """ResNet-18: pictures [b, channels, h, w] in -1 to 1 to its feature maps at strides 8, 16 and 32."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__(
            "basic",
            [2, 2, 2, 2],
            list(widths),
            spatial_dims=2,
            n_input_channels=channels,
            conv1_t_stride=2,
            feed_forward=False,
            bias_downsample=False,
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        first = self.layer1(self.maxpool(self.act(self.bn1(self.conv1(pictures)))))
        second = self.layer2(first)
        third = self.layer3(second)
        return [second, third, self.layer4(third)]


class _PhotographTrunk(EfficientNetLite0):
    """EfficientNet-Lite0 on X-rays: grey is red and green; blue is the superpixel means where there are any (ours)."""

    def forward(self, pictures: Tensor) -> list[Tensor]:
        return super().forward(torch.cat([pictures[:, :1], pictures[:, :1], pictures[:, -1:]], dim=1))


def _trunk(settings: DiscriminationSettings) -> tuple[nn.Module, list[int]]:
    """The trunk and the channels of its feature maps."""
    if settings.trunk == "efficientnet_lite0":
        return _PhotographTrunk(), list(LEVELS)
    return _ResNetTrunk(settings.widths, 2 if settings.superpixels else 1), list(settings.widths[1:])


class DiscriminationNetwork(nn.Module):
    """Pictures [b, 1 or 2, size, size] to logits [b, 3], in the order of ``CXR_CLASSES``."""

    def __init__(self, settings: DiscriminationSettings) -> None:
        super().__init__()
        self.settings = settings
        self.trunk, levels = _trunk(settings)
        features = levels[-1]
        if settings.pyramid:
            channels = settings.pyramid_channels
            self.pyramid = FeaturePyramidNetwork(2, levels, channels, LastLevelMaxPool(2))
            features = channels * (len(levels) + 1)
        self.classify = nn.Linear(features, len(CXR_CLASSES))

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """The feature maps that the classes are read from, none below 0, the finest first."""
        levels: list[Tensor] = self.trunk(pictures * 2.0 - 1.0)
        if self.settings.pyramid:
            levels = list(self.pyramid({str(number): level for number, level in enumerate(levels)}).values())
        else:
            levels = levels[-1:]
        return [torch.relu(level) for level in levels]

    def views(self, pictures: Tensor) -> Tensor:
        """The pictures [b, channels, size, size], with their mirror images behind them where those count."""
        is_mirrored = self.settings.mirrored and not self.training
        return torch.cat([pictures, pictures.flip(3)]) if is_mirrored else pictures

    def features(self, maps: list[Tensor], count: int) -> Tensor:
        """The means [count, features] of the feature maps of ``views`` of so many pictures, for the classes."""
        means = torch.cat([level.mean(dim=(2, 3)) for level in maps], dim=1)
        return means.unflatten(0, (-1, count)).mean(dim=0)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits [b, 3]."""
        means = self.features(self.maps(self.views(pictures)), len(pictures))
        found: Tensor = self.classify(functional.dropout(means, self.settings.dropout, self.training))
        return found


class DiscriminationModel(NetworkModel[DiscriminationSettings, DiscriminationNetwork]):
    """The network with its settings, on a device, ready to use."""

    settings_type = DiscriminationSettings
    network_type = DiscriminationNetwork
    what = "radiograph discriminator"

    def probabilities(self, logits: Tensor) -> NDArray[np.float64]:
        """Calibrated class probabilities [n, 3] of logits [n, 3]."""
        softened = logits.detach().double().cpu() / self.settings.temperature
        return np.asarray(torch.softmax(softened, dim=1).numpy())

    @torch.inference_mode()
    def discriminate(self, pictures: NDArray[np.float32]) -> NDArray[np.float64]:
        """Class probabilities [n, 3] of pictures [n, channels, size, size]."""
        return self.probabilities(self.network(torch.from_numpy(pictures).to(self.device)))


def view_box(radiograph: Radiograph, boxes: dict[str, Vector], settings: DiscriminationSettings) -> Vector:
    """The part of the picture that the network looks at, x, y, w, h in pixels."""
    return enclosing(list(boxes.values())) if settings.view == "lungs" else tuple(map(float, radiograph.content))


def grey_of(radiograph: Radiograph, boxes: dict[str, Vector], settings: DiscriminationSettings) -> NDArray[np.float32]:
    """The grey picture [size, size] that the network looks at, with the parts removed that it must not see."""
    part = view_box(radiograph, boxes, settings)
    picture = cut(radiograph.pixels, part, (settings.size, settings.size))
    if settings.view == "whole":
        return picture
    inside = np.zeros(picture.shape, dtype=bool)
    for box in boxes.values():
        x0, y0, x1, y1 = _in_view(box, part, settings.size)
        inside[y0:y1, x0:x1] = True
    return np.where(inside == (settings.view == "lungs"), picture, np.float32(0.0))


def _in_view(box: Vector, part: Vector, size: int) -> tuple[int, int, int, int]:
    """Columns and rows (x0, y0, x1, y1) of a box in the resized part."""
    x0, y0 = (box[0] - part[0]) / part[2] * size, (box[1] - part[1]) / part[3] * size
    x1, y1 = x0 + box[2] / part[2] * size, y0 + box[3] / part[3] * size
    return tuple(int(np.clip(round(v), 0, size)) for v in (x0, y0, x1, y1))  # type: ignore[return-value]


def channels_of(
    grey: NDArray[np.float32], settings: DiscriminationSettings, labels: NDArray[np.int32] | None = None
) -> NDArray[np.float32]:
    """The channels [1 or 2, size, size] of a grey picture; ``labels`` are its superpixels where they are known."""
    if not settings.superpixels:
        return grey[None]
    return np.stack([grey, mean_picture(grey, superpixels(grey) if labels is None else labels)])
