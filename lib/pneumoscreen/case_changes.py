"""In sentences, what was derived anew in a case document that somebody submitted.

Standard library only and Python 3.9 syntax.
"""

from typing import List, Mapping, Optional, Sequence, Tuple

from .regions import LungInfo, Region
from .verdict import Classes, Verdict

_ROUNDING = 1e-6
"""Derived numbers that differ by no more are the same: a document may have been rounded or come from elsewhere."""


def region_changes(before: Sequence[Region], after: Sequence[Region]) -> List[str]:
    """What differs between regions as they came and as they were derived."""
    found = []
    for i, new in enumerate(after):
        old = before[i]
        if old.label is not None and (old.label != new.label or _differ(old.confidence, new.confidence)):
            found.append(
                f"Region {new.id} counts as {_opinion(new)}, not as {_opinion(old)}: "
                "so say its patches and its evidence."
            )
        if old.state != new.state:
            found.append(f"Region {new.id} is {new.state}, not {old.state}, by its reader's entry.")
    return found


def unmeasured(lungs: Mapping[str, LungInfo], regions: Sequence[Region], classes: Classes) -> List[str]:
    """Which regions of a reader add nothing to the affected shares, because nobody measured them."""
    is_derived = any(region.infected_ml is not None for region in regions)
    if not lungs or not (is_derived or all(lung.affected_percent == 0.0 for lung in lungs.values())):
        return []  # the shares are not those of the regions
    return [
        f"Region {region.id} adds nothing to the affected share yet: its infected volume is not known."
        for region in regions
        if region.infected_ml is None and region.reader is not None and region.reader.label in classes.infections
    ]


def lung_changes(before: Mapping[str, LungInfo], after: Mapping[str, LungInfo]) -> List[str]:
    """What differs between the lungs as they came and as they were derived."""
    found = []
    for side, lung in after.items():
        said = before[side].affected_percent
        if _differ(said, lung.affected_percent):
            found.append(
                f"The affected share of the {side} lung is {lung.affected_percent:.1f} %, not {said:.1f} %, "
                "by the regions that count."
            )
    return found


def verdict_changes(before: Optional[Verdict], after: Optional[Verdict]) -> List[str]:
    """What differs between a verdict as it came and as it was derived; nothing where none came."""
    found: List[str] = []
    if before is None or after is None:
        return found
    if before.label != after.label:
        found.append(f"The verdict is {after.label}, not {before.label}, by the regions that count.")
    elif (
        before.rule != after.rule
        or _differ_in(before.probability, after.probability)
        or (_differ_in(before.confidence, after.confidence))
    ):
        found.append("The confidence of the verdict was computed anew from the regions that count.")
    if before.decided != after.decided:
        found.append(f"The type of the infection is {'decided' if after.decided else 'undecided'}.")
    if before.infection is not None and after.infection is None:
        found.append("The probability of an infection was left out: the document does not say how it was calibrated.")
    elif before.infection is not None and after.infection is not None:
        old, new = before.infection.probability, after.infection.probability
        if _differ(old, new):
            found.append(f"The probability of an infection is {new:.2f}, not {old:.2f}.")
    return found


def findings_changes(before: Tuple[str, Optional[Verdict]], after: Tuple[str, Optional[Verdict]]) -> List[str]:
    """What differs between location and verdict of an X-ray as they came and as they were derived."""
    (old_place, old), (place, new) = before, after
    found: List[str] = []
    if old is not None and new is not None:
        if old.label != new.label:
            found.append(f"The verdict is {new.label}, not {old.label}, by the probabilities of the classes.")
        elif (
            old.rule != new.rule
            or _differ_in(old.probability, new.probability)
            or _differ_in(old.confidence, new.confidence)
        ):
            found.append("The confidence of the verdict was taken anew from the probabilities of the classes.")
    if old_place != place:
        found.append(f"The location is {place}, not {old_place}, by the probabilities of the lungs and the verdict.")
    return found


def _opinion(region: Region) -> str:
    return f"{region.label} ({region.confidence or 0.0:.2f})"


def _differ(one: Optional[float], other: Optional[float]) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) > _ROUNDING


def _differ_in(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return any(_differ(one.get(name), other.get(name)) for name in {**one, **other})
