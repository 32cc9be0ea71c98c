"""The three networks of the X-ray method as lessons: losses, variation and figures (Wang et al. 2020)."""

from typing import TypeVar

import numpy as np
import torch
from monai.losses.giou_loss import BoxGIoULoss
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ...case import CXR_CLASSES, CXR_POSITIVE, SIDES
from ...xray_findings import INFECTED
from ..discrimination import DiscriminationModel, DiscriminationSettings
from ..efficientnet import EfficientNetLite0
from ..localization import LocalizationModel, LocalizationSettings
from ..lung_boxes import SMALLEST, LungBoxModel, LungBoxSettings, corners, decode, encode
from ..networks import DISCRIMINATION, LOCALIZATION, LUNG_BOXES
from .augmentation import RadiographAugmentation, Variation, draw, vary
from .data import PictureSet
from .run import Lesson, RadiographTrainingSettings

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0
_overlap_loss = BoxGIoULoss(reduction="none")
_POSITIVE = CXR_CLASSES.index(CXR_POSITIVE)
POSITIVE_SHARE = 0.5
"""Lambda of both losses for positives; 1 for the discrimination and 0 for the localisation of negatives."""


class LungBoxTrainingSettings(RadiographTrainingSettings):
    """Training of the lung-box regressor. Ours: smooth L1 loss, as R-CNN; little tilt, which boxes cannot follow.

    Attributes:
        overlap: share of the loss that is the generalised overlap of the boxes (ours; Rezatofighi et al. 2019).
        least_steps: of an epoch: radiographs with drawn boxes are few.
    """

    network: LungBoxSettings = LungBoxSettings()
    overlap: float = Field(0.2, ge=0.0)
    least_steps: int = Field(20, ge=1)
    augmentation: RadiographAugmentation = RadiographAugmentation(tilt=4.0)
    epochs: int = Field(90, ge=1)
    patience: int = Field(8, ge=1)
    stop_after: int = Field(24, ge=1)


BoxSettingsT = TypeVar("BoxSettingsT", bound=LungBoxTrainingSettings)


class DiscriminationTrainingSettings(RadiographTrainingSettings):
    """Training of the discriminator.

    Attributes:
        multi_focal: the multi-focal loss (published); else cross-entropy.
        balance: 0 draws every picture alike, 1 every class alike (ours).
        frozen_stages: how many of the seven stages of the trunk ``efficientnet_lite0`` stay as they are (ours): what
            finds edges and textures in photographs finds them in X-rays.
    """

    network: DiscriminationSettings = DiscriminationSettings()
    epochs: int = Field(20, ge=1)
    multi_focal: bool = True
    frozen_stages: int = Field(3, ge=0, le=7)
    balance: float = Field(0.0, ge=0.0, le=1.0)


class LocalizationTrainingSettings(RadiographTrainingSettings):
    """Training of the localiser. A flip of the radiograph is no other picture to it: it sees left lungs mirrored."""

    network: LocalizationSettings = LocalizationSettings()
    augmentation: RadiographAugmentation = RadiographAugmentation(flip=0.0)
    epochs: int = Field(50, ge=1)
    patience: int = Field(4, ge=1)
    stop_after: int = Field(12, ge=1)
    balance: float = Field(0.0, ge=0.0, le=1.0)


def multi_focal_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Loss [b] of logits [b, classes] against labels [b]: -1/N sum_i alpha (1 - p_i)^gamma y_i log p_i (equation 2)."""
    log_p = functional.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    return -FOCAL_ALPHA * (1.0 - log_p.exp()) ** FOCAL_GAMMA * log_p / logits.shape[1]


def joint_weights(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Lambda of the discrimination and of the localisation [b] for labels [b] (the joint objective)."""
    positive = labels == _POSITIVE
    return torch.where(positive, POSITIVE_SHARE, 1.0), torch.where(positive, POSITIVE_SHARE, 0.0)


