"""The figures of a cross-validation as plain text."""

from collections.abc import Sequence

from ...evaluation.figures import interval
from ...metrics.bootstrap import Interval
from ...metrics.confusion import _layout, figure
from ...report.wording import plural
from .arms import TaskName
from .findings import HOW, audit_findings
from .results import Measured, differences

TASK_TITLES: dict[TaskName, str] = {
    "classes": "Classes: accuracy, and means over the classes (each against the rest)",
    "localization": "Affected side of COVID-19 X-rays",
    "lung_boxes": "Lung boxes: mean intersection over union",
}


def to_text(measured: Sequence[Measured], population: str) -> str:
    """Tables side by side, then the folds of each set-up."""
    parts = [f"Population: {population}", HOW]
    for task, title in TASK_TITLES.items():
        own = [each for each in measured if each.arm.task == task]
        if own:
            parts.append(f"{title}\n{_table(own)}")
    found = [f"{each.name} less {each.against}: {each.figure} {signed(each.value)}" for each in differences(measured)]
    if found:
        parts.append("\n".join(["Differences on the same X-rays", *found]))
    parts += audit_findings(measured)
    parts += [f"Folds: {each.arm.title}\n{_folds(each)}" for each in measured]
    return "\n\n".join(parts) + "\n"


def signed(value: Interval) -> str:
    """A difference with its interval."""
    ends = f" [{value.low:+.3f}, {value.high:+.3f}]" if value.low == value.low else ""
    return f"{value.estimate:+.3f}{ends}"


def _table(measured: Sequence[Measured]) -> str:
    rows = [[each.arm.title, str(each.count), *map(interval, each.pooled.values())] for each in measured]
    lines = [_layout(["", "X-rays", *measured[0].pooled], rows)]
    if measured[0].commonest:
        given = ", ".join(f"{name} {figure(value)}" for name, value in measured[0].commonest.items())
        lines.append(f"always stating the commonest answer: {given}")
    if measured[0].exchanged is not None:
        lines.append(f"left and right exchanged: {measured[0].exchanged}")
    return "\n".join(lines)


def _folds(measured: Measured) -> str:
    records = measured.result.folds
    rows = [
        [
            str(fold.number),
            str(fold.facts.get("test_patients", "-")),
            str(len(fold.outcomes)),
            str(fold.facts.get("epochs", "-")),
            *(figure(value.estimate) for value in figures.values()),
        ]
        for fold, figures in zip(records, measured.folds, strict=True)
    ]
    return _layout(["fold", "patients", "X-rays", "epochs", *measured.pooled], rows) + (
        f"\ntrained on {plural(int(records[0].facts.get('training_pictures', 0)), 'picture')} in the first fold"
    )
