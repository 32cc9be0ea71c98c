"""The report of one chest X-ray: a single HTML file with every picture inside, readable without a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...case import CXR_CLASSES, Case, Cxr
from ...images.radiograph import Radiograph
from ...report import wording
from ...report.page import Bar, environment, shared_cards
from ...xray_findings import MOST_A_ZONE, SEEN, ZONES
from .pictures import SIDES, draw, heat_gradient

if TYPE_CHECKING:  # the networks for X-rays, which the report of a CT does not need
    from ..screening import CxrScreening

NO_SPACING = (1.0, 1.0)
"""What a radiograph holds whose file states no spacing; no detector has pixels of a millimetre."""


def write_cxr_report(radiograph: Radiograph, screening: "CxrScreening", target: Path) -> None:
    """Write the report of a screened X-ray as one HTML file; its folder is made if it is missing.

    Args:
        radiograph: the picture that was screened.
        screening: the case document, Grad-CAM, attention masks and superpixels.
        target: the file to write.

    Raises:
        ValueError: as ``render_cxr_report``.
    """
    html = render_cxr_report(radiograph, screening)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html, encoding="utf-8")


def render_cxr_report(radiograph: Radiograph, screening: "CxrScreening") -> str:
    """The HTML of ``write_cxr_report``.

    Raises:
        ValueError: if the case holds no X-ray findings, or its arrays do not lie on the radiograph's grid.
    """
    case = screening.case
    if case.cxr is None:
        raise ValueError(f"case {case.case_id} holds no findings of an X-ray")
    return (
        environment()
        .get_template("cxr.html.j2")
        .render(
            verdict=_verdict_view(case),
            side=_side_view(case, case.cxr),
            extent=_extent_view(case.cxr),
            reader=_reader_view(case.cxr),
            pictures=draw(radiograph, screening),
            heat_gradient=heat_gradient(),
            facts=_facts(radiograph, case),
            seen=next((note for note in case.notes if note.startswith(SEEN)), None),
            **shared_cards(case),
        )
    )


def _verdict_view(case: Case) -> dict[str, Any] | None:
    verdict = case.verdict
    if verdict is None:
        return None
    infection = verdict.infection
    sure = wording.percent(infection.probability) if infection else wording.percent(verdict.exported, 1)
    return {
        "key": wording.CXR_KEYS.get(verdict.label, "unknown") if verdict.decided else "unknown",
        "name": wording.film_verdict_name(verdict),
        "class_name": wording.display_name(verdict.label),
        "decided": verdict.decided,
        "confidence": sure,
        "of": "confidence" if infection is None else "probability of an opacity",
        "lungs_first": infection is not None,
        "infection": wording.opacity_in_words(verdict),
        "bars": [
            Bar(
                wording.CXR_KEYS[name],
                wording.capital(wording.display_name(name)),
                verdict.probability.get(name, 0.0),
                wording.percent(verdict.probability.get(name, 0.0), 1),
            )
            for name in CXR_CLASSES
        ],
    }


def _side_view(case: Case, findings: Cxr) -> dict[str, Any]:
    return {
        "looked_for": bool(findings.sides),
        "lungs_first": case.verdict is not None and case.verdict.infection is not None,
        "name": wording.LOCATION_NAMES.get(findings.location, findings.location),
        "none": findings.location == "none",
        "bars": [
            Bar("type-0", f"{side.capitalize()} lung", findings.sides[side], wording.percent(findings.sides[side], 1))
            for side in SIDES
            if side in findings.sides
        ],
    }


def _extent_view(findings: Cxr) -> dict[str, Any] | None:
    """Scores of the zones and opaque share of each lung, the right one first; None where they were not measured."""
    zones, opacity = findings.severity, findings.opacity
    if zones is None or opacity is None:
        return None
    # Other programs may name other zones.
    rows = [(zone, [zones.get(f"{side}_{zone}") for side in SIDES]) for zone in ZONES]
    known = [score for _, scores in rows for score in scores if score is not None]
    return {
        "rows": [
            (zone.capitalize(), ["" if score is None else f"{score:g}" for score in scores]) for zone, scores in rows
        ],
        "opacity": [wording.percent(opacity[side]) if side in opacity else "" for side in SIDES],
        "total": f"{sum(known):g}",
        "most": f"{MOST_A_ZONE * len(known)}",
    }


def _reader_view(findings: Cxr) -> dict[str, str] | None:
    """What a reader said; the contract leaves these fields free, so any of them may be missing or no text."""
    said = findings.reader
    if not said:
        return None
    label, location = said.get("label"), said.get("location")
    return {
        "name": str(said.get("name") or "without a name"),
        "label": wording.display_name(str(label)) if label else "",
        "location": wording.LOCATION_NAMES.get(str(location), str(location)) if location else "",
        "at": str(said.get("at") or ""),
    }


def _facts(radiograph: Radiograph, case: Case) -> list[tuple[str, str]]:
    width, height = case.image.size
    spacing = " \u00d7 ".join(f"{mm:.3g}" for mm in case.image.spacing_mm) + " mm"
    x, y, shown_width, shown_height = radiograph.content
    whole = (x, y, shown_width, shown_height) == (0, 0, width, height)
    return [
        ("Case", case.case_id),
        ("Source", case.image.source or "not known"),
        ("Modality", "CXR (frontal chest X-ray)"),
        ("Size", f"{width} \u00d7 {height} pixels"),
        ("Spacing", "not stated" if case.image.spacing_mm == NO_SPACING else spacing),
        ("Burnt-in borders", "none" if whole else f"cut off: {shown_width} \u00d7 {shown_height} pixels remain"),
        ("Image SHA-256", case.image.sha256[:12]),
    ]