class LungBoxLesson(Lesson):
    """Targets [n, 2, 4]: boxes (centre x, centre y, w, h as shares), left lung first."""

    task = LUNG_BOXES
    settings: LungBoxTrainingSettings
    model: LungBoxModel

    def __init__(self, settings: LungBoxTrainingSettings) -> None:
        self.settings = settings
        self.model = LungBoxModel.untrained(settings.network, settings.seed)
        self.network = self.model.network
        self.is_depthwise = settings.network.trunk != "vgg"

    def vary(self, pictures: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures and boxes, flipped with their sides exchanged."""
        variation = draw(len(pictures), self.settings.augmentation, generator)
        return vary(pictures, variation, self.settings.augmentation, generator), vary_boxes(targets, variation)

    def output(self, pictures: Tensor) -> Tensor:
        """Offsets [b, 2, 4]."""
        found: Tensor = self.network(pictures)
        return found

    def losses(self, output: Tensor, targets: Tensor) -> Tensor:
        """Smooth L1 of the offsets, and what the boxes lack in generalised overlap."""
        anchors = self.model.anchors.to(targets.device)
        offsets = functional.smooth_l1_loss(output, encode(targets, anchors), reduction="none", beta=0.1)
        found, wanted = corners(decode(output, anchors)), corners(targets)
        lacking = _overlap_loss(found.flatten(0, 1), wanted.flatten(0, 1)).view(-1, len(SIDES))
        return offsets.mean(dim=(1, 2)) + self.settings.overlap * lacking.mean(dim=1)

    def figures(self, output: Tensor, validation: PictureSet) -> dict[str, float]:
        """Mean intersection over union, and how many pictures have left and right exchanged."""
        boxes = decode(output, self.model.anchors)
        exchanged = boxes[:, 0, 0] <= boxes[:, 1, 0]
        return {"iou": float(self.model.iou(output, validation.targets).mean()), "exchanged": float(exchanged.sum())}


class DiscriminationLesson(Lesson):
    """Targets [n]: class numbers, as floats."""

    task = DISCRIMINATION
    settings: DiscriminationTrainingSettings

    def __init__(self, settings: DiscriminationTrainingSettings) -> None:
        self.settings = settings
        self.model = DiscriminationModel.untrained(settings.network, settings.seed)
        self.network = self.model.network
        trunk = self.network.trunk
        if isinstance(trunk, EfficientNetLite0):
            trunk.load_imagenet()
            trunk.freeze(settings.frozen_stages)
            self.is_depthwise = True

    def vary(self, pictures: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Varied pictures; the class stays."""
        variation = draw(len(pictures), self.settings.augmentation, generator)
        return vary(pictures, variation, self.settings.augmentation, generator), targets

    def output(self, pictures: Tensor) -> Tensor:
        """Logits [b, 3]."""
        found: Tensor = self.network(pictures)
        return found

    def losses(self, output: Tensor, targets: Tensor) -> Tensor:
        """The discrimination's part of the joint objective."""
        labels = targets.long()
        if self.settings.multi_focal:
            loss = multi_focal_loss(output, labels)
        else:
            loss = functional.cross_entropy(output, labels, reduction="none")
        return joint_weights(labels)[0] * loss

    def figures(self, output: Tensor, validation: PictureSet) -> dict[str, float]:
        """Accuracy."""
        return {"accuracy": float((output.argmax(dim=1) == validation.targets.long()).float().mean())}

    def weights(self, targets: Tensor) -> Tensor:
        """Pictures of rare classes more often, as far as ``balance`` says."""
        return balanced(targets, self.settings.balance)


class LocalizationLesson(Lesson):
    """Lungs of COVID-19 radiographs; targets [n]: 1 for an infected lung."""

    task = LOCALIZATION
    settings: LocalizationTrainingSettings

    def __init__(self, settings: LocalizationTrainingSettings) -> None:
        self.settings = settings
        self.model = LocalizationModel.untrained(settings.network, settings.seed)
        self.network = self.model.network
        self.is_depthwise = settings.network.trunk == "efficientnet_lite0"

    def vary(self, pictures: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Varied lungs; whether they are infected stays."""
        variation = draw(len(pictures), self.settings.augmentation, generator)
        return vary(pictures, variation, self.settings.augmentation, generator), targets

    def output(self, pictures: Tensor) -> Tensor:
        """Logits [b]."""
        found: Tensor = self.network(pictures)[0]
        return found

    def losses(self, output: Tensor, targets: Tensor) -> Tensor:
        """The localisation's part of the joint objective: all lungs are of positives."""
        return POSITIVE_SHARE * functional.binary_cross_entropy_with_logits(output, targets, reduction="none")

    def figures(self, output: Tensor, validation: PictureSet) -> dict[str, float]:
        """Accuracy per lung."""
        said = torch.sigmoid(output) >= INFECTED
        return {"lung accuracy": float((said == (validation.targets > 0.5)).float().mean())}

    def weights(self, targets: Tensor) -> Tensor:
        """Clear lungs, which are rare, more often, as far as ``balance`` says."""
        return balanced(targets, self.settings.balance)


def balanced(targets: Tensor, balance: float) -> Tensor:
    """Weights [n] of pictures by the number of pictures [n] of their class: 0 all alike, 1 all classes alike."""
    _, classes, counts = torch.unique(targets, return_inverse=True, return_counts=True)
    return counts[classes].double() ** -balance


def vary_boxes(boxes: Tensor, variation: Variation) -> Tensor:
    """Boxes [b, 2, 4] in a varied picture; a flip exchanges left and right. The tilt turns their centres only.

    What of a box lies beyond the picture is cut off: nothing there can be seen.
    """
    matrix, offset = variation.theta[:, :, :2], variation.theta[:, :, 2]
    centers = torch.linalg.solve(matrix[:, None], (boxes[..., :2] * 2.0 - 1.0 - offset[:, None])[..., None])[..., 0]
    scale = torch.linalg.det(matrix).abs().sqrt()[:, None, None]
    moved = corners(torch.cat([(centers + 1.0) / 2.0, boxes[..., 2:] / scale], dim=-1)).clamp(0.0, 1.0)
    low, size = moved[..., :2], (moved[..., 2:] - moved[..., :2]).clamp(min=SMALLEST)
    inside = torch.cat([low + size / 2.0, size], dim=-1)
    return torch.where(variation.flipped[:, None, None], inside.flip(1), inside)


def with_anchors(settings: BoxSettingsT, boxes: Tensor) -> BoxSettingsT:
    """The settings with each lung's mean box in the training set [n, 2, 4] as its anchor (ours)."""
    means = boxes.double().mean(dim=0).numpy()
    anchors = {side: tuple(np.round(mean, 4).tolist()) for side, mean in zip(SIDES, means, strict=True)}
    return settings.model_copy(update={"network": settings.network.model_copy(update={"anchors": anchors})})
