"""Pictures on the panel are as sharp as the screen."""

from typing import Any

import numpy as np
import pytest
from tests.slicer_extension.doubles.pythonqt_adapter import install


class Screen:
    """A widget on a screen of twice the pixels."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget

    def __getattr__(self, name: str) -> Any:
        return getattr(self._widget, name)

    def devicePixelRatioF(self) -> float:
        return 2.0


@pytest.fixture
def label() -> Any:
    install()
    import qt

    return qt.QLabel()


def test_a_picture_has_the_pixels_of_its_screen(label: Any) -> None:
    from PneumoScreenLib.widgets import style

    picture = style.grey_picture(np.zeros((60, 60), np.uint8))
    usual, sharp = style.fitted(picture, 100, 80, label), style.fitted(picture, 100, 80, Screen(label))
    assert (usual.width(), usual.height(), usual.devicePixelRatio()) == (80, 80, 1.0)
    assert (sharp.width(), sharp.height(), sharp.devicePixelRatio()) == (160, 160, 2.0)


def test_the_curve_is_drawn_for_its_screen(label: Any) -> None:
    from PneumoScreenLib.training.curve import curve_picture

    picture = curve_picture([(1.0, 0.5), (2.0, 0.7)], (200, 90), Screen(label))
    assert (picture.width(), picture.height(), picture.devicePixelRatio()) == (400, 180, 2.0)
    image = picture.toImage()
    columns = [x for x in range(400) if any(image.pixelColor(x, y).alpha() for y in range(180))]
    assert max(columns) > 300, "the drawing fills it"


def luminance(colour: Any) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.getRgbF()[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_an_empty_box_is_seen_on_a_dark_ground_and_left_alone_on_a_light_one() -> None:
    from tests.slicer_extension.pictures import DARK, LIGHT

    install()
    import qt

    from PneumoScreenLib.widgets import style

    for colours, is_dark in ((DARK, True), (LIGHT, False)):
        check, palette = qt.QCheckBox("box"), qt.QPalette()
        for name, colour in colours.items():
            palette.setColor(getattr(qt.QPalette, name), qt.QColor(colour))
        check.setPalette(palette)
        before = check.palette.color(qt.QPalette.Base).name()
        style.as_box(check)
        box, ground = (luminance(check.palette.color(role)) for role in (qt.QPalette.Base, qt.QPalette.Window))
        tick = luminance(check.palette.color(qt.QPalette.Text))
        if is_dark:
            assert (box + 0.05) / (ground + 0.05) >= 3.0 and (tick + 0.05) / (box + 0.05) >= 3.0
        else:
            assert check.palette.color(qt.QPalette.Base).name() == before
