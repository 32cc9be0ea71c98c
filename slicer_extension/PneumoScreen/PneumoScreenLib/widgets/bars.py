"""Probabilities as bars, one a row: name, bar, percentage."""

from typing import Any, Dict, Mapping

import qt

from ..wording import display_name, percent, short_name
from . import style

STEPS = 1000


class Bars:
    """The bars of a frame.

    Args:
        frame: empty widget that they fill.
        colours: colour of each bar by the label that it stands for, in their order.
        tips: tooltip of a bar by its label, where it has one.
    """

    def __init__(self, frame: Any, colours: Mapping[str, str], tips: Mapping[str, str]) -> None:
        self._bars: Dict[str, Any] = {}
        self._values: Dict[str, Any] = {}
        grid = qt.QGridLayout(frame)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for row, (name, colour) in enumerate(colours.items()):
            title, bar, value = qt.QLabel(short_name(name)), qt.QProgressBar(), qt.QLabel("")
            bar.maximum, bar.textVisible = STEPS, False
            bar.toolTip = tips.get(name, "")
            bar.accessibleName = title.toolTip = display_name(name)
            value.alignment = qt.Qt.AlignRight | qt.Qt.AlignVCenter
            for column, widget in enumerate((title, bar, value)):
                grid.addWidget(widget, row, column)
            style.as_bar(bar, colour, 8)
            self._bars[name], self._values[name] = bar, value

    def show(self, probabilities: Mapping[str, float]) -> None:
        """Draw probabilities; a label that has none is at 0."""
        for name, bar in self._bars.items():
            value = probabilities.get(name, 0.0)
            bar.value = round(STEPS * value)
            self._values[name].text = percent(value)
