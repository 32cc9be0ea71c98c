"""The patch classifier: ResNet-18 without (M1) and with (M2) location attention (Xu et al. 2020, section 2.5).

M1: ResNet-18 features to a 256-vector, fully connected to 16, fully connected to the classes.
M2: the same, with the normalised relative distance-from-edge concatenated to the 16-vector, then three
fully connected layers to the classes. The softmax of the last layer is the confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from ..config import Settings
from ..errors import ModelError
from ..evidence import Calibration
from ..models.network import NetworkModel
from ..verdict import Classes
from .networks import CLASSIFIER
from .patches import PatchImage, PatchSettings
from .trunks import DEFAULT, TRUNKS

MODEL_NAME = CLASSIFIER
BATCH = 64
MONTE_CARLO_DROPOUT = 0.3
"""Ours: share of the features left out in a draw of dropout, for weights that were trained without it."""

Head = Literal["m1", "m2"]


class ClassSettings(Settings):
    """The class list of a site; see ``verdict.Classes``."""

    infections: tuple[str, ...] = ("covid19", "influenza_a")
    irrelevant: str = "irrelevant"
    none_found: str = "no_infection_found"

    @property
    def classes(self) -> Classes:
        """The list as the verdict rules take it."""
        return Classes(self.infections, self.irrelevant, self.none_found)


class CalibrationSettings(Settings):
    """The calibration of the probability of an infection; see ``evidence.Calibration``."""

    intercept: float
    slope: float = Field(ge=0.0)
    calibrated_on: str


class ClassifierSettings(Settings):
    """What the network is made of; stored in the card of its weights, which so rebuild their own network.

    Attributes:
        classes: the class list.
        heads: which of the two models to build. Two heads share one trunk (ours): both fit into one
            file, and what differs between M1 and M2 is the location alone. One head is the paper's network.
        patches: how patches are cut and scaled.
        trunk: what makes a vector of a patch (``trunks``); ``resnet18`` is published.
        widths: channels of the four stages of the trunk.
        features: length of the vector that the convolutions are flattened to.
        embedding: length of the vector that the location joins.
        dropout: share of the 256 features that a training leaves out at random. Ours: the paper has none; drawn
            again at inference it tells how unsure the weights themselves are (Gal and Ghahramani 2016).
        temperatures: of each head, dividing its logits before the softmax. Ours: fitted on validation cases,
            because Noisy-OR multiplies over-confidence; 1 where nothing was fitted.
        infection: how the evidence of a case becomes the probability of an infection (ours); None where it was not
            fitted with this network. It is fitted with the candidate network of its day.
    """

    classes: ClassSettings = ClassSettings()
    heads: tuple[Head, ...] = ("m1", "m2")
    patches: PatchSettings = PatchSettings()
    trunk: str = DEFAULT
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    features: int = Field(256, gt=0)
    embedding: int = Field(16, gt=0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    temperatures: dict[Head, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    infection: CalibrationSettings | None = None

    @field_validator("classes")
    @classmethod
    def _distinct(cls, value: ClassSettings) -> ClassSettings:
        _ = value.classes  # raises where the names are not distinct
        return value

    @field_validator("trunk")
    @classmethod
    def _registered(cls, value: str) -> str:
        if value not in TRUNKS:
            raise ValueError(f"{value!r} is not one of {', '.join(TRUNKS)}; a trunk of your own is registered first")
        return value

    @field_validator("heads")
    @classmethod
    def _at_least_one(cls, value: tuple[Head, ...]) -> tuple[Head, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("heads must be m1, m2 or both, each once")
        return value


class AppearanceHead(nn.Module):
    """M1: 256 to 16 to the classes."""

    def __init__(self, features: int, embedding: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Linear(features, embedding)
        self.classify = nn.Linear(embedding, classes)

    def forward(self, features: Tensor, distance: Tensor) -> Tensor:
        """Logits [b, classes]; the distance is not looked at."""
        del distance
        return self.classify(torch.relu(self.embed(features)))


class LocationAttentionHead(nn.Module):
    """M2: 256 to 16, the normalised distance joined, then three fully connected layers.

    Ours: the distance is brought to the order of magnitude of the 16 features by the mean and standard
    deviation that it has in the training set; both travel with the weights. The two hidden layers are
    as wide as the vector that enters them.
    """

    distance_mean: Tensor
    distance_std: Tensor

    def __init__(self, features: int, embedding: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("distance_mean", torch.tensor(0.0))
        self.register_buffer("distance_std", torch.tensor(1.0))
        self.embed = nn.Linear(features, embedding)
        joined = embedding + 1
        self.classify = nn.Sequential(
            nn.Linear(joined, joined), nn.ReLU(), nn.Linear(joined, joined), nn.ReLU(), nn.Linear(joined, classes)
        )

    def forward(self, features: Tensor, distance: Tensor) -> Tensor:
        """Logits [b, classes] of features [b, features] and relative distances-from-edge [b]."""
        location = ((distance - self.distance_mean) / self.distance_std)[:, None]
        return self.classify(torch.cat([torch.relu(self.embed(features)), location], dim=1))


class ClassifierNetwork(nn.Module):
    """The trunk and the heads that the settings ask for.

    Input: patches [b, 1, size, size] in 0 to 1 and relative distances-from-edge [b].
    Output: logits [b, classes] of each head.
    """

    def __init__(self, settings: ClassifierSettings) -> None:
        super().__init__()
        self.settings = settings
        self.trunk = TRUNKS[settings.trunk](settings.widths, settings.features)
        kinds: dict[str, type[AppearanceHead] | type[LocationAttentionHead]]
        kinds = {"m1": AppearanceHead, "m2": LocationAttentionHead}
        classes = len(settings.classes.classes.patch_labels)
        self.heads = nn.ModuleDict(
            {name: kinds[name](settings.features, settings.embedding, classes) for name in settings.heads}
        )

    def forward(self, pixels: Tensor, distance: Tensor) -> dict[str, Tensor]:
        """Logits [b, classes] by head."""
        features = functional.dropout(self.features(pixels), self.settings.dropout, self.training)
        return self.judge(features, distance)

    def features(self, pixels: Tensor) -> Tensor:
        """The vector [b, features] of each patch that the heads look at."""
        return torch.relu(self.trunk(pixels * 2.0 - 1.0))

    def judge(self, features: Tensor, distance: Tensor) -> dict[str, Tensor]:
        """Logits [b, classes] by head of features [b, features]."""
        return {name: head(features, distance) for name, head in self.heads.items()}

    def set_distance_scale(self, distances: NDArray[np.floating[Any]]) -> None:
        """Normalise distances by the mean and standard deviation of those of the training set."""
        if "m2" in self.heads:
            head = self.heads["m2"]
            assert isinstance(head, LocationAttentionHead)
            head.distance_mean.fill_(float(np.mean(distances)))
            head.distance_std.fill_(max(float(np.std(distances)), 1e-3))


class ClassifierModel(NetworkModel[ClassifierSettings, ClassifierNetwork]):
    """A network with its settings, on a device, ready to classify."""

    settings_type = ClassifierSettings
    network_type = ClassifierNetwork
    what = "patch classifier"

    def __init__(
        self, settings: ClassifierSettings, network: ClassifierNetwork, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(settings, network, device)
        self.network.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def head(self) -> Head:
        """The head that screening listens to: M2 where there is one, the better one in the paper."""
        return "m2" if "m2" in self.settings.heads else "m1"

    @property
    def classes(self) -> Classes:
        """The class list it was trained with."""
        return self.settings.classes.classes

    @property
    def calibration(self) -> Calibration | None:
        """Of the probability of an infection; None where none was fitted."""
        known = self.settings.infection
        return None if known is None else Calibration(known.intercept, known.slope, known.calibrated_on)

    def probabilities(self, logits: Tensor, head: Head) -> Tensor:
        """Calibrated class probabilities, float64 on the CPU, of a head's logits [b, classes]."""
        return torch.softmax(logits.double() / self.settings.temperatures.get(head, 1.0), dim=1).cpu()

    def with_temperatures(self, temperatures: dict[Head, float]) -> "ClassifierModel":
        """The same weights under other temperatures; what was fitted on the old ones' confidences goes with them."""
        return self._under({"temperatures": dict(temperatures), "infection": None})

    def with_calibration(self, calibration: Calibration) -> "ClassifierModel":
        """The same weights with the probability of an infection fitted."""
        return self._under({"infection": CalibrationSettings(**vars(calibration))})

    def _under(self, changes: dict[str, Any]) -> "ClassifierModel":
        network = ClassifierNetwork(self.settings.model_copy(update=changes))
        network.load_state_dict(self.network.state_dict())
        return ClassifierModel(network.settings, network, self.device)


