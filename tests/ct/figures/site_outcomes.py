"""Outcomes of made-up scans of a site's table."""

from collections.abc import Mapping
from pathlib import Path

from pneumoscreen.ct.figures.site_outcome import SiteOutcome
from pneumoscreen.ct.report.overview import Overview
from pneumoscreen.ct.report.region_cards import Box
from pneumoscreen.evaluation.site_cases import SiteCase
from pneumoscreen.verdict import DEFAULT_CLASSES

NONE_FOUND = DEFAULT_CLASSES.none_found
PICTURE = "data:image/jpeg;base64,AAAA"


def site_case(
    path: str, label: str, left: str = "", right: str = "", patient: str | None = None, counted: bool = True
) -> SiteCase:
    """A row; an empty state is not known."""
    lungs = {side: state for side, state in (("left", left), ("right", right)) if state}
    return SiteCase(2, path, Path(path), patient or path, label, lungs, counted)


def site_outcome(
    row: SiteCase,
    verdict: str | None,
    left: int = 0,
    right: int = 0,
    infection: float | None = None,
    decided: bool = True,
    affected: Mapping[str, float] | None = None,
    reason: str | None = None,
) -> SiteOutcome:
    """An outcome with so many infection regions in each lung, and one irrelevant region more."""
    if reason is not None:
        return SiteOutcome(row, reason=reason)
    count = left + right + 1
    boxes = tuple(Box(number, "type-0", 5.0 * number, 9.0, 4.0, 4.0) for number in range(1, count + 1))
    return SiteOutcome(
        case=row,
        case_id=f"case {row.path}",
        verdict=verdict,
        flagged=verdict != NONE_FOUND,
        infection=infection,
        calibrated_on=None if infection is None else "phantoms and 9 scans",
        decided=decided,
        regions={"left": left, "right": right},
        candidates=count,
        affected=affected or {"left": 0.0, "right": 0.0},
        seconds=2.0,
        overview=Overview(PICTURE, 120.0, 90.0, boxes),
    )
