"""What a reader changed of what the model had found, by kind."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..case import Case
from ..metrics.agreement import marks_and_votes
from ..regions import MODEL, OPEN, READER, Region
from .records import Submission

SAME_BOX_MM = 0.5
"""Ours: edges that differ by no more were not moved; a client may round."""


@dataclass(frozen=True)
class Corrections:
    """What became of the regions and boxes of one case.

    Attributes:
        accepted: the model's regions whose label the reader left.
        relabelled: the model's regions with another label, by (the model's, the reader's).
        left_open: the model's regions that the reader said nothing of.
        added: regions that the reader drew.
        found: regions that the model had found; 0 where that is not kept, or a label map stands for them.
        deleted: of these, how many the reader took out.
        moved: of these, how many the reader put elsewhere or gave another size.
        boxes: lung boxes of an X-ray.
        moved_boxes: of these, how many the reader placed.
        side: (the model's, the reader's) affected side of an X-ray; None where the reader did not say.
    """

    accepted: int = 0
    relabelled: Mapping[tuple[str, str], int] = field(default_factory=dict)
    left_open: int = 0
    added: int = 0
    found: int = 0
    deleted: int = 0
    moved: int = 0
    boxes: int = 0
    moved_boxes: int = 0
    side: tuple[str, str] | None = None


def corrections_of(submission: Submission) -> Corrections:
    """What a submission changed."""
    document = submission.document
    if document.cxr is not None:
        boxes, said = document.cxr.lung_boxes.values(), (document.cxr.reader or {}).get("location")
        return Corrections(
            boxes=len(boxes),
            moved_boxes=sum(box.source == READER for box in boxes),
            side=(document.cxr.location, str(said)) if said else None,
        )
    regions = tuple(region for region in document.regions if region.source == MODEL)
    marked = marks_and_votes(replace(document, regions=regions), submission.reader)
    deleted, moved, found = _places(document, submission)
    return Corrections(
        accepted=sum(said == voted for said, voted in marked),
        relabelled=Counter((voted, said) for said, voted in marked if said != voted),
        left_open=sum(region.state == OPEN for region in regions),
        added=sum(region.source == READER for region in document.regions),
        found=found,
        deleted=deleted,
        moved=moved,
    )


def _places(document: Case, submission: Submission) -> tuple[int, int, int]:
    """Regions that were deleted, that were moved, and that the model had found."""
    if submission.found is None or submission.is_drawn:
        return 0, 0, 0
    left = {region.id: region for region in document.regions}
    found = [region for region in submission.found.regions if region.source == MODEL]
    deleted = sum(region.id not in left for region in found)
    return deleted, sum(region.id in left and _is_moved(region, left[region.id]) for region in found), len(found)


def _is_moved(before: Region, after: Region) -> bool:
    pairs = zip((*before.center_mm, *before.size_mm), (*after.center_mm, *after.size_mm), strict=True)
    return any(abs(one - other) > SAME_BOX_MM for one, other in pairs)
