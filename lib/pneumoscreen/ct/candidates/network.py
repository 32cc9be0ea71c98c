"""VNET-IR-RPN: a V-Net of inception-residual blocks with a region-proposal head (Xu et al. 2020, section 2.3).

The paper names the parts and no numbers. Ours, all of it for speed on two CPU cores: widths grow
towards the low resolutions, where most of the parameters stand; the first step down is in-plane only,
so that the (z, y, x) = (4, 2, 2) mm working grid becomes isotropic; up-sampling is interpolation and a
convolution (a transposed convolution costs ten times as much on a CPU); normalisation is over the
batch where a crop holds many voxels and over groups of channels where it holds few.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from ...config import Settings

INPUT_CHANNELS = 2
"""Normalised HU and lung mask."""

_Positive = Annotated[int, Field(gt=0)]


class CandidateNetworkSettings(Settings):
    """Shape of the network; it stands in the card of a weight file, which so rebuilds its own network.

    Attributes:
        channels: width of each stage, from the working grid downwards.
        encoder_blocks, decoder_blocks: inception-residual blocks per stage; the decoder has one stage less.
        batch_norm_stages: how many stages, from the top, normalise over the batch.
        proposal_stages: the decoder stages that propose regions, finest first.
        proposal_channels: width of the proposal head, shared by its stages.
        anchor_shapes: (z, y, x) in voxels of the working grid at the finest proposal stage: even numbers,
            because MONAI rounds their halves. With the scales: 12 to 80 mm wide, 16 to 128 mm high; boxes of
            10 to 120 mm lie within what the box codes reach from there.
        anchor_scales: factor on ``anchor_shapes`` at each proposal stage.
    """

    channels: tuple[_Positive, ...] = (16, 32, 64, 160, 336)
    encoder_blocks: tuple[_Positive, ...] = (1, 1, 2, 3, 3)
    decoder_blocks: tuple[_Positive, ...] = (1, 1, 2, 2)
    batch_norm_stages: int = Field(3, ge=0)
    proposal_stages: tuple[int, ...] = (2, 3, 4)
    proposal_channels: _Positive = 64
    anchor_shapes: tuple[tuple[float, float, float], ...] = ((4.0, 6.0, 6.0), (4.0, 10.0, 10.0), (8.0, 10.0, 10.0))
    anchor_scales: tuple[float, ...] = (1.0, 2.0, 4.0)

    @model_validator(mode="after")
    def _fits_together(self) -> "CandidateNetworkSettings":
        stages = len(self.channels)
        if stages < 2 or len(self.encoder_blocks) != stages or len(self.decoder_blocks) != stages - 1:
            raise ValueError("channels and encoder_blocks need one entry a stage, decoder_blocks one less")
        if any(width % 8 for width in self.channels):
            raise ValueError("every width in channels must be a multiple of 8")
        if not self.proposal_stages or any(not 0 <= stage < stages for stage in self.proposal_stages):
            raise ValueError("proposal_stages must name stages of the network")
        if len(self.anchor_scales) != len(self.proposal_stages) or not self.anchor_shapes:
            raise ValueError("anchor_scales needs one entry for each of proposal_stages, anchor_shapes at least one")
        return self

    @property
    def grid_multiple(self) -> tuple[int, int, int]:
        """(z, y, x) that the size of an input must be a multiple of: the strides of the lowest stage."""
        steps = len(self.channels) - 1
        return 2 ** (steps - 1), 2**steps, 2**steps


@dataclass(frozen=True)
class CandidateOutput:
    """What the network says of a batch.

    Attributes:
        infection: logits [b, 1, z, y, x] of the voxel-wise head.
        objectness: for each proposal stage, logits [b, anchors, z, y, x].
        deltas: for each proposal stage, box codes [b, anchors * 6, z, y, x], the six of an anchor together.
    """

    infection: Tensor
    objectness: tuple[Tensor, ...]
    deltas: tuple[Tensor, ...]


def _norm(channels: int, over_batch: bool) -> nn.Module:
    return nn.BatchNorm3d(channels, momentum=0.05) if over_batch else nn.GroupNorm(8, channels)


class InceptionResidualBlock(nn.Module):
    """Parallel 1x1x1, 1x3x3 and 3x3x3 branches, concatenated, merged by 1x1x1 and added to the input."""

    def __init__(self, channels_in: int, channels: int, over_batch: bool) -> None:
        super().__init__()
        narrow, half = channels // 4, channels // 2
        self.project = nn.Conv3d(channels_in, channels, 1) if channels_in != channels else nn.Identity()
        self.enter = _norm(channels, over_batch)
        self.point = nn.Conv3d(channels, narrow, 1)
        self.plane = nn.Sequential(
            nn.Conv3d(channels, narrow, 1),
            nn.ReLU(True),
            nn.Conv3d(narrow, narrow, (1, 3, 3), padding=(0, 1, 1)),
        )
        self.cube = nn.Sequential(nn.Conv3d(channels, half, 1), nn.ReLU(True), nn.Conv3d(half, half, 3, padding=1))
        self.leave = _norm(channels, over_batch)
        self.merge = nn.Conv3d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        # In place where nothing else needs the values: at full resolution new memory costs more than arithmetic.
        features = self.project(features)
        entered = functional.relu_(self.enter(features))
        branches = torch.cat([self.point(entered), self.plane(entered), self.cube(entered)], dim=1)
        del entered
        merged: Tensor = self.merge(functional.relu_(self.leave(branches)))
        return merged.add_(features)


def _stage(channels_in: int, channels: int, blocks: int, over_batch: bool) -> nn.Sequential:
    widths = [channels_in] + [channels] * (blocks - 1)
    return nn.Sequential(*(InceptionResidualBlock(width, channels, over_batch) for width in widths))


class ProposalHead(nn.Module):
    """Objectness and box codes from decoder features; one 3x3x3 layer shared by all proposal stages."""

    def __init__(self, widths: tuple[int, ...], channels: int, anchors: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv3d(width, channels, 1) for width in widths)
        self.norm = nn.ModuleList(nn.GroupNorm(8, channels) for _ in widths)
        self.shared = nn.Conv3d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv3d(channels, anchors, 1)
        self.deltas = nn.Conv3d(channels, anchors * 6, 1)
        # Few anchors hold a lesion: starting near their share keeps the first steps from shouting.
        nn.init.constant_(self.objectness.bias, -4.0)  # type: ignore[arg-type]
        nn.init.normal_(self.deltas.weight, std=0.01)
        nn.init.zeros_(self.deltas.bias)  # type: ignore[arg-type]

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        objectness, deltas = [], []
        for lateral, norm, features in zip(self.lateral, self.norm, maps, strict=True):
            hidden = functional.relu_(self.shared(functional.relu_(norm(lateral(features)))))
            objectness.append(self.objectness(hidden))
            deltas.append(self.deltas(hidden))
        return objectness, deltas


class CandidateNetwork(nn.Module):
    """VNET-IR-RPN; input [b, 2, z, y, x] on the working grid, sizes multiples of ``grid_multiple``."""

    def __init__(self, settings: CandidateNetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = settings.channels
        over_batch = [stage < settings.batch_norm_stages for stage in range(len(widths))]
        self.stem = nn.Conv3d(INPUT_CHANNELS, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(
            _stage(width, width, blocks, batch)
            for width, blocks, batch in zip(widths, settings.encoder_blocks, over_batch, strict=True)
        )
        self.down = nn.ModuleList(
            nn.Conv3d(wide, narrow, _step(stage), stride=_step(stage))
            for stage, (wide, narrow) in enumerate(pairwise(widths))
        )
        self.up = nn.ModuleList(nn.Conv3d(low, high, 1) for high, low in pairwise(widths))
        self.decoder = nn.ModuleList(
            _stage(2 * width, width, blocks, batch)
            for width, blocks, batch in zip(widths, settings.decoder_blocks, over_batch, strict=False)
        )
        self.proposals = ProposalHead(
            tuple(widths[stage] for stage in settings.proposal_stages),
            settings.proposal_channels,
            len(settings.anchor_shapes),
        )
        self.infection_norm = _norm(widths[0], over_batch[0])
        self.infection = nn.Conv3d(widths[0], 1, 1)
        nn.init.constant_(self.infection.bias, -3.0)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> CandidateOutput:
        features = self.stem(images)
        skips: list[Tensor] = []
        for stage, blocks in enumerate(self.encoder):
            features = blocks(features)
            skips.append(features)
            if stage < len(self.down):
                features = self.down[stage](features)
        decoded = {len(skips) - 1: features}
        for stage in reversed(range(len(self.decoder))):
            raised = functional.interpolate(self.up[stage](features), scale_factor=_step(stage), mode="nearest")
            features = self.decoder[stage](torch.cat([raised, skips[stage]], dim=1))
            decoded[stage] = features
        objectness, deltas = self.proposals([decoded[stage] for stage in self.settings.proposal_stages])
        infection = self.infection(functional.relu_(self.infection_norm(features)))
        return CandidateOutput(infection, tuple(objectness), tuple(deltas))


def _step(stage: int) -> tuple[int, int, int]:
    """Stride (z, y, x) from a stage to the next: in-plane only from the working grid."""
    return (1, 2, 2) if stage == 0 else (2, 2, 2)
