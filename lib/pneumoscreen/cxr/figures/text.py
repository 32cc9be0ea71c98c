"""The figures of the X-ray method as plain text, with the paper's own beside them."""

from ...case import CXR_CLASSES
from ...evaluation.figures import interval
from ...metrics.confusion import counts_table, figure
from ...report.wording import plural
from .figures import ClassFigures
from .lungs import BOTH, BoxFigures, LocalizationFigures
from .summary import COUNTED, PUBLISHED, PUBLISHED_LOCALIZATION, PUBLISHED_READERS, RadiographSummary


def radiographs_to_text(summary: RadiographSummary) -> str:
    """Every figure in words and columns."""
    parts = [
        f"Population: {summary.population.sentence()}",
        *(f"left out: {case.case_id}: {case.reason}" for case in summary.left_out),
        *(f"not screened: {o.case_id}: {o.reason}" for o in summary.outcomes if o.reason is not None),
        *(_classes(summary.classes) if summary.classes else []),
        *([_readers(summary)] if summary.readers else []),
        *([_localization(summary.localization)] if summary.localization else []),
        *([_boxes(summary.boxes)] if summary.boxes else []),
    ]
    return "\n\n".join(parts) + "\n"


def _classes(found: ClassFigures) -> list[str]:
    scheme = [f"The final scheme in the form of the paper ({plural(found.count, 'X-ray')})"]
    for name, value in (
        ("accuracy", found.accuracy),
        ("sensitivity", found.macro["sensitivity"]),
        ("specificity", found.macro["specificity"]),
    ):
        scheme.append(
            f"{name} {interval(value)} (paper, other patients: {PUBLISHED[name]:.4f}; its average radiologist: "
            f"{PUBLISHED_READERS[name]:.4f})"
        )
    scheme.append(f"always stating the commonest class: accuracy {found.majority:.3f}")
    scheme.append(COUNTED)
    lines = [
        f"{label}: "
        + ", ".join(f"{name} {interval(value)}" for name, value in found.by_class[label].items())
        + f", AUC {interval(found.curves[i].auc)}"
        for i, label in enumerate(CXR_CLASSES)
    ]
    means = ", ".join(f"{name} {interval(value)}" for name, value in found.macro.items())
    lines.append(f"macro means: {means}, AUC {interval(found.macro_auc)}")
    calibration = (
        f"Calibration: expected calibration error {interval(found.calibration['expected_calibration_error'])}, "
        f"negative log-likelihood {interval(found.calibration['negative_log_likelihood'])}, "
        f"Brier score {interval(found.calibration['brier'])}"
    )
    return ["\n".join(scheme), counts_table([found.matrix]), "\n".join(lines), calibration]


def _readers(summary: RadiographSummary) -> str:
    lines = ["Readers, each class against the rest"]
    for point in summary.readers:
        shares = [
            f"{name} {figure(float('nan') if value is None else value)}"
            for name, value in (("sensitivity", point.sensitivity), ("specificity", point.specificity))
        ]
        lines.append(f"{point.reader}, {point.label}: {', '.join(shares)} ({plural(point.count, 'X-ray')})")
    return "\n".join(lines)


def _localization(found: LocalizationFigures) -> str:
    lines = [
        f"Affected side of {plural(found.count, 'X-ray')} with COVID-19 (paper: accuracy {PUBLISHED_LOCALIZATION})"
    ]
    for side, value in found.lung_accuracy.items():
        name = "per lung" if side == BOTH else f"{side} lung"
        lines.append(f"{name}: accuracy {interval(value)}, AUC {interval(found.curves[side].auc)}")
    lines.append(f"always stating the commoner answer: accuracy per lung {found.lung_majority:.3f}")
    lines.append(
        f"location (left, right, bipulmonary, none): accuracy {interval(found.location_accuracy)}; always stating the "
        f"commonest: {found.location_majority:.3f}"
    )
    shown = dict(zip(found.location.labels, found.location.counts.sum(axis=1), strict=True))
    lines += [f"{name}: right {interval(found.location_recall[name])} of {n}" for name, n in shown.items() if n]
    return "\n".join([*lines, counts_table([found.location])])


def _boxes(found: BoxFigures) -> str:
    ious = ", ".join(f"{side} {interval(value)}" for side, value in found.iou.items())
    return (
        f"Lung boxes of {plural(found.count, 'X-ray')}: mean intersection over union {ious}; left and right exchanged "
        f"in {found.exchanged}"
    )
