"""ResNet-18 on 2-D pictures of one channel (He et al. 2016), the trunk of the patch classifier.

MONAI has the same network, and weights fit both; but to import MONAI takes longer than to screen a scan.
``tests/ct/test_resnet18.py`` holds this one to MONAI's: the same names, first weights and outputs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3x3 convolutions, added to what enters."""

    def __init__(self, channels_in: int, channels: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = downsample

    def forward(self, features: Tensor) -> Tensor:
        residual = features if self.downsample is None else self.downsample(features)
        features = torch.relu_(self.bn1(self.conv1(features)))
        return torch.relu_(self.bn2(self.conv2(features)) + residual)


class ResNet18(nn.Module):
    """Pictures [b, 1, h, w] to vectors [b, features].

    Args:
        widths: channels of the four stages.
        features: length of the vector.
    """

    def __init__(self, widths: Sequence[int], features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(widths[0], widths[0], 1)
        self.layer2 = _stage(widths[0], widths[1], 2)
        self.layer3 = _stage(widths[1], widths[2], 2)
        self.layer4 = _stage(widths[2], widths[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(widths[3], features)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.maxpool(torch.relu_(self.bn1(self.conv1(pictures))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        vectors: Tensor = self.fc(self.avgpool(features).flatten(1))
        return vectors


def _stage(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or channels_in != channels:
        downsample = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
    return nn.Sequential(Block(channels_in, channels, stride, downsample), Block(channels, channels, 1, None))
