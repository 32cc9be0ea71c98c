"""Step 4, Localization-DL: which lung is infected (Wang et al. 2020).

Each lung is cut out by its box to 64 x 128 pixels; a residual attention network (Wang et al. 2017) with
H = (1 + M) * F, M in 0 to 1, gives one sigmoid a lung. Ours: one network for both lungs, which sees the left one
mirrored: it learns from twice as many lungs, and left and right cannot be exchanged inside it. Ours, too: a trunk that
has learnt photographs (``photograph_lungs.py``), lungs whose greys are equalised, and a calibration under which the
probability of a film is that of its likelier lung.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ..case import Vector
from ..config import Settings
from ..evidence import Calibration
from ..images.radiograph import Radiograph
from ..models.network import NetworkModel
from .networks import LOCALIZATION
from .photograph_lungs import PhotographLungs
from .sampling import cut, equalised

MODEL_NAME = LOCALIZATION
WIDTH, HEIGHT = 64, 128
_LEAST = 1e-9

Side = Literal["left", "right"]
LungTrunk = Literal["residual", "efficientnet_lite0"]


LUNG_CUT = frozenset({"size", "equalised", "margin"})
"""Settings that change how a lung is cut."""


class OpacityCalibration(Settings):
    """How the logit of a lung becomes the probability of an opacity; see ``evidence.Calibration``."""

    intercept: float
    slope: float = Field(ge=0.0)
    calibrated_on: str


class LocalizationSettings(Settings):
    """What the network is made of.

    Attributes:
        size: width and height of a lung, in pixels (published: 64 x 128).
        trunk: ``residual`` (published), or ``efficientnet_lite0``, which begins as ImageNet left it (ours).
        tuned_stages: how many stages of ``efficientnet_lite0``, counted from the last, have learnt lungs (ours).
        widths: channels of the stages of the residual trunk, each of which halves the picture after the first.
        attention: whether the mask is used; without it H = F.
        equalised: whether the greys of each lung are spread evenly, which takes exposure and unit away (ours).
        margin: added to a lung's box on each side, as a share of it (ours).
        dropout: share of the averaged features that a training leaves out at random (ours).
        temperature: divides the logits before the sigmoid; fitted on validation patients (ours).
        opacity: how logits become probabilities of an opacity of any cause (ours). With it every X-ray has its lungs
            looked at, not those taken for COVID-19 alone; None is the published way.
    """

    size: tuple[int, int] = (WIDTH, HEIGHT)
    trunk: LungTrunk = "residual"
    tuned_stages: int = Field(0, ge=0, le=7)
    widths: tuple[int, ...] = Field((32, 64, 128), min_length=1)
    attention: bool = True
    equalised: bool = False
    margin: float = Field(0.0, ge=0.0, lt=0.5)
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    temperature: float = Field(1.0, gt=0.0)
    opacity: OpacityCalibration | None = None


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
    """Lungs [b, 1, height, width] to logits [b] and attention masks [b, height, width]."""

    def __init__(self, settings: LocalizationSettings) -> None:
        super().__init__()
        self.settings = settings
        if settings.trunk != "residual":
            self.photographs = PhotographLungs(settings.attention, settings.dropout, settings.tuned_stages)
            return
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
        """Logits [b], and the mean mask of the finest module, [b, height, width]."""
        return self.judged(*self.maps(lungs), lungs.shape[2:])

    def maps(self, lungs: Tensor) -> tuple[Tensor, Tensor | None]:
        """The feature maps that a lung is judged by, and the mask where it was made on the way to them."""
        if self.settings.trunk != "residual":
            return self.photographs.head.norm(self.photographs.maps(lungs)), None
        x = self.stem(lungs * 2.0 - 1.0)
        finest: Tensor | None = None
        for stage in self.stages:
            if isinstance(stage, AttentionModule):
                x, mask = stage(x)
                finest = mask.mean(dim=1, keepdim=True) if finest is None else finest
            else:
                x = stage(x)
        return x, finest

    def judged(self, maps: Tensor, mask: Tensor | None, size: torch.Size) -> tuple[Tensor, Tensor]:
        """Logits [b] and masks [b, height, width] of what ``maps`` gives."""
        if mask is None:
            logits, places = self.photographs.head(maps)
            mask = torch.sigmoid(places)[:, None]
        else:
            means = functional.dropout(maps.mean(dim=(2, 3)), self.settings.dropout, self.training)
            logits = self.classify(means)[:, 0]
        return logits, functional.interpolate(mask, size, mode="bilinear", align_corners=False)[:, 0]


@dataclass(frozen=True)
class JudgedLungs:
    """What a localiser makes of lungs.

    Attributes:
        probabilities: float64 [n], of infection, calibrated.
        masks: float32 [n, height, width] in 0 to 1, of the attention.
        gradcam: float32 [n, height, width], what spoke for an infection: 0 to the lung's probability.
    """

    probabilities: NDArray[np.float64]
    masks: NDArray[np.float32]
    gradcam: NDArray[np.float32]


class LocalizationModel(NetworkModel[LocalizationSettings, LocalizationNetwork]):
    """The network with its settings, on a device, ready to use."""

    settings_type = LocalizationSettings
    network_type = LocalizationNetwork
    what = "radiograph localiser"

    def localise(self, lungs: NDArray[np.float32]) -> JudgedLungs:
        """What is made of lungs [n, height, width] as ``lung_of`` cuts them.

        Ours: the Grad-CAM is element-wise (Draelos and Carin 2020), so that it holds what each place added to the
        logit, and counts where the attention mask, which was taught places, looked. A lung is as warm as it is likely
        to be infected: with a fixed scale a clear lung would glow like a sick one.
        """
        seen = torch.from_numpy(lungs)[:, None].to(self.device)
        with torch.no_grad():
            found, mask = self.network.maps(seen)
        with torch.enable_grad():
            maps = found.detach().requires_grad_()
            logits, masks = self.network.judged(maps, mask, seen.shape[2:])
            gradients = torch.autograd.grad(logits.sum(), maps)[0]
        spoken = torch.relu((gradients * maps).detach().sum(dim=1, keepdim=True))
        spoken = functional.interpolate(spoken, seen.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        spoken = spoken * masks.detach()
        spoken = spoken / spoken.amax(dim=(1, 2), keepdim=True).clamp(min=_LEAST)
        probabilities = self.probabilities(logits)
        warm = spoken.float().cpu().numpy() * probabilities[:, None, None]
        return JudgedLungs(probabilities, np.asarray(masks.detach().float().cpu().numpy()), warm.astype(np.float32))

    def probabilities(self, logits: Tensor) -> NDArray[np.float64]:
        """Calibrated probabilities of infection [n] of logits [n]."""
        values, known = logits.detach().double().cpu(), self.settings.opacity
        scaled = values / self.settings.temperature if known is None else known.intercept + known.slope * values
        return np.asarray(torch.sigmoid(scaled).numpy())

    @property
    def knows_places(self) -> bool:
        """Whether the mask was taught where readers drew opacities."""
        return self.settings.trunk != "residual" and self.settings.attention and self.settings.opacity is not None

    @property
    def calibration(self) -> Calibration | None:
        """Of the probability of an opacity; None where none was fitted."""
        known = self.settings.opacity
        return None if known is None else Calibration(known.intercept, known.slope, known.calibrated_on)


def lung_of(radiograph: Radiograph, box: Vector, side: str, settings: LocalizationSettings) -> NDArray[np.float32]:
    """A lung as the network sees it, float32 [height, width]: the left one mirrored."""
    x, y, width, height = box
    part = (x - width * settings.margin, y - height * settings.margin)
    grown = 1.0 + 2.0 * settings.margin
    lung = cut(radiograph.pixels, (*part, width * grown, height * grown), settings.size)
    lung = equalised(lung) if settings.equalised else lung
    return np.ascontiguousarray(lung[:, ::-1]) if side == "left" else lung


def as_it_lies(mask: NDArray[np.float32], side: str, margin: float = 0.0) -> NDArray[np.float32]:
    """A mask [height, width] of ``lung_of`` as it lies in the picture, without what lies in the margin of the box."""
    rows, columns = (round(length * margin / (1.0 + 2.0 * margin)) for length in mask.shape)
    inside = mask[rows : mask.shape[0] - rows, columns : mask.shape[1] - columns]
    return np.ascontiguousarray(inside[:, ::-1]) if side == "left" else np.ascontiguousarray(inside)
