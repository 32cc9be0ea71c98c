"""The losses of the candidate network. Ours: the paper gives none for its region-proposal network.

Dense tissue of a tumour or a collapsed lobe is kept out of the voxel losses: within the crop it often cannot be told
from a consolidation, and taught as healthy it makes the network overlook pneumonia. The classifier tells them apart.
"""

from dataclasses import dataclass

import torch
from monai.apps.detection.utils.hard_negative_sampler import HardNegativeSampler
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional

from ..candidates.network import CandidateOutput
from ..candidates.proposals import IGNORED, POSITIVE, Proposals
from ..candidates.working_grid import WorkingGridSettings, normalise
from .candidate_crops import Batch

DENSE_HU = -150.0
"""Soft tissue lies above, ground glass and dependent bands below."""
DEFAULT_GRID = WorkingGridSettings()
MISSED = 0.15
"""Weight of the cost of missed lesions: enough that small ones are learnt, too little to paint lungs full."""


@dataclass(frozen=True)
class CandidateLosses:
    """Parts of the loss, scalars: objectness, box codes; of the infection map Dice, cross-entropy, missed lesions."""

    objectness: Tensor
    boxes: Tensor
    dice: Tensor
    voxels: Tensor
    missed: Tensor


class CandidateLoss:
    """Hard-negative cross-entropy and smooth L1 on the anchors, Dice and cross-entropy on the voxels.

    Args:
        proposals: anchors and matching of the network.
        anchors_per_image: anchors of an image that enter the objectness loss.
        positive_share: at most this share of them are positives; the others are hard negatives.
        grid: whose HU window the images are scaled by.
    """

    def __init__(
        self,
        proposals: Proposals,
        anchors_per_image: int = 128,
        positive_share: float = 0.3,
        grid: WorkingGridSettings = DEFAULT_GRID,
    ) -> None:
        self._proposals = proposals
        self._sampler = HardNegativeSampler(anchors_per_image, positive_share, min_neg=16, pool_size=10)
        self._dense = float(normalise(torch.tensor(DENSE_HU), grid))
        self._dice = DiceLoss(batch=True, smooth_nr=10.0, smooth_dr=10.0)

    def __call__(self, output: CandidateOutput, batch: Batch) -> CandidateLosses:
        """The losses of a batch; draws from torch's random numbers to choose anchors."""
        objectness, boxes = self._proposal_losses(output, batch)
        return CandidateLosses(objectness, boxes, *self._voxel_losses(output.infection.float(), batch))

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

    def _voxel_losses(self, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Dice, cross-entropy and missed lesions over the cases that have a mask; 0 where none has."""
        nothing = logits.sum() * 0.0
        if not bool(batch.has_mask.any()):
            return nothing, nothing, nothing
        taught = ~_dense_findings(batch, self._dense)[batch.has_mask]
        inside, truth = logits[batch.has_mask], batch.infection[batch.has_mask]
        dice: Tensor = self._dice(inside.sigmoid() * taught, truth * taught)
        voxels = functional.binary_cross_entropy_with_logits(inside, truth, weight=taught.float())
        lesions = _missed_lesions(logits, batch)
        return dice, voxels, MISSED * torch.stack(lesions).mean() if lesions else nothing


def _dense_findings(batch: Batch, dense: float) -> Tensor:
    """Which voxels [b, 1, z, y, x] are above an image value, lie in an irrelevant box and are not infected."""
    inside = torch.zeros_like(batch.infection, dtype=torch.bool)
    for image, boxes in enumerate(batch.ignored):
        for box in boxes:
            inside[(image, 0, *_window(box))] = True
    return inside & (batch.images[:, :1] > dense) & (batch.infection < 0.5)


def _missed_lesions(logits: Tensor, batch: Batch) -> list[Tensor]:
    """Mean cross-entropy over the infected voxels of each lesion: a small one counts as much as a large one."""
    found = []
    for image, boxes in enumerate(batch.boxes):
        for box in boxes if batch.has_mask[image] else ():
            window = (image, 0, *_window(box))
            if (infected := batch.infection[window] > 0.5).any():
                found.append(functional.softplus(-logits[window][infected]).mean())
    return found


def _window(box: Tensor) -> tuple[slice, slice, slice]:
    """The voxels that a box [6], edge coordinates of the crop, touches."""
    low, high = box[:3].floor().clamp(min=0).long().tolist(), box[3:].ceil().long().tolist()
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])
