"""Everything that an evaluation on a site's own scans measures, computed once: for text, JSON file and page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import RESEARCH_USE_ONLY, __version__
from ...case import ModelInfo
from ...evaluation.site_cases import Condition, pneumonias
from ...metrics.bootstrap import LEVEL, RESAMPLES
from ...report.wording import plural
from ...verdict import Classes
from .site_figures import SiteFigures, site_figures
from .site_outcome import SiteOutcome

HOW_COUNTED = (
    "A scan is flagged where its verdict is other than no infection found; a lung where it holds an infection region."
)

HOW_REFUSED = (
    "A refused scan counts as not flagged, its lungs as without a region, its probability as 0: a pneumonia among them "
    "is missed, another scan among them passes for right."
)


@dataclass(frozen=True)
class SiteSummary:
    """The figures, and on what they were measured.

    Attributes:
        table: name of the table.
        conditions: which rows count; without any, all do.
        outcomes: of every row, in the order of the table.
        figures: of the counted rows.
        models: versions of the networks.
        classes: the classifier's class list.
    """

    table: str
    conditions: tuple[Condition, ...]
    outcomes: tuple[SiteOutcome, ...]
    figures: SiteFigures
    models: Mapping[str, ModelInfo]
    classes: Classes

    @classmethod
    def of(
        cls,
        table: str,
        conditions: Sequence[Condition],
        outcomes: Sequence[SiteOutcome],
        models: Mapping[str, ModelInfo],
        classes: Classes,
    ) -> "SiteSummary":
        """The summary of the outcomes.

        Raises:
            ValueError: if none is counted.
        """
        figures = site_figures(outcomes, classes)
        return cls(table, tuple(conditions), tuple(outcomes), figures, dict(models), classes)

    @property
    def counted(self) -> list[SiteOutcome]:
        """The outcomes that enter the figures."""
        return [outcome for outcome in self.outcomes if outcome.case.counted]

    @property
    def not_counted(self) -> list[SiteOutcome]:
        """The outcomes that are shown only."""
        return [outcome for outcome in self.outcomes if not outcome.case.counted]

    @property
    def labels(self) -> dict[str, int]:
        """Number of counted scans by class, in the order of ``SiteFigures.taken_for``."""
        found = Counter(outcome.case.label for outcome in self.counted)
        return {label: found[label] for label in self.figures.taken_for}

    @property
    def calibrated_on(self) -> str | None:
        """What the probability was calibrated on; None where it is not."""
        return next((o.calibrated_on for o in self.counted if o.calibrated_on), None) if self.figures.curves else None

    def is_pneumonia(self, outcome: SiteOutcome) -> bool:
        """Whether the class of a scan is a pneumonia."""
        return outcome.case.label in pneumonias(self.classes)

    def sentence(self) -> str:
        """The counted scans in words."""
        counts = ", ".join(f"{label} {count}" for label, count in self.labels.items())
        which = " ".join(f"--where {condition}" for condition in self.conditions)
        left = f"; {plural(len(self.not_counted), 'scan')} screened but not counted" if self.not_counted else ""
        figures = self.figures
        return (
            f"{plural(figures.scans, 'scan')} of {plural(figures.patients, 'patient')} ({counts}), table {self.table}"
            f"{' ' + which if which else ''}{left}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON types."""
        return {
            "program": f"pneumoscreen {__version__}",
            "notice": RESEARCH_USE_ONLY,
            "table": self.table,
            "where": [str(condition) for condition in self.conditions],
            "classes_of_pneumonia": list(pneumonias(self.classes)),
            "counted": f"{HOW_COUNTED} {HOW_REFUSED}",
            "intervals": f"{LEVEL:.0%}, bootstrap of {RESAMPLES} draws of patients",
            "models": {name: dict(vars(model)) for name, model in self.models.items()},
            "calibrated_on": self.calibrated_on,
            "labels": self.labels,
            "figures": self.figures.to_dict(),
            "scans": [outcome.to_dict() for outcome in self.outcomes],
        }
