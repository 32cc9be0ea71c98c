"""The figures as plain text, in the form of the paper's Tables 1 to 6, with the paper's own beside them."""

import numpy as np

from ...evaluation.figures import interval
from ...metrics.agreement import MODEL, Agreement
from ...metrics.calibration import BINS
from ...metrics.confusion import counts_table, figures_table
from ...report.wording import plural
from .outcome import Level
from .summary import CASES, PATCHES_M1, PATCHES_M2, REGIONS, Summary, spread

TITLES: dict[Level, str] = {
    "patches": f"Patches (Tables 1 and 2; paper: mean f1 {PATCHES_M1.mean_f1:.3f}/{PATCHES_M2.mean_f1:.3f})",
    "regions": f"Regions after the vote (Tables 3 and 4; paper, M2: mean f1 {REGIONS.mean_f1:.3f})",
    "cases": f"Cases after Noisy-OR (Tables 5 and 6; paper, M2: accuracy {CASES.accuracy:.3f})",
}


def to_text(summary: Summary) -> str:
    """All figures but the curves, a paragraph a subject."""
    people = summary.population
    result = summary.result
    models = ", ".join(f"{name} version {model.version}" for name, model in sorted(people.models.items()))
    parts = [
        f"{plural(people.cases, 'case')} of {plural(people.patients, 'patient')} ({people.source}); "
        f"{models or 'unpublished networks'}; "
        "intervals: 95 %, bootstrap over patients",
        *(f"left out: {case_id}: {reason}" for case_id, reason in result.left_out),
        *(
            f"not screened: {failure.case_id} ({failure.diagnosis}; counts as {failure.counts_as(result.classes)}): "
            f"{failure.reason}"
            for failure in result.failures
        ),
        _candidates(summary),
        *(part for level in TITLES for part in _level(summary, level)),
        _verdicts(summary),
        *_curves(summary),
        _calibration(summary),
        *([_agreement(summary)] if summary.with_model or summary.between_readers else []),
        _measures(summary),
    ]
    return "\n\n".join(parts) + "\n"


def _candidates(summary: Summary) -> str:
    sizes = spread([float(len(outcome.true_regions)) for outcome in summary.result.outcomes])
    return (
        f"Candidates: lesion recall {interval(summary.lesion_recall)} with {sizes['mean']:.1f} regions a case "
        f"(at most {sizes['max']:.0f}); lesions held by exactly one region {interval(summary.held_once)}"
    )


def _level(summary: Summary, level: Level) -> list[str]:
    tables = summary.tables[level]
    names = "/".join(head.upper() for head in tables)
    matrices = [figures.matrix for figures in tables.values()]
    gain = summary.gains[level]
    lines = [f"{head.upper()} mean f1 {interval(figures.mean_f1)}" for head, figures in tables.items()]
    if gain is not None:
        lines.append(f"M2 - M1 mean f1 {interval(gain)}")
    return [f"{TITLES[level]}, {names}", counts_table(matrices), figures_table(matrices), "\n".join(lines)]


def _verdicts(summary: Summary) -> str:
    lines = [
        f"{head.upper()} case accuracy {interval(summary.accuracy[head])}, "
        f"any infection: sensitivity {interval(summary.sensitivity[head])}, "
        f"specificity {interval(summary.specificity[head])}"
        for head in summary.accuracy
    ]
    return "\n".join(lines)


def _curves(summary: Summary) -> list[str]:
    lines = []
    for level, by_head in (("patches", summary.patch_curves), ("cases", summary.case_curves)):
        for head, curves in by_head.items():
            lines += [
                f"{level} {head.upper()} {c.label}: AUC {interval(c.auc)}, average precision "
                f"{interval(c.average_precision)} ({c.positives} of {c.positives + c.negatives})"
                for c in curves
                if c.defined
            ]
    return ["\n".join(["Areas under the ROC and precision-recall curves", *lines])] if lines else []


def _calibration(summary: Summary) -> str:
    lines = [f"Calibration ({BINS} bins)"]
    lines += [
        f"{at.level} {at.head.upper()} temperature {at.temperature:.3f}: calibration error "
        f"{interval(at.figures['expected_calibration_error'])}, negative log-likelihood "
        f"{interval(at.figures['negative_log_likelihood'])}, Brier score {interval(at.figures['brier'])}"
        for at in summary.calibration
    ]
    return "\n".join(lines)


def _agreement(summary: Summary) -> str:
    lines = ["Agreement (Cohen's kappa)"]
    lines += [_pair(agreement) for agreement in (*summary.with_model, *summary.between_readers)]
    return "\n".join(lines)


def _pair(agreement: Agreement) -> str:
    second = "the model" if agreement.second == MODEL else agreement.second
    return (
        f"{agreement.first} and {second}, {agreement.level}: kappa {interval(agreement.kappa)}, the same label in "
        f"{interval(agreement.observed)} of {agreement.matrix.total}"
    )


def _measures(summary: Summary) -> str:
    outcomes = summary.result.outcomes
    dice = spread([outcome.lung_dice for outcome in outcomes])
    affected = np.abs([outcome.affected_error for outcome in outcomes])
    seconds = spread([outcome.timings_s.get("total", 0.0) for outcome in outcomes])
    return (
        f"Lungs: Dice {dice['mean']:.3f} (lowest {dice['min']:.3f}); affected share off by "
        f"{affected.mean():.1f} percentage points on average; {seconds['median']:.1f} s a case (median)"
    )
