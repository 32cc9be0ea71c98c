"""Colours and the few accents of the panel, in light and in dark; everything else is the application's own style."""

from typing import Any, List, Optional, Sequence

import qt

from ..contract import DEFAULT_CLASSES, Classes
from ..palette import hue_of

# (on light, on dark)
TROUBLE = ("#b3261e", "#ff8a80")
PROGRESS = "#2f7dc1"
EMPTY_BOX = "#7a828b"
"""On dark: three times as light as the ground, as WCAG 2.1 (1.4.11) asks of what is to be clicked."""
CARDS = "QFrame#{name} {{ border: 1px solid {line}; border-radius: 6px; background: {paper}; }}"
BAR = (
    "QProgressBar {{ border: none; border-radius: {round}px; background: {groove}; max-height: {height}px; "
    "min-height: {height}px; }} QProgressBar::chunk {{ border-radius: {round}px; background: {colour}; }}"
)


def is_dark(widget: Any) -> bool:
    """Whether a widget stands on a dark ground."""
    return bool(widget.palette.color(qt.QPalette.Window).lightness() < 128)


def colour_of(label: Optional[str], widget: Any, classes: Classes = DEFAULT_CLASSES) -> str:
    """The colour of a label on the ground of a widget, as ``#rrggbb``."""
    hue = hue_of(label, classes)
    return hue.on_dark if is_dark(widget) else hue.on_light


def line_colour(widget: Any) -> str:
    """Thin lines: seen, not noticed."""
    return "#4a4f55" if is_dark(widget) else "#d3d7dc"


def as_card(frame: Any) -> None:
    """A frame that stands out from the panel a little."""
    paper = "#2f3338" if is_dark(frame) else "#fbfcfd"
    frame.setStyleSheet(CARDS.format(name=frame.name, line=line_colour(frame), paper=paper))


