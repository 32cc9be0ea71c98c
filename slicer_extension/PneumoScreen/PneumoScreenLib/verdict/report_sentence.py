"""One sentence for the radiologist's report, from the case as it stands; what the data do not say is not in it."""

from typing import List, Sequence

from ..contract import DEFAULT_CLASSES, Case, Classes, Region, counts
from ..reading.arrangement import edge_of
from ..reading.progress import open_ids
from ..wording import display_name

PERIPHERAL = 0.25
"""Relative distance from the edge of the lung up to which a region is called peripheral; ours."""

_SIDES = {"left": "Left-sided", "right": "Right-sided"}
_PLACES = {"left": "left", "right": "right", "bipulmonary": "both lungs", "none": "neither lung"}


def sentence(case: Case, classes: Classes = DEFAULT_CLASSES) -> str:
    """The case for the report: sides, place, number, shares of the lungs, type, and who has looked."""
    parts = [_of_radiograph(case)] if case.modality == "CXR" else [_of_scan(case, classes), _who_looked(case.regions)]
    return " ".join([*filter(None, parts), "Research use only."])


def _of_scan(case: Case, classes: Classes) -> str:
    counting = [region for region in case.regions if counts(region, classes)]
    if not counting or case.verdict is None:
        return "No infectious opacity found."
    sides = {region.side for region in counting}
    side = "Bilateral" if len(sides) > 1 else _SIDES[sides.pop()]
    count = "1 region" if len(counting) == 1 else f"{len(counting)} regions"
    opacities = "opacity" if len(counting) == 1 else "opacities"
    kind = f"most like {display_name(case.verdict.label)}" if case.verdict.decided else "the type is undecided"
    return f"{side}{_place(counting)} infectious {opacities} ({count}){_shares(case)}; {kind}."


def _place(regions: Sequence[Region]) -> str:
    edges = [edge for edge in map(edge_of, regions) if edge is not None]
    if not edges:
        return ""
    share = sum(edge <= PERIPHERAL for edge in edges) / len(edges)
    if share > 0.5:
        return ", predominantly peripheral"
    return ", predominantly central" if share < 0.5 else ", peripheral and central"


def _shares(case: Case) -> str:
    found = [
        f"{case.lungs[side].affected_percent:.1f} % of the {side}" for side in ("right", "left") if side in case.lungs
    ]
    return f", {' and '.join(found)} lung" if found else ""


def _who_looked(regions: Sequence[Region]) -> str:
    count, unread = len(regions), len(open_ids(regions))
    if not count:
        return ""
    if not unread:
        return f"All {count} regions read by the reader." if count > 1 else "The region was read by the reader."
    if unread == count:
        return "As the model found it; not read yet."
    return f"{count - unread} of {count} regions read by the reader, the others as the model found them."


def _of_radiograph(case: Case) -> str:
    cxr = case.cxr
    if cxr is None:
        return "Chest radiograph: not screened yet."
    said = cxr.reader or {}
    likeliest = max(cxr.probabilities, key=lambda name: cxr.probabilities[name]) if cxr.probabilities else ""
    parts: List[str] = [display_name(str(said.get("label") or likeliest))]
    place = str(said.get("location") or cxr.location)
    parts.append(_PLACES.get(place, place))
    return f"Chest radiograph: {', '.join(parts)}, as {'read by the reader' if said else 'the model found it'}."
