"""The page that lists several screened cases and leads to their reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..case import Case
from ..verdict import DEFAULT_CLASSES, Classes
from . import wording
from .case_report import environment


def write_index(
    cases: Sequence[Case],
    out_html: Path,
    refused: Sequence[tuple[str, str]] = (),
    classes: Classes = DEFAULT_CLASSES,
) -> None:
    """Write the table of verdicts of several cases, each leading to ``<case_id>.html`` beside it.

    Args:
        cases: the screened cases, in the order of the table.
        out_html: the file to write; its folder is made if it is missing.
        refused: name and reason of each input that could not be screened.
        classes: the class list.
    """
    html = render_index(cases, refused, classes)
    out_html.parent.mkdir(parents=True, exist_ok=True)
    out_html.write_text(html, encoding="utf-8")


def render_index(
    cases: Sequence[Case], refused: Sequence[tuple[str, str]] = (), classes: Classes = DEFAULT_CLASSES
) -> str:
    """The HTML of ``write_index``."""
    template = environment().get_template("index.html.j2")
    return template.render(
        rows=[_row(case, classes) for case in cases],
        counts=_counts(cases, classes),
        infections=[wording.display_name(name) for name in classes.infections],
        refused=refused,
    )


def _row(case: Case, classes: Classes) -> dict[str, Any]:
    verdict = case.verdict
    opinions = [region.opinion for region in case.regions]
    return {
        "case": case,
        "link": quote(f"{case.case_id}.html", safe=""),
        "key": wording.label_key(verdict.label if verdict else None, classes),
        "name": wording.display_name(verdict.label) if verdict else "No verdict",
        "confidence": wording.percent(verdict.exported, 1) if verdict and verdict.exported > 0.0 else "\u2013",
        "bars": [
            (wording.label_key(name, classes), wording.display_name(name), verdict.probability.get(name, 0.0))
            for name in classes.infections
        ]
        if verdict
        else [],
        "infected": sum(opinion is not None and opinion[0] != classes.irrelevant for opinion in opinions),
        "affected": {side: info.affected_percent for side, info in case.lungs.items()},
    }


def _counts(cases: Sequence[Case], classes: Classes) -> list[tuple[str, str, int]]:
    labels = [case.verdict.label for case in cases if case.verdict]
    return [
        (wording.label_key(name, classes), wording.display_name(name), labels.count(name))
        for name in classes.case_labels
    ]
