"""A chest X-ray: lung boxes, class probabilities, the affected side and what spoke for the verdict.

Shown where the server offers ``cxr_screening`` or the open case is an X-ray.
"""

from functools import partial
from typing import Any, Dict, Optional

import qt

from ..contract import CXR_CLASSES, CXR_LOCATIONS, Case
from ..keys import XRAY
from ..translation import _
from ..widgets import style
from ..widgets.bars import Bars
from ..widgets.buttons import Rows
from ..wording import by_side, location_name, short_name
from .findings import extent_in_words, film_cautions, film_reading_in_words, film_verdict_in_words

COLOURS = {"covid19": "covid19", "cap": "influenza_a", "healthy": "no_infection_found"}

MARGINS, LEAST_WIDTH, HIGHEST = 16, 200, 300
"""Of the picture, in pixels."""


class XrayPanel:
    """Shows an X-ray case and takes the reader's class and side.

    Args:
        ui: widgets of the ``.ui`` file.
        session: gives the case; takes the correction.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session = ui, session
        style.as_title(ui.xrayVerdictLabel, 1.35)
        style.as_quiet(ui.xrayResearchLabel)
        self._choices: Dict[str, Any] = {}
        self._rows = []
        for frame, names, name_of in (
            (ui.xrayClassFrame, CXR_CLASSES, short_name),
            (ui.xraySideFrame, CXR_LOCATIONS, location_name),
        ):
            for name in names:
                self._choices[name] = self._button(name, name_of(name))
            self._rows.append(Rows(frame, [self._choices[name] for name in names], are_alike=True))
        style.as_quiet(ui.xrayHeatTitle)
        style.as_box(ui.xrayHeatCheck)
        ui.xrayHeatSlider.value = round(100 * session.view.heat.strength)
        ui.xrayHeatSlider.connect("valueChanged(int)", self._set_strength)
        ui.xrayHeatSlider.connect("sliderReleased()", self.update)
        self._bars = Bars(
            ui.xrayFrame, {name: style.colour_of(COLOURS[name], ui.xrayFrame) for name in CXR_CLASSES}, {}
        )
        ui.xrayHeatCheck.connect("toggled(bool)", self._switch_heat)
        session.reading_changed.connect(self.update)
        session.masks_changed.connect(self.update)
        session.connection.server_changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show the X-ray that is open."""
        case = self._case()
        ui, server = self.ui, self.session.connection.server or {}
        ui.xraySection.visible = case is not None or bool(server.get("offers_xray"))
        for widget in (ui.xrayVerdictLabel, ui.xrayFrame, ui.xrayClassFrame, ui.xraySideFrame):
            widget.visible = case is not None
        if case is None or case.cxr is None:
            ui.xrayVerdictLabel.text = ""
            ui.xrayLocationLabel.text = _("No X-ray is open.")
            for widget in (ui.xrayPicture, ui.xrayHeatCheck, ui.xrayHeatTitle, ui.xrayHeatSlider):
                widget.visible = False
            return
        findings = case.cxr
        by_model = film_verdict_in_words(case)
        ui.xrayVerdictLabel.text = style.unbroken(film_reading_in_words(findings) or by_model)
        ui.xrayVerdictLabel.toolTip = film_cautions(case)
        self._bars.show(findings.probabilities)
        location = _("Affected lung: {location}").format(location=location_name(findings.location))
        location += f" ({by_side(findings.sides)})" if findings.sides else ""
        # Said once: where the reader's own finding is the heading, the model's stands below as what it is.
        model = _("By the model: {finding}").format(finding=by_model) if findings.reader else ""
        lines = filter(None, (model, location, extent_in_words(findings)))
        ui.xrayLocationLabel.text = style.unbroken("\n".join(lines))
        for widget in (ui.xrayHeatCheck, ui.xrayHeatTitle, ui.xrayHeatSlider):
            widget.visible = self.session.view.has_heat
        picture = self.session.view.xray_picture(findings.boxes)
        ui.xrayPicture.visible = picture is not None
        if picture is not None:
            # The section's width: the label has none of its own before the first picture.
            width = max(ui.xraySection.width - MARGINS, LEAST_WIDTH)
            ui.xrayPicture.setPixmap(style.fitted(style.colour_picture(picture), width, HIGHEST, ui.xrayPicture))
        said = findings.reader or {}
        for name, button in self._choices.items():
            button.enabled = not self.session.is_read_only
            button.checked = name in (said.get("label"), said.get("location"))
            style.as_chosen(button, button.checked)

    def close(self) -> None:
        """The panel goes: its rows follow its width no longer."""
        for rows in self._rows:
            rows.close()

    def _switch_heat(self, is_on: bool) -> None:
        self.session.view.set_heat_visible(is_on)
        self.update()

    def _set_strength(self, percents: int) -> None:
        self.session.view.set_heat_strength(percents / 100.0)
        if not self.ui.xrayHeatSlider.sliderDown:
            self.update()  # amid a drag the slice views follow alone: they draw on the graphics card

    def _case(self) -> Optional[Case]:
        reading = self.session.reading
        is_shown = reading is not None and reading.case.modality == "CXR" and not self.session.study.is_hidden
        return reading.case if is_shown else None

    def _button(self, name: str, text: str) -> Any:
        key = next(key for key, said in XRAY.items() if said == name)
        button = qt.QPushButton(f"{text} ({key})")
        button.checkable = True
        button.connect("clicked()", partial(self._correct, name))
        return button

    def _correct(self, name: str) -> None:
        self.session.correct_xray(name)
        # A button that was clicked toggled itself; the reading alone says what holds.
        self.update()