def as_bar(bar: Any, colour: str, height: int = 6) -> None:
    """A flat progress bar in one colour."""
    groove = "#45494f" if is_dark(bar) else "#e3e7eb"
    bar.setStyleSheet(BAR.format(round=height // 2, groove=groove, height=height, colour=colour))


def as_primary(button: Any) -> None:
    """The button that the next step hangs on."""
    font = button.font
    font.setBold(True)
    button.setFont(font)


def as_chosen(button: Any, is_chosen: bool) -> None:
    """A button of several, of which one holds: also seen where the application draws pressed buttons faintly."""
    font = button.font
    font.setBold(is_chosen)
    button.setFont(font)


def as_quiet(label: Any, small: bool = True) -> None:
    """Text that is there when it is looked for."""
    colour = "#a9b1ba" if is_dark(label) else "#5b6570"
    label.setStyleSheet(f"color: {colour};")
    if small:
        font = label.font
        font.setPointSizeF(max(font.pointSizeF() * 0.92, 7.0))
        label.setFont(font)


def as_box(check: Any) -> None:
    """A box to check that is seen before it is checked: dark styles draw an empty one nearly as their ground."""
    if is_dark(check):
        palette = check.palette
        palette.setColor(qt.QPalette.Base, qt.QColor(EMPTY_BOX))
        check.setPalette(palette)


def as_title(label: Any, factor: float = 1.0) -> None:
    """A heading inside a section."""
    font = label.font
    font.setBold(True)
    font.setPointSizeF(font.pointSizeF() * factor)
    label.setFont(font)


def pixels_per_point(widget: Any) -> float:
    """How many pixels of its screen stand for one of a widget's own: 2 on many high-resolution screens."""
    # Of `QPaintDevice`, which PythonQt gives a widget as its second base; without it pictures are less sharp, no more.
    ratio = getattr(widget, "devicePixelRatioF", None)
    if ratio is None or not hasattr(qt.QPixmap, "setDevicePixelRatio"):
        return 1.0
    return max(float(ratio()), 1.0)


def fitted(picture: Any, width: int, height: int, widget: Any) -> Any:
    """A pixmap scaled into a rectangle of a widget, as sharp as the widget's screen is."""
    ratio = pixels_per_point(widget)
    wide, high = round(width * ratio), round(height * ratio)
    scaled = picture.scaled(wide, high, qt.Qt.KeepAspectRatio, qt.Qt.SmoothTransformation)
    if ratio > 1.0:
        scaled.setDevicePixelRatio(ratio)
    return scaled


def dot(colour: str, size: int = 12) -> Any:
    """A round spot of colour as an icon, also for a screen of twice the pixels."""
    ratio = 2 if hasattr(qt.QPixmap, "setDevicePixelRatio") else 1
    pixmap = qt.QPixmap(ratio * size, ratio * size)
    if ratio > 1:
        pixmap.setDevicePixelRatio(float(ratio))
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter()
    painter.begin(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    painter.setPen(qt.QPen(qt.Qt.NoPen))
    painter.setBrush(qt.QBrush(qt.QColor(colour)))
    painter.drawEllipse(1, 1, size - 2, size - 2)
    painter.end()
    return qt.QIcon(pixmap)


def grey_picture(rows: Any) -> Any:
    """A pixmap of a uint8 array [row, column], by the one picture format that needs no library."""
    height, width = rows.shape
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(f"P5 {width} {height} 255\n".encode("ascii") + rows.tobytes()), "PGM")
    return pixmap


def colour_picture(picture: Any) -> Any:
    """A pixmap of a uint8 array [row, column, 3]."""
    height, width = picture.shape[:2]
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(f"P6 {width} {height} 255\n".encode("ascii") + picture.tobytes()), "PPM")
    return pixmap


def unbroken(text: str) -> str:
    """A text for a label whose lines never end between a number and its percent sign."""
    return text.replace(" %", "\u00a0%")


class Cells:
    """The cells of a table, made once and written again; rows are first written in their order.

    Args:
        table: ``QTableWidget``.
        alignments: of its columns.
    """

    def __init__(self, table: Any, alignments: Sequence[Any]) -> None:
        self._table, self._alignments = table, alignments
        self._rows: List[List[Any]] = []

    def resize(self, count: int) -> None:
        """Have this many rows."""
        del self._rows[count:]
        self._table.setRowCount(count)

    def write(self, row: int, texts: Sequence[str]) -> None:
        """Write a row; a cell that says this already is left alone."""
        if row == len(self._rows):
            items = [qt.QTableWidgetItem(text) for text in texts]
            for column, item in enumerate(items):
                item.setTextAlignment(self._alignments[column])
                self._table.setItem(row, column, item)
            self._rows.append(items)
            return
        for item, text in zip(self._rows[row], texts):
            if item.text() != text:
                item.setText(text)

    def item(self, row: int, column: int) -> Any:
        """A cell that was written."""
        return self._rows[row][column]


def set_bold(item: Any, is_bold: bool) -> None:
    """Write a cell in bold or not."""
    font = item.font()
    if font.bold() != is_bold:
        font.setBold(is_bold)
        item.setFont(font)


def prepare_table(table: Any) -> None:
    """Row height of a table, and a header that does not change with the selection."""
    # Made, not asked for: PythonQt hands out no QFontMetrics by value.
    metrics = qt.QFontMetrics(table.font)
    vertical, header = table.verticalHeader(), table.horizontalHeader()
    vertical.setVisible(False)
    vertical.setSectionResizeMode(qt.QHeaderView.Fixed)
    vertical.setDefaultSectionSize(metrics.height() + 6)
    vertical.setMinimumSectionSize(metrics.height() + 4)
    # Qt 5.11 and later measure with horizontalAdvance.
    header.setMinimumSectionSize(metrics.horizontalAdvance("00"))
    header.setHighlightSections(False)


def set_height(table: Any, rows: int) -> None:
    """Let a prepared table be as high as its header and so many rows: no row is seen in half."""
    # The header is a row of text, too; the rest is the frame.
    height = table.verticalHeader().defaultSectionSize * (rows + 1) + 2 * table.frameWidth
    if table.minimumHeight != height:
        table.setFixedHeight(height)
