"""The page that lists several screened cases and leads to their reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..case import CXR_CLASSES, Case
from ..case_kinds import KINDS
from ..verdict import Classes
from . import wording
from .page import environment


def write_index(
    cases: Sequence[Case],
    out_html: Path,
    classes: Classes,
    refused: Sequence[tuple[str, str]] = (),
    passed_over: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the table of verdicts of several cases, each leading to ``<case_id>.html`` beside it.

    Args:
        cases: the screened cases, in the order of the table.
        out_html: the file to write; its folder is made if it is missing.
        classes: the class list that the CTs were screened with.
        refused: name and reason of each input that could not be screened.
        passed_over: likewise of each path that was no case.
    """
    html = render_index(cases, classes, refused, passed_over)
    out_html.parent.mkdir(parents=True, exist_ok=True)
    out_html.write_text(html, encoding="utf-8")


def render_index(
    cases: Sequence[Case],
    classes: Classes,
    refused: Sequence[tuple[str, str]] = (),
    passed_over: Sequence[tuple[str, str]] = (),
) -> str:
    """The HTML of ``write_index``."""
    modalities = [name for name in KINDS if any(case.modality == name for case in cases)] or ["CT"]
    template = environment().get_template("index.html.j2")
    return template.render(
        rows=[_row(case, classes) for case in cases],
        modalities=modalities,
        kind=KINDS[modalities[0]].title if len(modalities) == 1 else "Chest screening",
        counts=[(KINDS[name].short, _counts(cases, name, classes)) for name in modalities],
        infections=[wording.display_name(name) for name in classes.infections],
        cxr_classes=[wording.display_name(name) for name in CXR_CLASSES],
        left_out=[
            (key, title, found)
            for key, title, found in (("refused", "Not screened", refused), ("passed-over", "Passed over", passed_over))
            if found
        ],
        calibrations=sorted({v.infection.calibrated_on for case in cases if (v := case.verdict) and v.infection}),
    )


def _row(case: Case, classes: Classes) -> dict[str, Any]:
    verdict = case.verdict
    opinions = [region.opinion for region in case.regions]
    labels = _labels(case.modality, classes)
    return {
        "case": case,
        "is_ct": case.modality == "CT",
        "link": quote(f"{case.case_id}.html", safe=""),
        "key": labels.get(verdict.label, "unknown") if verdict and verdict.decided else "unknown",
        "name": wording.capital(wording.case_verdict_name(case)),
        "infection": wording.percent(verdict.infection.probability) if verdict and verdict.infection else "\u2013",
        "confidence": wording.percent(verdict.exported, 1)
        if verdict and verdict.decided and verdict.exported > 0.0
        else "\u2013",
        "bars": [
            (labels[name], wording.display_name(name), verdict.probability.get(name, 0.0))
            for name in (classes.infections if case.modality == "CT" else KINDS[case.modality].labels)
        ]
        if verdict
        else [],
        "infected": sum(opinion is not None and opinion[0] != classes.irrelevant for opinion in opinions),
        "affected": {side: info.affected_percent for side, info in case.lungs.items()},
        "location": _location(case),
    }


def _labels(modality: str, classes: Classes) -> dict[str, str]:
    """The labels that a case of this modality may have, in order, with their style classes."""
    if modality == "CXR":
        return wording.CXR_KEYS
    if modality != "CT":
        return {name: wording.key_of_place(place) for place, name in enumerate(KINDS[modality].labels)}
    return {name: wording.label_key(name, classes) for name in classes.case_labels}


def _location(case: Case) -> str:
    """The affected side of an X-ray in words; a dash where none was looked for."""
    if case.cxr is None or not case.cxr.sides:
        return "\u2013"
    return wording.capital(wording.LOCATION_NAMES.get(case.cxr.location, case.cxr.location))


def _counts(cases: Sequence[Case], modality: str, classes: Classes) -> list[tuple[str, str, int]]:
    verdicts = [case.verdict for case in cases if case.verdict and case.modality == modality]
    found = [verdict.label for verdict in verdicts if verdict.decided]
    counts = [
        (key, wording.capital(wording.display_name(name)), found.count(name))
        for name, key in _labels(modality, classes).items()
    ]
    undecided = len(verdicts) - len(found)
    return [*counts, ("unknown", wording.UNDECIDED, undecided)] if undecided else counts
