"""A chest X-ray: lung boxes, class probabilities, the affected side and what spoke for the verdict.

Shown where the server offers ``cxr_screening`` or the open case is an X-ray.
"""

from typing import Any, Dict, Optional

import qt

from ..contract import CXR_CLASSES, CXR_LOCATIONS, Case
from ..wording import display_name, percent
from . import style
from .bars import Bars

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
        ui.xrayClassCombo.addItems(["no correction", *map(display_name, CXR_CLASSES)])
        ui.xraySideCombo.addItems(["no correction", *(name.capitalize() for name in CXR_LOCATIONS)])
        ui.xrayClassCombo.connect("activated(int)", self._correct)
        ui.xraySideCombo.connect("activated(int)", self._correct)
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
        choices = (ui.xrayClassComboTitle, ui.xrayClassCombo, ui.xraySideComboTitle, ui.xraySideCombo)
        for widget in (ui.xrayVerdictLabel, ui.xrayFrame, *choices):
            widget.visible = case is not None
        if case is None or case.cxr is None:
            ui.xrayVerdictLabel.text = ""
            ui.xrayLocationLabel.text = "No X-ray is open."
            ui.xrayPicture.visible = ui.xrayHeatCheck.visible = False
            return
        findings = case.cxr
        best = _likeliest(findings.probabilities)
        ui.xrayVerdictLabel.text = f"{display_name(best)}  {percent(findings.probabilities[best])}"
        self._bars.show(findings.probabilities)
        sides = ", ".join(f"{side} {percent(value)}" for side, value in sorted(findings.sides.items()))
        ui.xrayLocationLabel.text = f"Location: {findings.location}" + (f" ({sides})" if sides else "")
        ui.xrayHeatCheck.visible = self.session.view.has_heat
        picture = self.session.view.xray_picture(findings.boxes)
        ui.xrayPicture.visible = picture is not None
        if picture is not None:
            # The section's width: the label has none of its own before the first picture.
            scaled = style.colour_picture(picture).scaled(
                max(ui.xraySection.width - MARGINS, LEAST_WIDTH),
                HIGHEST,
                qt.Qt.KeepAspectRatio,
                qt.Qt.SmoothTransformation,
            )
            ui.xrayPicture.setPixmap(scaled)
        said = findings.reader or {}
        ui.xrayClassCombo.currentIndex = CXR_CLASSES.index(said["label"]) + 1 if said.get("label") in CXR_CLASSES else 0
        side = said.get("location")
        ui.xraySideCombo.currentIndex = CXR_LOCATIONS.index(side) + 1 if side in CXR_LOCATIONS else 0

    def _switch_heat(self, is_on: bool) -> None:
        self.session.view.set_heat_visible(is_on)
        self.update()

    def _case(self) -> Optional[Case]:
        reading = self.session.reading
        return reading.case if reading is not None and reading.case.modality == "CXR" else None

    def _correct(self) -> None:
        label, side = self.ui.xrayClassCombo.currentIndex, self.ui.xraySideCombo.currentIndex
        case = self._case()
        if case is not None and case.cxr is not None and (label > 0 or side > 0):
            # Half a correction leaves the other half as the networks said.
            self.session.reading.mark_xray(
                CXR_CLASSES[label - 1] if label > 0 else _likeliest(case.cxr.probabilities),
                CXR_LOCATIONS[side - 1] if side > 0 else case.cxr.location,
            )


def _likeliest(probabilities: Dict[str, float]) -> str:
    return max(probabilities, key=lambda name: probabilities[name])
