"""What can be done to the regions of a case, as plain functions; coordinates are LPS, in millimetres."""

import re
from dataclasses import replace
from typing import Iterable, Mapping, Optional, Sequence, Tuple

from ..contract import Case, Region

SAME_BOX_MM = 1e-3
"""A box that went to the scene and came back differs by rounding; ours."""

Box = Tuple[Tuple[float, ...], Tuple[float, ...]]


def box_of(center_mm: Sequence[float], size_mm: Sequence[float]) -> Box:
    """Centre and size of a box as the document has them.

    Raises:
        ValueError: if it is none.
    """
    center, size = tuple(float(value) for value in center_mm), tuple(float(value) for value in size_mm)
    if len(center) != 3 or len(size) != 3 or not min(size) > 0.0:
        raise ValueError(f"a box has a centre and three edges longer than 0 mm, not {center} and {size}")
    return center, size


def is_same_box(region: Region, center_mm: Sequence[float], size_mm: Sequence[float]) -> bool:
    """Whether a region has this box, rounding aside."""
    pairs = zip((*region.center_mm, *region.size_mm), (*center_mm, *size_mm))
    return all(abs(a - b) <= SAME_BOX_MM for a, b in pairs)


def side_of(center_mm: Sequence[float], regions: Iterable[Region]) -> str:
    """The patient's side of a new box, until the server has seen it in the lungs.

    Ours: x = 0 stands for the midline, as in a centred scan, unless the regions whose sides are known say otherwise.
    """
    regions = list(regions)
    rightmost_left = min((region.center_mm[0] for region in regions if region.side == "left"), default=float("inf"))
    leftmost_right = max((region.center_mm[0] for region in regions if region.side == "right"), default=-float("inf"))
    if leftmost_right < rightmost_left:
        midline = min(max(0.0, leftmost_right), rightmost_left)
    else:
        midline = 0.5 * (leftmost_right + rightmost_left)
    return "left" if center_mm[0] >= midline else "right"


def fresh_id(regions: Iterable[Region]) -> str:
    """An id that none of these regions has: the number after the highest."""
    numbers = [int(found[1]) for found in (re.fullmatch(r"r([0-9]{1,9})", region.id) for region in regions) if found]
    return f"r{1 + max(numbers, default=0)}"


def with_region(case: Case, changed: Region) -> Case:
    """The case with a region in the place of the one of the same id."""
    return replace(case, regions=tuple(changed if region.id == changed.id else region for region in case.regions))


def with_answers(case: Case, answers: Mapping[str, Region]) -> Case:
    """The case with the server's patches, votes, infected volumes and sides; a box that has moved since stays."""
    return replace(case, regions=tuple(_with_answer(region, answers.get(region.id)) for region in case.regions))


def touched_between(before: Case, after: Case) -> Optional[str]:
    """The one region that differs between two states of a case; None where it is none or several."""
    olds = {region.id: region for region in before.regions}
    news = {region.id: region for region in after.regions}
    differing = [key for key in {**olds, **news} if olds.get(key) != news.get(key)]
    return differing[0] if len(differing) == 1 else None


def _with_answer(region: Region, answer: Optional[Region]) -> Region:
    if answer is None or not is_same_box(region, answer.center_mm, answer.size_mm):
        return region
    return replace(
        region,
        side=answer.side,
        patches=answer.patches,
        label=answer.label,
        confidence=answer.confidence,
        infected_ml=answer.infected_ml,
    )
