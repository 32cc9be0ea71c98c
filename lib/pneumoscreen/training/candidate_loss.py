"""The losses of the candidate network. Ours: the paper gives none for its region-proposal network."""

from dataclasses import dataclass

import torch
from monai.apps.detection.utils.hard_negative_sampler import HardNegativeSampler
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional

from ..ct.candidate_network import CandidateOutput
from ..ct.proposals import IGNORED, POSITIVE, Proposals
from .candidate_data import Batch


@dataclass(frozen=True)
class CandidateLosses:
    """Parts of the loss, scalars: objectness, box codes, Dice and cross-entropy of the infection map."""

    objectness: Tensor
    boxes: Tensor
    dice: Tensor
    voxels: Tensor

    @property
    def total(self) -> Tensor:
        """The sum that is minimised."""
        return self.objectness + self.boxes + self.dice + self.voxels

    def values(self) -> dict[str, float]:
        """Plain numbers for the progress line."""
        parts = {name: float(part.detach()) for name, part in vars(self).items()}
        return {"loss": sum(parts.values()), **parts}


class CandidateLoss:
    """Hard-negative cross-entropy and smooth L1 on the anchors, Dice and cross-entropy on the voxels.

    Args:
        proposals: anchors and matching of the network.
        anchors_per_image: anchors of an image that enter the objectness loss.
        positive_share: at most this share of them are positives; the others are hard negatives.
    """

    def __init__(self, proposals: Proposals, anchors_per_image: int = 128, positive_share: float = 0.3) -> None:
        self._proposals = proposals
        self._sampler = HardNegativeSampler(anchors_per_image, positive_share, min_neg=16, pool_size=10)
        self._dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=10.0, smooth_dr=10.0)

    def __call__(self, output: CandidateOutput, batch: Batch) -> CandidateLosses:
        """The losses of a batch; draws from torch's random numbers to choose anchors."""
        objectness, boxes = self._proposal_losses(output, batch)
        dice, voxels = self._voxel_losses(output.infection.float(), batch)
        return CandidateLosses(objectness, boxes, dice, voxels)

    def _proposal_losses(self, output: CandidateOutput, batch: Batch) -> tuple[Tensor, Tensor]:
        logits, codes = self._proposals.flatten(output.objectness, output.deltas)
        anchors = self._proposals.anchors(batch.images, output.objectness)
        matched = [
            self._proposals.match(anchors, output.objectness, boxes, ignored)
            for boxes, ignored in zip(batch.boxes, batch.ignored, strict=True)
        ]
        labels = torch.cat([m.labels for m in matched])
        # The sampler knows 1 and 0 only; anchors to be left alone must be neither.
        positive, negative = self._sampler([m.labels for m in matched], logits.detach().sigmoid().flatten())
        chosen = (torch.cat(positive) + torch.cat(negative)) > 0
        chosen &= labels != IGNORED
        objectness = functional.binary_cross_entropy_with_logits(
            logits.flatten()[chosen], (labels[chosen] == POSITIVE).float()
        )
        wanted = torch.cat([m.codes for m in matched])
        said = codes.reshape(-1, 6)[labels == POSITIVE]
        boxes = functional.smooth_l1_loss(said, wanted, beta=1 / 9, reduction="sum") / max(len(wanted), 1)
        return objectness, boxes

    def _voxel_losses(self, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Dice and cross-entropy over the cases that have a mask; 0 where none has."""
        if not bool(batch.has_mask.any()):
            nothing = logits.sum() * 0.0
            return nothing, nothing
        logits, truth = logits[batch.has_mask], batch.infection[batch.has_mask]
        dice: Tensor = self._dice(logits, truth)
        return dice, functional.binary_cross_entropy_with_logits(logits, truth)
