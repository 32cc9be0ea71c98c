"""The verdict of the open case: whether there is an infection and of which type, what would decide it, the lungs."""

from typing import Any, Dict

from ..contract import Case, Verdict
from ..translation import _
from ..widgets import style
from ..widgets.bars import Bars
from ..wording import display_name, infection_in_words, rule_in_words
from .finding import affected_in_words, heading, type_in_words, what_would_decide


class VerdictPanel:
    """Follows every correction at once.

    Args:
        ui: widgets of the ``.ui`` file.
        session: gives the case as it stands.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session = ui, session
        style.as_card(ui.verdictFrame)
        style.as_title(ui.verdictLabel, 1.25)
        style.as_quiet(ui.researchLabel)
        infections = session.classes.infections
        self._bars = Bars(
            ui.probabilityFrame,
            {name: style.colour_of(name, ui.verdictFrame, session.classes) for name in infections},
            {
                name: _("Noisy-OR probability of {label} over all regions of this type.").format(
                    label=display_name(name)
                )
                for name in infections
            },
        )
        session.reading_changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show the verdict of the case as it stands now."""
        reading = self.session.reading
        self.ui.findingsFrame.visible = (
            reading is not None and reading.case.modality == "CT" and not self.session.study.is_hidden
        )
        self.ui.submissionFrame.visible = reading is not None
        if reading is None or reading.case.modality != "CT" or reading.case.verdict is None:
            return
        self._show(reading.case, reading.case.verdict, reading.numbers)

    def _show(self, case: Case, verdict: Verdict, numbers: Dict[str, int]) -> None:
        ui, classes = self.ui, self.session.classes
        colour = style.colour_of(verdict.label if verdict.decided else None, ui.verdictFrame, classes)
        ui.verdictLabel.text = style.unbroken(heading(verdict))
        ui.verdictLabel.toolTip = infection_in_words(verdict)
        ui.verdictLabel.setStyleSheet(f"color: {colour};")
        self._bars.show(verdict.probability)
        for label, text in (
            (ui.decidingLabel, what_would_decide(case, numbers, classes)),
            (ui.confidenceLabel, type_in_words(verdict)),
            (ui.lungsLabel, affected_in_words(case, classes)),
        ):
            label.text, label.visible = style.unbroken(text), bool(text)
        ui.confidenceLabel.toolTip = ui.probabilityFrame.toolTip = rule_in_words(verdict)
