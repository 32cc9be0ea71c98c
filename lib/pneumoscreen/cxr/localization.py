"""Step 4, Localization-DL: which lung is infected (Wang et al. 2020).

Each lung is cut out by its box to 64 x 128 pixels; a residual attention network (Wang et al. 2017) with
H = (1 + M) * F, M in 0 to 1, gives one sigmoid a lung. Ours: one network for both lungs, which sees the left one
mirrored: it learns from twice as many lungs, and left and right cannot be exchanged inside it.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ..case import Vector
from ..config import Settings
from ..images.radiograph import Radiograph
from ..radiograph_findings import INFECTED as INFECTED
from ..radiograph_findings import location_of as location_of
from .network import CxrModel
from .sampling import cut

MODEL_NAME = "cxr_localization"
WIDTH, HEIGHT = 64, 128


class LocalizationSettings(Settings):
    """What the network is made of.

    Attributes:
        widths: channels of its stages, each of which halves the picture after the first.
        attention: whether the mask is used; without it H = F.
        dropout: share of the averaged features that a training leaves out at random (ours).
        temperature: divides the logits before the sigmoid; fitted on validation patients (ours).
    """

    widths: tuple[int, ...] = Field((32, 64, 128), min_length=1)
    attention: bool = True
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    temperature: float = Field(1.0, gt=0.0)


class ResidualUnit(nn.Module):
    """Two 3 x 3 convolutions and a short cut (He et al. 2016)."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        same = inside == outside and stride == 1
        self.short = nn.Identity() if same else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same number of pixels, or of half the width and height."""
        return torch.relu(self.body(x) + self.short(x))


class AttentionModule(nn.Module):
    """Trunk F and mask M, H = (1 + M) * F (Wang et al. 2017, equation 3); M looks at a coarser picture."""

    def __init__(self, width: int, attention: bool) -> None:
        super().__init__()
        self.trunk = nn.Sequential(ResidualUnit(width, width), ResidualUnit(width, width))
        self.attention = attention
        if attention:
            self.down = nn.Sequential(nn.MaxPool2d(3, 2, 1), ResidualUnit(width, width))
            self.deep = nn.Sequential(nn.MaxPool2d(3, 2, 1), ResidualUnit(width, width), ResidualUnit(width, width))
            self.mask = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H and M, both of the size of x; without attention M is 0."""
        features = self.trunk(x)
        if not self.attention:
            return features, torch.zeros_like(features)
        shallow = self.down(x)
        deep = functional.interpolate(self.deep(shallow), shallow.shape[2:], mode="bilinear")
        upper = functional.interpolate(deep + shallow, features.shape[2:], mode="bilinear")
        mask = torch.sigmoid(self.mask(upper))
        return (1.0 + mask) * features, mask


class LocalizationNetwork(nn.Module):
    """Lungs [b, 1, 128, 64] to logits [b] and attention masks [b, 128, 64]."""

    def __init__(self, settings: LocalizationSettings) -> None:
        super().__init__()
        self.settings = settings
        first = settings.widths[0]
        self.stem = nn.Sequential(nn.Conv2d(1, first, 5, 2, 2, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        modules: list[nn.Module] = []
        channels = first
        for number, width in enumerate(settings.widths):
            modules.append(ResidualUnit(channels, width, 1 if number == 0 else 2))
            modules.append(AttentionModule(width, settings.attention))
            channels = width
        self.stages = nn.ModuleList(modules)
        self.classify = nn.Linear(channels, 1)

    def forward(self, lungs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [b], and the mean mask of the finest module, [b, 128, 64]."""
        x = self.stem(lungs * 2.0 - 1.0)
        finest: Tensor | None = None
        for stage in self.stages:
            if isinstance(stage, AttentionModule):
                x, mask = stage(x)
                finest = mask if finest is None else finest
            else:
                x = stage(x)
        means = functional.dropout(x.mean(dim=(2, 3)), self.settings.dropout, self.training)
        assert finest is not None
        seen = functional.interpolate(finest.mean(dim=1, keepdim=True), lungs.shape[2:], mode="bilinear")
        return self.classify(means)[:, 0], seen[:, 0]


class LocalizationModel(CxrModel[LocalizationSettings, LocalizationNetwork]):
    """The network with its settings, on a device, ready to use."""

    settings_type = LocalizationSettings
    network_type = LocalizationNetwork
    what = "radiograph localiser"

    @torch.inference_mode()
    def localise(self, lungs: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities of infection [n] and attention masks [n, 128, 64] of lungs [n, 128, 64] as ``lung_of`` cuts."""
        logits, masks = self.network(torch.from_numpy(lungs)[:, None].to(self.device))
        found = torch.sigmoid(logits.double().cpu() / self.settings.temperature)
        return np.asarray(found.numpy()), np.asarray(masks.float().cpu().numpy())


def lung_of(radiograph: Radiograph, box: Vector, side: str) -> NDArray[np.float32]:
    """A lung as the network sees it, float32 [128, 64]: the left one mirrored."""
    lung = cut(radiograph.pixels, box, (WIDTH, HEIGHT))
    return np.ascontiguousarray(lung[:, ::-1]) if side == "left" else lung


def as_it_lies(mask: NDArray[np.float32], side: str) -> NDArray[np.float32]:
    """A mask [128, 64] of ``lung_of`` as it lies in the picture."""
    return np.ascontiguousarray(mask[:, ::-1]) if side == "left" else mask