@dataclass(frozen=True)
class Judgement:
    """What a classifier makes of n patches.

    Attributes:
        probabilities: float64 [n, classes] in the order of ``Classes.patch_labels``; rows sum to 1.
        features: float32 [n, features], the vectors that the heads looked at.
        samples: float64 [s, n, classes], the probabilities again under s draws of dropout; s may be 0.
    """

    probabilities: NDArray[np.float64]
    features: NDArray[np.float32]
    samples: NDArray[np.float64]


def classify(patches: Sequence[PatchImage], model: ClassifierModel, head: Head | None = None) -> NDArray[np.float64]:
    """Class probabilities of patches: those of ``judge``.

    Raises:
        ModelError: if the model does not have that head.
    """
    return judge(patches, model, head).probabilities


@torch.inference_mode()
def judge(
    patches: Sequence[PatchImage],
    model: ClassifierModel,
    head: Head | None = None,
    samples: int = 0,
    dropout: float = MONTE_CARLO_DROPOUT,
    seed: int = 0,
) -> Judgement:
    """Class probabilities of patches, with what lies behind them.

    Ours: single precision everywhere. The 60 patches of a scan take a fraction of a second on two cores,
    and the confidence that a report prints does not depend on which machine has bf16.

    Args:
        patches: any number, of the size the model was trained on.
        model: the classifier.
        head: ``m1`` or ``m2``; by default the model's own choice.
        samples: draws of dropout.
        dropout: share of the features left out in a draw, for weights that were trained without dropout.
        seed: of the draws.

    Raises:
        ModelError: if the model does not have that head.
    """
    head = head or model.head
    if head not in model.settings.heads:
        raise ModelError(f"these classifier weights hold {' and '.join(model.settings.heads)}, not {head}")
    classes, width = len(model.classes.patch_labels), model.settings.features
    if not patches:
        empty = np.zeros((0, classes))
        return Judgement(empty, np.zeros((0, width), dtype=np.float32), np.zeros((samples, 0, classes)))
    pixels = torch.from_numpy(np.stack([patch.pixels for patch in patches]))[:, None]
    distance = torch.tensor([patch.distance_from_edge for patch in patches], dtype=torch.float32)
    rate = model.settings.dropout or dropout
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    vectors: list[Tensor] = []
    draws: list[Tensor] = []
    for start in range(0, len(patches), BATCH):
        batch = pixels[start : start + BATCH].to(model.device, memory_format=torch.channels_last)
        near = distance[start : start + BATCH].to(model.device)
        features = model.network.features(batch)
        vectors.append(features.cpu())
        found.append(model.probabilities(model.network.judge(features, near)[head], head))
        if samples:
            kept = (torch.rand(samples, *features.shape, generator=generator) >= rate).to(model.device)
            varied = (features * kept / (1.0 - rate)).flatten(0, 1)
            logits = model.network.judge(varied, near.repeat(samples))[head]
            draws.append(model.probabilities(logits, head).reshape(samples, len(batch), classes))
    return Judgement(
        torch.cat(found).numpy(),
        torch.cat(vectors).float().numpy(),
        torch.cat(draws, dim=1).numpy() if draws else np.zeros((0, len(patches), classes)),
    )
