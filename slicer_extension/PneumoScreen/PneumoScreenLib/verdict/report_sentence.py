"""One sentence for the radiologist's report, from the case as it stands; what the data do not say is not in it."""

from typing import List, Sequence

from ..contract import DEFAULT_CLASSES, Case, Classes, Region, counts
from ..reading.arrangement import edge_of
from ..reading.progress import open_ids
from ..translation import _
from ..wording import display_name, side_name
from ..xray.findings import film_finding

PERIPHERAL = 0.25
"""Relative distance from the edge of the lung up to which a region is called peripheral; ours."""

_SIDES = {"left": _("Left-sided"), "right": _("Right-sided")}
_PLACES = {"bipulmonary": _("both lungs"), "none": _("neither lung")}


def sentence(case: Case, classes: Classes = DEFAULT_CLASSES) -> str:
    """The case for the report: sides, place, number, shares of the lungs, type, and who has looked."""
    parts = [_of_radiograph(case)] if case.modality == "CXR" else [_of_scan(case, classes), _who_looked(case.regions)]
    return " ".join([*filter(None, parts), _("Research use only.")])


def _of_scan(case: Case, classes: Classes) -> str:
    counting = [region for region in case.regions if counts(region, classes)]
    if not counting or case.verdict is None:
        return _("No infectious opacity found.")
    sides = {region.side for region in counting}
    side = _("Bilateral") if len(sides) > 1 else _SIDES[sides.pop()]
    count = _("1 region") if len(counting) == 1 else _("{number} regions").format(number=len(counting))
    opacities = _("infectious opacity") if len(counting) == 1 else _("infectious opacities")
    kind = (
        _("most like {label}").format(label=display_name(case.verdict.label))
        if case.verdict.decided
        else _("the type is undecided")
    )
    return _("{side}{place} {opacities} ({count}){shares}; {kind}.").format(
        side=side, place=_place(counting), opacities=opacities, count=count, shares=_shares(case), kind=kind
    )


def _place(regions: Sequence[Region]) -> str:
    edges = [edge for edge in map(edge_of, regions) if edge is not None]
    if not edges:
        return ""
    share = sum(edge <= PERIPHERAL for edge in edges) / len(edges)
    if share > 0.5:
        return _(", predominantly peripheral")
    return _(", predominantly central") if share < 0.5 else _(", peripheral and central")


def _shares(case: Case) -> str:
    found = [
        _("{share:.1f} % of the {side}").format(share=case.lungs[side].affected_percent, side=side_name(side))
        for side in ("right", "left")
        if side in case.lungs
    ]
    return _(", {shares} lung").format(shares=_(" and ").join(found)) if found else ""


def _who_looked(regions: Sequence[Region]) -> str:
    count, unread = len(regions), len(open_ids(regions))
    if not count:
        return ""
    if not unread:
        return (
            _("All {count} regions read by the reader.").format(count=count)
            if count > 1
            else _("The region was read by the reader.")
        )
    if unread == count:
        return _("As the model found it; not read yet.")
    return _("{read} of {count} regions read by the reader, the others as the model found them.").format(
        read=count - unread, count=count
    )


def _of_radiograph(case: Case) -> str:
    cxr = case.cxr
    if cxr is None:
        return _("Chest radiograph: not screened yet.")
    said = cxr.reader or {}
    likeliest = max(cxr.probabilities, key=lambda name: cxr.probabilities[name]) if cxr.probabilities else ""
    verdict = case.verdict
    found = film_finding(verdict) if verdict is not None and verdict.infection is not None else display_name(likeliest)
    parts: List[str] = [display_name(str(said["label"])) if said.get("label") else found]
    place = str(said.get("location") or cxr.location)
    parts.append(_PLACES.get(place) or side_name(place))
    return _("Chest radiograph: {findings}, as {source}.").format(
        findings=", ".join(parts), source=_("read by the reader") if said else _("the model found it")
    )
