"""The results of a cross-validation as JSON, text and a page; of each set-up in full in its own folder."""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...evaluation.figures import Figure
from ...models.atomic_files import replace_durably
from ...output import write_evaluation
from ...report.page import environment
from ..figures.evaluation import answered
from ..figures.summary import RadiographPopulation, summarize_radiographs
from .findings import HOW, audit_findings
from .results import Measured, differences, document_of
from .run import ArmResult
from .text import TASK_TITLES, signed, to_text

NAME = "crossvalidation"


def write_results(out: Path, results: Sequence[ArmResult], source: str, facts: Mapping[str, Any]) -> None:
    """Write ``crossvalidation.json``, ``.txt``, ``.html`` and the evaluation of each set-up.

    Args:
        out: folder of the cross-validation.
        results: of all set-ups.
        source: where the X-rays come from, in words.
        facts: what else the JSON file tells.

    Raises:
        OSError: if a file cannot be written.
    """
    count = len(results[0].folds)
    for result in results:
        how = f"{count}-fold cross-validation by {result.arm.by}: {result.arm.title}"
        population = RadiographPopulation.of(result.outcomes, source, how)
        figures = answered(summarize_radiographs(result.outcomes, population))
        write_evaluation(out / result.arm.name, figures.document, figures.text, figures.page)
    people, measured = population_of(results, source), [Measured.of(result) for result in results]
    document = document_of(measured, {**facts, "population": people, "how": HOW, "findings": audit_findings(measured)})
    files = {
        "json": json.dumps(document, indent=1, allow_nan=False) + "\n",
        "txt": to_text(measured, people),
        "html": render_page(measured, people),
    }
    for ending, content in files.items():
        replace_durably(out / f"{NAME}.{ending}", content.encode())


def population_of(results: Sequence[ArmResult], source: str) -> str:
    """On whom the figures were measured, in words."""
    largest = max(results, key=lambda result: len(result.outcomes))
    how = f"{len(largest.folds)}-fold cross-validation"
    return RadiographPopulation.of(largest.outcomes, source, how).sentence()


def render_page(measured: Sequence[Measured], population: str) -> str:
    """The HTML of a cross-validation."""
    tables = []
    for task, title in TASK_TITLES.items():
        own = [each for each in measured if each.arm.task == task]
        if own:
            tables.append({"key": task, "title": title, **_table(own)})
    return (
        environment()
        .get_template("crossvalidation.html.j2")
        .render(
            population=population,
            how=HOW,
            findings=audit_findings(measured),
            tables=tables,
            differences=[(d.name, d.against, d.figure, signed(d.value)) for d in differences(measured)],
            folds=[_folds(each) for each in measured],
            written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )


def _table(measured: Sequence[Measured]) -> dict[str, Any]:
    first = measured[0]
    return {
        "columns": list(first.pooled),
        "rows": [
            (
                each.arm.title,
                f"{each.arm.name}/evaluation.html",
                each.count,
                [Figure.of(value) for value in each.pooled.values()],
            )
            for each in measured
        ],
        "chance": [f"{first.commonest[name]:.3f}" if name in first.commonest else "" for name in first.pooled]
        if first.commonest
        else [],
        "exchanged": first.exchanged,
    }


def _folds(measured: Measured) -> dict[str, Any]:
    return {
        "title": measured.arm.title,
        "columns": list(measured.pooled),
        "rows": [
            (
                fold.number,
                fold.facts.get("test_patients", "–"),
                len(fold.outcomes),
                fold.facts.get("epochs", "–"),
                [Figure.of(value) for value in figures.values()],
            )
            for fold, figures in zip(measured.result.folds, measured.folds, strict=True)
        ],
    }
