"""Monitoring as one HTML file with every figure inside, and as lines for a terminal."""

import datetime
from typing import Any

import numpy as np

from ..evaluation.figures import Figure, Share
from ..evaluation.plots import reliability_figure
from ..metrics.bootstrap import Interval
from ..report import wording
from ..report.page import environment
from .agreement import ADDED, FIGURES, AgreementRow
from .calibration import CalibrationInUse
from .drift import LEAST, LEVEL, Drift
from .plots import agreement_figure, history_figure
from .records import CT
from .shares import p_text
from .summary import ModalityMonitoring, Monitoring
from .training_inputs import MEANING

NOTHING = "Nothing has been submitted or screened here yet: there is nothing to compare."
NOBODY = "No reader has submitted anything yet."
_DASH = "\N{EN DASH}"


def render_monitoring(monitoring: Monitoring) -> str:
    """The HTML of the page."""
    return (
        environment()
        .get_template("monitoring.html.j2")
        .render(
            source=monitoring.source,
            nothing=NOTHING,
            nobody=NOBODY,
            least=LEAST,
            level=LEVEL,
            figures=FIGURES,
            meaning=MEANING,
            modalities=[_view(found) for found in monitoring.modalities],
            written=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        )
    )


def monitoring_to_text(monitoring: Monitoring) -> str:
    """The recommendation, its reasons and the alarms of each modality, a line each."""
    lines = [] if monitoring.modalities else [NOTHING]
    for found in monitoring.modalities:
        lines.append(f"{found.title}: {found.recommendation.words}.")
        lines += [f"  {reason}" for reason in found.recommendation.reasons]
        lines += [f"  Drift. {alarm}" for alarm in found.alarms]
        lines += [f"  {sentence}" for sentence in found.not_tested()]
        if found.differences:
            lines += ["  Beside what the models have learnt from:", *(f"    {each}" for each in found.differences)]
            lines.append(f"    {MEANING}")
    return "\n".join(lines) + "\n"


def _view(found: ModalityMonitoring) -> dict[str, Any]:
    key = found.records.modality.lower()
    submissions = found.records.submissions
    timed = [row for row in found.by_period if row.judged]
    return {
        "key": key,
        "title": found.title,
        "advice": found.recommendation,
        "alarms": found.alarms,
        "cautions": found.cautions(),
        "submissions": len(submissions),
        "cases": len({one.case_id for one in submissions}),
        "readers": len({one.reader for one in submissions}),
        "scans": len(found.records.scans),
        "models": _models(found.records.models),
        "figures": list(found.in_use.shares),
        "picture": agreement_figure(key, timed) if len(timed) > 1 else None,
        "groups": [
            (title, [_row(row, models) for row in rows])
            for title, rows, models in (
                ("By period", found.by_period, False),
                ("By models", found.by_models, True),
                ("By what was shown", found.by_condition, False),
                ("By reader", found.by_reader, False),
            )
            if rows
        ],
        "settled": _share(found.settled) if found.settled.whole else None,
        "relabelled": [
            (wording.display_name(old), wording.display_name(new), count)
            for (old, new), count in found.relabelled.items()
        ],
        "has_regions": found.records.modality == CT,
        "sides": [
            (wording.LOCATION_NAMES.get(old, old), wording.LOCATION_NAMES.get(new, new), count)
            for (old, new), count in found.sides.items()
        ],
        "matrix": _matrix(found),
        "calibrations": [_calibration(f"{key}-{place}", one) for place, one in enumerate(found.calibrations)],
        "drifts": [_drift(f"{key}-{drift.feature.key}", drift) for drift in found.drifts],
        "not_tested": found.not_tested(),
        "differences": found.differences,
        "training": [
            (each.name, each.of, [_drift("", drift) for drift in each.drifts]) for each in found.training if each.drifts
        ],
    }


def _row(row: AgreementRow, is_models: bool) -> dict[str, Any]:
    return {
        "name": _models(row.name) if is_models else row.name,
        "submissions": row.submissions,
        "patients": row.patients,
        "shares": [_mean(share) if name == ADDED else _share(share) for name, share in row.shares.items()],
    }


def _share(share: Share) -> dict[str, str] | None:
    """A share as the page shows it; None where there is nothing to share."""
    if not share.whole:
        return None
    return {"of": f"{share.part} of {share.whole}", "value": wording.percent(share.part / share.whole),
            "interval": _between(share.interval)}  # fmt: skip


def _mean(share: Share) -> dict[str, str] | None:
    if not share.whole:
        return None
    known = not np.isnan(share.interval.low)
    return {
        "of": f"{share.part} in {wording.plural(share.whole, 'case')}",
        "value": f"{share.part / share.whole:.2f}",
        "interval": f"{share.interval.low:.2f} to {share.interval.high:.2f}" if known else "no interval",
    }


def _between(interval: Interval) -> str:
    if np.isnan(interval.low):
        return "no interval"
    return f"{wording.percent(interval.low)} to {wording.percent(interval.high)}"


def _matrix(found: ModalityMonitoring) -> dict[str, Any] | None:
    """Readers' labels down, the model's along."""
    if found.labels is None:
        return None
    matrix, counts = found.labels.matrix, found.labels.matrix.counts
    names = [wording.capital(wording.display_name(label)) for label in matrix.labels]
    totals = counts.sum(axis=1)
    rows = [
        (name, [(int(n), 100.0 * n / max(totals[i], 1), i == j) for j, n in enumerate(counts[i])])
        for i, name in enumerate(names)
    ]
    return {"names": names, "rows": rows, "kappa": Figure.of(found.labels.kappa)}


def _calibration(name: str, found: CalibrationInUse) -> dict[str, Any]:
    return {
        "models": _models(found.models),
        "cases": found.cases,
        "patients": found.patients,
        "infected": found.infected,
        "error": None if found.error is None else Figure.of(found.error),
        "p": "" if found.p is None else p_text(found.p),
        "auc": None if found.auc is None else Figure.of(found.auc),
        "too_few": found.too_few,
        "bins": [
            (f"{each.low:.1f} to {each.high:.1f}", each.count, f"{each.confidence:.2f}", f"{each.accuracy:.2f}")
            for each in found.bins
            if each.count
        ],
        "picture": reliability_figure(f"in-use-{name}", found.bins, None, "Probability of an infection"),
    }


def _drift(name: str, drift: Drift) -> dict[str, Any]:
    """A figure as the page shows it, without a picture where it has no name to be told apart by."""

    def middle(values: Any) -> str:
        return drift.feature.text(float(np.median(values))) if len(values) else _DASH

    is_tested = drift.distance is not None and drift.p is not None
    p = _DASH if drift.p is None else p_text(drift.p)
    return {
        "name": drift.feature.name,
        "of": "model" if drift.feature.is_output else "image",
        "first": middle(drift.first),
        "newest": middle(drift.newest),
        "counts": f"{len(drift.first)} and {len(drift.newest)}",
        "distance": f"{drift.distance:.2f}" if is_tested else _DASH,
        "p": p,
        "alarm": drift.is_alarm,
        "picture": history_figure(name, drift) if name and is_tested else None,
    }


def _models(names: str) -> str:
    """Networks with their versions as pages name them."""
    parts = [part.rpartition(" ") for part in names.split(", ")] if names else []
    return ", ".join(f"{wording.MODEL_NAMES.get(name, name)} {version}" for name, _, version in parts) or _DASH
