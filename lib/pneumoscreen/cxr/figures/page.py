"""The page of an evaluation of the X-ray method: one HTML file with every figure inside."""

import datetime
from typing import Any

import numpy as np

from ...case import CXR_CLASSES
from ...evaluation.figures import Figure
from ...metrics.confusion import ConfusionMatrix
from ...metrics.curves import Curves
from ...report import wording
from ...report.page import environment
from .cautions import radiograph_cautions
from .figures import ClassFigures
from .lungs import BOTH, BoxFigures, LocalizationFigures
from .outcome import RadiographOutcome
from .plots import COLOURS, reliability_of, roc_of
from .summary import COUNTED, PUBLISHED, PUBLISHED_LOCALIZATION, PUBLISHED_READERS, RadiographSummary

LUNG_NAMES = {"left": "Left lung", "right": "Right lung", BOTH: "Either lung"}


def render_radiograph_page(summary: RadiographSummary) -> str:
    """The HTML of an evaluation."""
    people = summary.population
    return (
        environment()
        .get_template("radiographs.html.j2")
        .render(
            people=people,
            labels=[(_key(name), _name(name), n) for name, n in people.labels.items()],
            models=[(wording.MODEL_NAMES.get(name, name), model) for name, model in sorted(people.models.items())],
            headline=_headline(summary),
            counted=COUNTED,
            cautions=radiograph_cautions(summary),
            classes=_classes(summary, summary.classes) if summary.classes else None,
            localization=_localization(summary.localization) if summary.localization else None,
            boxes=_boxes(summary.boxes) if summary.boxes else None,
            rows=[_row(outcome) for outcome in summary.outcomes],
            unusable=[
                *((o.case_id, o.reason, "counts as wrong") for o in summary.outcomes if o.reason is not None),
                *((case.case_id, case.reason, "left out") for case in summary.left_out),
            ],
            written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )


def _headline(summary: RadiographSummary) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if summary.classes:
        values = {
            "accuracy": summary.classes.accuracy,
            "sensitivity": summary.classes.macro["sensitivity"],
            "specificity": summary.classes.macro["specificity"],
        }
        found += [
            {
                "name": wording.capital(name),
                "figure": Figure.of(value),
                "what": f"paper {100 * PUBLISHED[name]:.2f} %, its average radiologist "
                f"{100 * PUBLISHED_READERS[name]:.2f} %, on other patients",
            }
            for name, value in values.items()
        ]
    if summary.localization:
        found.append(
            {
                "name": "Affected side",
                "figure": Figure.of(summary.localization.lung_accuracy[BOTH]),
                "what": f"accuracy per lung; commoner answer alone {summary.localization.lung_majority:.3f}; "
                f"paper {100 * PUBLISHED_LOCALIZATION:.2f} %",
            }
        )
    if summary.boxes and len(found) < 4:
        found.append(
            {
                "name": "Lung boxes",
                "figure": Figure.of(summary.boxes.iou[BOTH]),
                "what": "mean intersection over union",
            }
        )
    return found


def _classes(summary: RadiographSummary, found: ClassFigures) -> dict[str, Any]:
    return {
        "matrix": _matrix(found.matrix),
        "names": [(_key(name), _name(name)) for name in CXR_CLASSES],
        "total": found.matrix.total,
        "rows": [
            (
                _key(name),
                _name(name),
                [*(Figure.of(value) for value in found.by_class[name].values()), Figure.of(found.curves[i].auc)],
            )
            for i, name in enumerate(CXR_CLASSES)
        ],
        "macro": [*(Figure.of(value) for value in found.macro.values()), Figure.of(found.macro_auc)],
        "accuracy": Figure.of(found.accuracy),
        "majority": f"{found.majority:.3f}",
        "roc": roc_of("classes", found.curves, summary.readers),
        "reliability": reliability_of("classes", found.bins),
        "calibration": [
            (title, Figure.of(found.calibration[name]))
            for title, name in (
                ("Expected calibration error", "expected_calibration_error"),
                ("Negative log-likelihood", "negative_log_likelihood"),
                ("Brier score", "brier"),
            )
        ],
        "readers": [
            (p.reader, _key(p.label), _name(p.label), p.count, _share(p.sensitivity), _share(p.specificity))
            for p in summary.readers
        ],
    }


def _localization(found: LocalizationFigures) -> dict[str, Any]:
    curves: list[Curves] = list(found.curves.values())
    counts = found.location.counts.sum(axis=1)
    return {
        "count": found.count,
        "rows": [
            (LUNG_NAMES[side], COLOURS[side], Figure.of(value), Figure.of(found.curves[side].auc))
            for side, value in found.lung_accuracy.items()
        ],
        "lung_majority": f"{found.lung_majority:.3f}",
        "location": Figure.of(found.location_accuracy),
        "location_majority": f"{found.location_majority:.3f}",
        "recalls": [
            (wording.capital(name), int(n), Figure.of(found.location_recall[name]))
            for name, n in zip(found.location.labels, counts, strict=True)
            if n
        ],
        "matrix": _matrix(found.location),
        "names": [("", wording.capital(name)) for name in found.location.labels],
        "published": f"{100 * PUBLISHED_LOCALIZATION:.2f} %",
        "roc": roc_of("lungs", curves),
    }


def _boxes(found: BoxFigures) -> dict[str, Any]:
    return {
        "count": found.count,
        "rows": [(LUNG_NAMES[side], Figure.of(value)) for side, value in found.iou.items()],
        "exchanged": found.exchanged,
    }


def _matrix(matrix: ConfusionMatrix) -> list[list[tuple[int, float, bool]]]:
    """Count, share of its row in percent, and whether it is right, cell by cell."""
    shares = 100.0 * matrix.counts / np.maximum(matrix.counts.sum(axis=1, keepdims=True), 1)
    size = range(len(matrix.labels))
    return [[(int(matrix.counts[i, j]), float(shares[i, j]), i == j) for j in size] for i in size]


def _row(outcome: RadiographOutcome) -> dict[str, Any]:
    return {
        "case_id": outcome.case_id,
        "truth": (_key(outcome.label), _name(outcome.label)),
        "verdict": (_key(outcome.verdict), _name(outcome.verdict)) if outcome.verdict else None,
        "right": outcome.verdict == outcome.label,
        "probabilities": [f"{value:.3f}" for value in outcome.probabilities],
        "sides": [
            (side, outcome.true_sides[side], f"{value:.3f}")
            for side, value in outcome.side_probabilities.items()
            if side in outcome.true_sides
        ],
    }


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _key(label: str | None) -> str:
    return wording.CXR_KEYS.get(label or "", "unknown")


def _name(label: str | None) -> str:
    return wording.capital(wording.display_name(label or "unknown"))
