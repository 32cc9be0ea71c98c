"""The page of an evaluation: one HTML file with every figure inside, readable without a network and on paper."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...evaluation import plots
from ...evaluation.figures import Figure, agreement_view
from ...evaluation.plots import ANY_INFECTION
from ...metrics.confusion import SHORT_NAMES, UNSCREENED, ConfusionMatrix, figure
from ...metrics.curves import Curves
from ...metrics.detection import FROC_RATES
from ...report import wording
from ...report.page import environment
from ...verdict import DEFAULT_CLASSES, Classes
from .cautions import cautions
from .outcome import CaseOutcome, Level
from .summary import CASES, PATCHES_M1, PATCHES_M2, REGIONS, CalibrationAt, CalibrationLevel, Summary, spread

PUBLISHED: dict[Level, dict[str, ConfusionMatrix]] = {
    "cases": {"m2": CASES},
    "regions": {"m2": REGIONS},
    "patches": {"m1": PATCHES_M1, "m2": PATCHES_M2},
}

TITLES: dict[Level, tuple[str, str]] = {
    "cases": ("Cases", "After Noisy-OR, in the form of Tables 5 and 6 of Xu et al. 2020."),
    "regions": ("Regions", "After the vote of their patches, in the form of Tables 3 and 4."),
    "patches": ("Patches", "In the form of Tables 1 and 2."),
}


def render_page(summary: Summary) -> str:
    """The HTML of an evaluation."""
    result = summary.result
    template = environment().get_template("evaluation.html.j2")
    return template.render(
        summary=summary,
        people=summary.population,
        head=result.head,
        diagnoses=[(_key(name, result.classes), _name(name), n) for name, n in summary.population.diagnoses.items()],
        models=[
            (wording.MODEL_NAMES.get(name, name), model) for name, model in sorted(summary.population.models.items())
        ],
        headline=_headline(summary),
        levels=[_level(summary, level) for level in TITLES],
        curves=[_curves(summary, "cases", summary.case_curves), _curves(summary, "patches", summary.patch_curves)],
        froc=_froc(summary),
        calibration=_calibration(summary),
        reliability=_reliability(summary),
        agreements=[
            {**agreement_view(found), "level": found.level.capitalize()}
            for found in (*summary.with_model, *summary.between_readers)
        ],
        cautions=cautions(summary),
        rows=[_row(outcome, result.head, result.classes) for outcome in result.outcomes],
        measures=_measures(result.outcomes),
        unusable=[
            *(
                (case.case_id, _name(case.diagnosis), case.reason, f"counts as {case.counts_as(result.classes)}")
                for case in result.failures
            ),
            *((case.case_id, "", case.reason, "left out, counts for nothing") for case in result.left_out),
        ],
        written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _headline(summary: Summary) -> list[dict[str, Any]]:
    head = summary.result.head
    found = [
        ("Case accuracy", "right verdicts of all cases", summary.accuracy[head]),
        ("Sensitivity", "infected cases taken for infected, whatever the type", summary.sensitivity[head]),
        ("Specificity", "cases without infection in which none is found", summary.specificity[head]),
        ("Lesion recall", "lesions inside a candidate region", summary.lesion_recall),
        ("One lesion, one region", "lesions that exactly one region holds", summary.held_once),
    ]
    return [{"name": name, "what": what, "figure": Figure.of(value)} for name, what, value in found]


def _level(summary: Summary, level: Level) -> dict[str, Any]:
    tables = summary.tables[level]
    labels = next(iter(tables.values())).matrix.labels
    classes = summary.result.classes
    published = PUBLISHED[level] if classes == DEFAULT_CLASSES else {}
    gain = summary.gains[level]
    title, form = TITLES[level]
    matrices = list(published.values())
    paper = (
        [[m.recall for m in matrices], [m.precision for m in matrices], [m.f1 for m in matrices]] if matrices else []
    )
    paper_means = [[m.accuracy for m in matrices], [m.mean_f1 for m in matrices]] if matrices else []
    return {
        "key": level,
        "title": title,
        "form": form,
        "labels": [(_key(name, classes), SHORT_NAMES.get(name, _name(name)), _name(name)) for name in labels],
        "unscreened": UNSCREENED,
        "heads": [head.upper() for head in tables],
        "matrix": _cells([table.matrix for table in tables.values()]),
        "total": next(iter(tables.values())).matrix.total,
        "published": _cells(matrices) if matrices else None,
        "published_heads": [head.upper() for head in published],
        "published_total": matrices[0].total if matrices else 0,
        "rows": [
            {
                "key": _key(name, classes),
                "name": _name(name),
                "heads": [
                    (head.upper(), [Figure.of(values[i]) for values in (table.recall, table.precision, table.f1)])
                    for head, table in tables.items()
                ],
                "paper": ["/".join(figure(m[i]) for m in row) for row in paper],
            }
            for i, name in enumerate(labels)
        ],
        "means": [
            (head.upper(), Figure.of(table.accuracy), Figure.of(table.mean_f1)) for head, table in tables.items()
        ],
        "paper_means": ["/".join(map(figure, row)) for row in paper_means],
        "gain": Figure.of(gain) if gain else None,
    }


def _cells(matrices: Sequence[ConfusionMatrix]) -> list[list[dict[str, Any]]]:
    """Cells of matrices side by side; ``share``: of its row in the last matrix, in percent.

    A last column tells of items that were not screened, where there are any.
    """
    columns = [matrix.columns for matrix in matrices]
    shares = 100.0 * columns[-1] / np.maximum(columns[-1].sum(axis=1, keepdims=True), 1)
    size = len(columns[-1])
    width = size + any(matrix.unscreened for matrix in matrices)
    return [
        [
            {"counts": [int(m[i, j]) for m in columns], "share": float(shares[i, j]), "right": i == j}
            for j in range(width)
        ]
        for i in range(size)
    ]


def _curves(summary: Summary, level: Level, by_head: dict[str, list[Curves]]) -> dict[str, Any]:
    result = summary.result
    labels = [c.label for c in by_head[result.head]]
    return {
        "level": level,
        "roc": plots.roc_figure(level, by_head, result.head, result.classes),
        "precision_recall": plots.precision_recall_figure(level, by_head, result.head, result.classes),
        "rows": [
            {
                "key": "any" if label == ANY_INFECTION else _key(label, result.classes),
                "name": _name(label),
                "share": f"{curves[i].positives} of {curves[i].positives + curves[i].negatives}",
                "heads": [
                    {"head": head.upper(), "auc": Figure.of(found[i].auc), "ap": Figure.of(found[i].average_precision)}
                    for head, found in by_head.items()
                ],
            }
            for curves in [by_head[result.head]]
            for i, label in enumerate(labels)
        ],
    }


def _froc(summary: Summary) -> dict[str, Any] | None:
    if not summary.froc:
        return None
    last = summary.froc[-1]
    return {
        "picture": plots.froc_figure(summary.froc),
        "threshold": f"{last.threshold:.2f}",
        "false": f"{last.false_regions_per_case:.1f}",
        "recall": Figure.of(summary.lesion_recall),
        "rows": [(f"{rate:g}", Figure.of(value)) for rate, value in zip(FROC_RATES, summary.recall_at, strict=True)],
    }


def _calibration(summary: Summary) -> list[dict[str, Any]]:
    return [
        {
            "level": at.level.capitalize(),
            "head": at.head.upper(),
            "temperature": f"{at.temperature:.3f}",
            "stored": at.temperature == summary.temperatures[at.head],
            "items": at.items,
            "figures": [
                Figure.of(at.figures[name])
                for name in ("expected_calibration_error", "negative_log_likelihood", "brier")
            ],
            "claimed": f"{at.figures['confidence'].estimate:.3f}",
            "true": f"{at.figures['accuracy'].estimate:.3f}",
        }
        for level in ("patches", "cases", "infection")
        for at in summary.calibration
        if at.level == level
    ]


def _reliability(summary: Summary) -> list[dict[str, Any]]:
    head = summary.result.head
    axes: dict[CalibrationLevel, tuple[str, str]] = {
        "patches": ("Confidence of a patch", "Patches"),
        "cases": ("Noisy-OR probability of a type", "Cases"),
        "infection": ("Probability of an infection", "Infection of any type"),
    }
    found = []
    for level, (axis, title) in axes.items():
        at: list[CalibrationAt] = [a for a in summary.calibration if a.level == level and a.head == head]
        if at:
            after = at[1].bins if len(at) > 1 else None
            picture = plots.reliability_figure(level, at[0].bins, after, axis)
            found.append({"title": title, "picture": picture, "scaled": after is not None})
    return found


def _row(outcome: CaseOutcome, head: str, classes: Classes) -> dict[str, Any]:
    judged = outcome.heads[head]
    return {
        "case_id": outcome.case_id,
        "truth": (_key(outcome.diagnosis, classes), _name(outcome.diagnosis)),
        "verdict": (_key(judged.verdict, classes), _name(judged.verdict)),
        "right": judged.verdict == outcome.diagnosis,
        "bars": [(_key(name, classes), _name(name), judged.noisy_or[name]) for name in classes.infections],
        "lesions": (outcome.detection.found, len(outcome.detection.first_hits)),
        "regions": (sum(label != classes.irrelevant for label in judged.regions), len(judged.regions)),
        "seconds": outcome.timings_s.get("total"),
    }


def _measures(outcomes: Sequence[CaseOutcome]) -> list[tuple[str, str]]:
    dice = spread([outcome.lung_dice for outcome in outcomes])
    affected = np.abs([outcome.affected_error for outcome in outcomes])
    regions = spread([float(len(outcome.true_regions)) for outcome in outcomes])
    seconds = spread([outcome.timings_s["total"] for outcome in outcomes if "total" in outcome.timings_s])
    found = [
        ("Candidate regions a case", f"{regions['mean']:.1f} on average, at most {regions['max']:.0f}"),
        ("Dice of the lungs", f"{dice['mean']:.3f} on average, lowest {dice['min']:.3f}"),
        ("Affected share of the lungs", f"off by {affected.mean():.1f} percentage points on average"),
    ]
    if seconds:
        found.append(("Time of a screening", f"{seconds['median']:.1f} s (median), at most {seconds['max']:.1f} s"))
    return found


def _key(label: str, classes: Classes) -> str:
    return wording.label_key(label, classes)


def _name(label: str) -> str:
    return "Any infection" if label == ANY_INFECTION else wording.display_name(label)
