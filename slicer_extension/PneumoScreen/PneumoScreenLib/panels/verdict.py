"""The verdict of the open case: both Noisy-OR probabilities as bars, the confidence, the rule in words, the lungs."""

from typing import Any

from ..contract import Case, Verdict
from ..wording import affected_in_words, display_name, infection_in_words, percent, rule_in_words, verdict_name
from . import style
from .bars import Bars


class VerdictPanel:
    """Follows every correction at once.

    Args:
        ui: widgets of the ``.ui`` file.
        session: gives the case as it stands.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session = ui, session
        style.as_card(ui.verdictFrame)
        style.as_title(ui.verdictLabel, 1.35)
        style.as_title(ui.confidenceLabel, 1.35)
        style.as_quiet(ui.ruleLabel)
        style.as_quiet(ui.researchLabel)
        ui.confidenceLabel.toolTip = "The confidence that the rule exports for this verdict."
        infections = session.classes.infections
        self._bars = Bars(
            ui.probabilityFrame,
            {name: style.colour_of(name, ui.verdictFrame, session.classes) for name in infections},
            {
                name: f"Noisy-OR probability of {display_name(name)} over all regions of this type."
                for name in infections
            },
        )
        session.reading_changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show the verdict of the case as it stands now."""
        reading = self.session.reading
        self.ui.findingsFrame.visible = reading is not None and reading.case.modality == "CT"
        self.ui.submissionFrame.visible = reading is not None
        if reading is None or reading.case.modality != "CT" or reading.case.verdict is None:
            return
        self._show(reading.case, reading.case.verdict)

    def _show(self, case: Case, verdict: Verdict) -> None:
        ui, classes = self.ui, self.session.classes
        colour = style.colour_of(verdict.label if verdict.decided else None, ui.verdictFrame, classes)
        ui.verdictLabel.text = verdict_name(verdict)
        ui.verdictLabel.setStyleSheet(f"color: {colour};")
        has_confidence = verdict.decided and verdict.label in verdict.confidence
        ui.confidenceLabel.text = percent(verdict.confidence[verdict.label]) if has_confidence else ""
        self._bars.show(verdict.probability)
        ui.ruleLabel.text = rule_in_words(verdict)
        ui.lungsLabel.text = "\n".join(filter(None, (infection_in_words(verdict), affected_in_words(case))))
        ui.lungsLabel.visible = bool(ui.lungsLabel.text)
