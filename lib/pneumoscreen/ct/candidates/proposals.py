"""Region proposals: anchors, their matching to lesions, box codes, and the choice of boxes from the head's output.

MONAI's ATSS matcher, box coder and IoU do the work of training, ``anchor_boxes`` that of inference, which so needs no
MONAI. Boxes are [z0, y0, x0, z1, y1, x1] in edge coordinates of the working grid.
"""

from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ...config import Settings
from .anchors import decode_boxes, place_anchors, suppress
from .network import CandidateNetworkSettings

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1

_MATCH_CANDIDATES = 4
_IGNORE_IOU = 0.1
_GOOD_IOU = 0.4
_SMALLEST_SIDE = 1.0
_LARGEST_LOG_GROWTH = 1.5
"""A code may enlarge a box e^1.5 = 4.5 times at most: a wild one cannot swallow the lung."""


class SelectionSettings(Settings):
    """Which proposals become candidates. Ours throughout: recall comes first, as in the paper (section 2.3).

    Attributes:
        score: lowest objectness; low, so that normal regions pass and no infection is lost. On 24 held-out
            phantoms 0.15 kept every lesion with 9 candidates a case, as 0.02 did with 18 and 0.3 with 6;
            the paper's 618 scans gave 3957 candidates, 6 a case.
        nms_iou: of two boxes that overlap more, the better one stays.
        before_nms: boxes that enter non-maximum suppression.
        most: candidates of a case, at most.
        lung_fraction: a box holds at least this share of lung voxels.
        infection: probability from which a voxel is infected. Of 0.15 to 0.5, Dice on held-out phantoms
            rose from 0.5 down; below 0.2 it gained little.
        component_ml: a connected infected piece of this size is a focus, whether a proposal finds it or not.
        free_score: lowest objectness of a proposal that no infected piece bears out.
    """

    score: float = Field(0.15, ge=0, le=1)
    nms_iou: float = Field(0.22, ge=0, le=1)
    before_nms: int = Field(300, gt=0)
    most: int = Field(20, gt=0)
    lung_fraction: float = Field(0.1, ge=0, le=1)
    infection: float = Field(0.2, gt=0, lt=1)
    component_ml: float = Field(0.25, ge=0)
    free_score: float = Field(0.3, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_gone(cls, values: Any) -> Any:
        """Cards of earlier weights name an overlap that ``foci`` does not need."""
        return {k: v for k, v in values.items() if k != "cover_iou"} if isinstance(values, dict) else values


@dataclass(frozen=True)
class Targets:
    """What each anchor should say: labels [anchors] (POSITIVE, NEGATIVE, IGNORED) and, for the positives, codes."""

    labels: Tensor
    codes: Tensor


class Proposals:
    """Anchors of a network and all that is done with them."""

    def __init__(self, settings: CandidateNetworkSettings) -> None:
        self._shapes, self._scales = settings.anchor_shapes, settings.anchor_scales

    def anchors(self, image: Tensor, maps: tuple[Tensor, ...]) -> Tensor:
        """Anchor boxes [anchors, 6] of an image [b, c, z, y, x] with these feature maps, all stages in a row."""
        sizes = [tuple(m.shape[2:]) for m in maps]
        return place_anchors(tuple(image.shape[2:]), sizes, self._shapes, self._scales, maps[0].device)

    def flatten(self, objectness: tuple[Tensor, ...], deltas: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Maps of all stages as logits [b, anchors] and codes [b, anchors, 6], in the order of ``anchors``."""
        logits = torch.cat([m.permute(0, 2, 3, 4, 1).flatten(1) for m in objectness], dim=1)
        codes = torch.cat([m.permute(0, 2, 3, 4, 1).reshape(m.shape[0], -1, 6) for m in deltas], dim=1)
        return logits.float(), codes.float()

    def match(self, anchors: Tensor, maps: tuple[Tensor, ...], boxes: Tensor, ignored: Tensor) -> Targets:
        """Targets of the anchors of one image.

        Args:
            anchors: [anchors, 6].
            maps: the feature maps that the anchors belong to.
            boxes: of the lesions to find, [n, 6].
            ignored: boxes [m, 6] of lesions that are neither to be found nor to be denied. Ours: the
                irrelevant ones; the paper lets such regions through and leaves them to the classifier.
        """
        from monai.apps.detection.utils.ATSS_matcher import ATSSMatcher
        from monai.data.box_utils import box_iou

        labels = torch.zeros(len(anchors), dtype=torch.long, device=anchors.device)
        if len(ignored):
            near = box_iou(anchors, ignored).amax(dim=1) >= _IGNORE_IOU
            labels[near] = IGNORED
        if not len(boxes):
            return Targets(labels, anchors.new_zeros((0, 6)))
        per_level = [m.shape[2] * m.shape[3] * m.shape[4] for m in maps]
        matcher = ATSSMatcher(num_candidates=_MATCH_CANDIDATES, center_in_gt=False)
        _, matches = matcher(boxes, anchors, per_level, len(self._shapes))
        # Anchors that cover a lesion about as well as the chosen ones are no counter-examples.
        good = box_iou(anchors, boxes).amax(dim=1) >= _GOOD_IOU
        labels[good] = IGNORED
        positive = matches >= 0
        labels[positive] = POSITIVE
        return Targets(labels, self.encode(boxes[matches[positive]], anchors[positive]))

    def decode(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """Boxes [n, 6] of codes [n, 6] at anchors [n, 6]."""
        return decode_boxes(codes, anchors, _LARGEST_LOG_GROWTH)

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Codes [n, 6] of boxes [n, 6] at anchors [n, 6]; the inverse of ``decode``."""
        from monai.apps.detection.utils.box_coder import BoxCoder

        coder = BoxCoder(weights=(1.0,) * 6, boxes_xform_clip=_LARGEST_LOG_GROWTH)
        codes: Tensor = coder.encode_single(boxes, anchors)
        return codes

    def select(
        self,
        logits: Tensor,
        codes: Tensor,
        anchors: Tensor,
        size: tuple[int, int, int],
        settings: SelectionSettings,
    ) -> tuple[Tensor, Tensor]:
        """Boxes [n, 6] and scores [n], best first, of one image's logits [anchors] and codes [anchors, 6].

        Boxes are clipped to ``size`` (z, y, x); what is left thinner than a voxel is dropped.
        """
        scores = logits.sigmoid()
        number = min(settings.before_nms, len(scores))
        # A stable sort, so that equal scores come out in the same order every time.
        order = torch.sort(scores, descending=True, stable=True).indices[:number]
        order = order[scores[order] >= settings.score]
        boxes = self.decode(codes[order], anchors[order])
        limit = boxes.new_tensor((*size, *size))
        boxes = torch.minimum(boxes.clamp(min=0), limit)
        thick = (boxes[:, 3:] - boxes[:, :3]).amin(dim=1) >= _SMALLEST_SIDE if len(boxes) else order.bool()
        boxes, scores = boxes[thick], scores[order][thick]
        keep = suppress(boxes, settings.nms_iou)
        return boxes[keep], scores[keep]
