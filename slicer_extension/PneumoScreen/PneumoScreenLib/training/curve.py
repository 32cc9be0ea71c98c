"""A small line chart: how a training's figure went over the epochs, with the version in use as a thin line."""

from typing import Any, Optional, Sequence, Tuple

import qt

from ..translation import _
from ..widgets import style

MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 38, 8, 8, 20
CENTRE = qt.Qt.AlignVCenter


def curve_picture(
    points: Sequence[Tuple[float, float]],
    size: Tuple[int, int],
    widget: Any,
    in_use: Optional[float] = None,
    name: str = "",
) -> Any:
    """Draw a curve.

    Args:
        points: (epoch, value), in order of the epochs.
        size: width and height, as widgets count them.
        widget: on whose ground it stands.
        in_use: value of the version in use, as a line to compare with.
        name: of the figure.

    Returns:
        A ``QPixmap``.
    """
    width, height = size
    ratio = style.pixels_per_point(widget)
    pixmap = qt.QPixmap(round(width * ratio), round(height * ratio))
    if ratio > 1.0:
        pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter()
    painter.begin(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    font = widget.font
    font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
    painter.setFont(font)
    values = [value for _epoch, value in points] + ([in_use] if in_use is not None else [])
    low, high = _bounds(values)
    first, last = (points[0][0], max(points[-1][0], points[0][0] + 1)) if points else (0, 1)

    def place(epoch: float, value: float) -> Tuple[float, float]:
        x = MARGIN_LEFT + (epoch - first) / (last - first) * (width - MARGIN_LEFT - MARGIN_RIGHT)
        y = height - MARGIN_BOTTOM - (value - low) / (high - low) * (height - MARGIN_TOP - MARGIN_BOTTOM)
        return x, y

    quiet = qt.QColor("#a9b1ba" if style.is_dark(widget) else "#5b6570")
    for value in (low, (low + high) / 2, high):
        y = place(first, value)[1]
        painter.setPen(qt.QPen(qt.QColor(style.line_colour(widget))))
        painter.drawLine(qt.QPointF(MARGIN_LEFT, y), qt.QPointF(width - MARGIN_RIGHT, y))
        painter.setPen(qt.QPen(quiet))
        painter.drawText(qt.QRectF(0, y - 8, MARGIN_LEFT - 6, 16), CENTRE | qt.Qt.AlignRight, f"{value:.2f}")
    below = qt.QRectF(MARGIN_LEFT, height - 16, width - MARGIN_LEFT - MARGIN_RIGHT, 16)
    painter.drawText(below, CENTRE | qt.Qt.AlignLeft, name)
    painter.drawText(
        below, CENTRE | qt.Qt.AlignRight, _("epoch {number:g}").format(number=points[-1][0]) if points else _("epoch")
    )
    if in_use is not None:
        pen = qt.QPen(quiet)
        pen.setStyle(qt.Qt.DashLine)
        painter.setPen(pen)
        painter.drawLine(qt.QPointF(*place(first, in_use)), qt.QPointF(*place(last, in_use)))
    _draw_line(painter, [place(*point) for point in points], style.colour_of("influenza_a", widget))
    painter.end()
    return pixmap


def _draw_line(painter: Any, places: Sequence[Tuple[float, float]], colour: str) -> None:
    pen = qt.QPen(qt.QColor(colour))
    pen.setWidthF(2.0)
    painter.setPen(pen)
    for before, after in zip(places, places[1:]):
        painter.drawLine(qt.QPointF(*before), qt.QPointF(*after))
    if places:
        painter.setBrush(qt.QBrush(qt.QColor(colour)))
        painter.drawEllipse(qt.QPointF(*places[-1]), 3.0, 3.0)


def _bounds(values: Sequence[float]) -> Tuple[float, float]:
    """Lowest and highest value of the axis, with some air, never equal."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = max((high - low) * 0.1, 0.02)
    return low - air, high + air
