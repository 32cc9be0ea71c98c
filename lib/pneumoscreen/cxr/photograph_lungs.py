"""A localiser on a trunk that has learnt photographs, with the attention of the published one (ours).

Some hundred lungs read by radiologists are too few to learn edges and textures from. So the first stages of
EfficientNet-Lite0 stay as ImageNet left them; the last ones begin there and may learn lungs. What follows is learnt: a
mask M in 0 to 1 over the feature maps, H = (1 + M) * F, and one sigmoid a lung. M is taught where radiologists drew the
opacities, so that what it shows can be read as a place.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .efficientnet import LEVELS, PhotographTrunk

CHANNELS = sum(LEVELS)
NOWHERE = -20.0
"""Logit of a mask that is not there."""


class LungHead(nn.Module):
    """Feature maps [b, ``CHANNELS``, h, w] of lungs, after ``norm``, to logits [b] and logits of the mask [b, h, w].

    A lung is judged by mean and maximum of H in every channel, and by those of the mask itself.

    Args:
        attention: whether the mask is used; without it H = F.
        dropout: share of what is seen that a training leaves out at random.
    """

    def __init__(self, attention: bool, dropout: float) -> None:
        super().__init__()
        self.attention, self.dropout = attention, dropout
        self.norm = nn.BatchNorm2d(CHANNELS, affine=False)
        if attention:
            self.mask = nn.Conv2d(CHANNELS, 1, 1)
        self.classify = nn.Linear(2 * CHANNELS + (2 if attention else 0), 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        seen, places = self.seen(features)
        return self.classify(functional.dropout(seen, self.dropout, self.training))[:, 0], places

    def seen(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What a lung is judged by, [b, d], and the logits of the mask [b, h, w]."""
        if not self.attention:
            seen = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
            return seen, features.new_full((len(features), *features.shape[2:]), NOWHERE)
        places = self.mask(features)
        mask = torch.sigmoid(places)
        attended = (1.0 + mask) * features
        parts = [part for each in (attended, mask) for part in (each.mean(dim=(2, 3)), each.amax(dim=(2, 3)))]
        return torch.cat(parts, dim=1), places[:, 0]


class PhotographLungs(nn.Module):
    """Trunk and head; ``localization.py`` leads lungs [b, 1, h, w] in 0 to 1 through both.

    Args:
        attention: whether the mask is used.
        dropout: share of what is seen that a training leaves out at random.
        tuned_stages: how many of the trunk's stages, counted from the last, have learnt lungs.
    """

    def __init__(self, attention: bool, dropout: float, tuned_stages: int = 0) -> None:
        super().__init__()
        self.trunk = PhotographTrunk(tuned_stages)
        self.head = LungHead(attention, dropout)

    def maps(self, lungs: Tensor) -> Tensor:
        """The feature maps [b, ``CHANNELS``, h / 16, w / 16] of all levels at one stride."""
        fine, middle, coarse = self.trunk(lungs.expand(-1, 3, -1, -1) * 2.0 - 1.0)
        coarse = functional.interpolate(coarse, middle.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([functional.adaptive_avg_pool2d(fine, middle.shape[2:]), middle, coarse], dim=1)
