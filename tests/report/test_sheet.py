"""The sheet of a case: its picture with the boxes, and its pages, which hold all that is said."""

import re
from dataclasses import replace

import numpy as np
import pytest

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.case import Case, ImageInfo, Region
from pneumoscreen.cxr.report.pictures import heat
from pneumoscreen.report.drawing import Drawing, DrawnBox
from pneumoscreen.report.pictures import data_uri
from pneumoscreen.report.sheet import overview, pages_of, pdf
from pneumoscreen.verdict import DEFAULT_CLASSES

PICTURE = data_uri(np.full((50, 60), 90, np.uint8), (60, 50))
DRAWING = Drawing("From the front", PICTURE, 60.0, 50.0, ("L", "F"), (DrawnBox("r1", "type-0", 5.0, 5.0, 20.0, 20.0),))


def case_of(regions: int, notes: tuple[str, ...] = ()) -> Case:
    region = Region("r1", "model", (0.0, 0.0, 0.0), (10.0, 10.0, 10.0), 0.9, "left", (), "covid19", 0.8)
    return Case(
        "case",
        "CT",
        ImageInfo((60, 50, 40), (1.0, 1.0, 1.0), "a" * 64),
        regions=tuple(replace(region, id=f"r{number}") for number in range(1, regions + 1)),
        notes=notes,
    ).with_verdict()


def test_it_is_the_same_each_time() -> None:
    first, second = (pdf(case_of(3), DRAWING, DEFAULT_CLASSES, "1.2.3") for _ in range(2))
    assert first == second and first.startswith(b"%PDF-") and b"CreationDate" not in first


@pytest.mark.parametrize(
    ("regions", "notes", "count"), [(0, 0, 1), (12, 2, 1), (80, 0, 3), (0, 30, 2), (40, 30, 3), (300, 200, 11)]
)
def test_all_of_it_stands_on_its_pages_and_nothing_on_the_picture(regions: int, notes: int, count: int) -> None:
    case = case_of(regions, tuple(f"note {number}" for number in range(notes)))
    pages = pages_of(case, DRAWING, DEFAULT_CLASSES, "1.2.3")
    assert len(pages) == count
    (axes,) = pages[0].axes
    picture = axes.get_position()
    said = []
    for page in pages:
        texts = [(text.get_text(), *text.get_position()) for text in page.texts]
        assert len({text[1:] for text in texts}) == len(texts)
        assert all(0.02 < y < 0.97 and 0.0 < x < 0.95 for _, x, y in texts)
        if page is pages[0]:
            assert not [text for text, _, y in texts if picture.y0 - 0.01 < y < picture.y1]
        assert RESEARCH_USE_ONLY in [text for text, _, _ in texts]
        said += [text for text, _, _ in texts]
    for number in range(1, regions + 1):
        assert said.count(f"r{number}") == 1
    for number in range(notes):
        assert said.count(f"note {number}") == 1
    assert len(re.findall(rb"/Type /Page\b", pdf(case, DRAWING, DEFAULT_CLASSES, "1.2.3"))) == count


@pytest.mark.parametrize(("towards", "letters"), [("L", "RL"), ("R", "LR")])
def test_the_sides_of_the_patient_are_lettered(towards: str, letters: str) -> None:
    (page,) = pages_of(case_of(0), replace(DRAWING, orientation=(towards, "F")), DEFAULT_CLASSES, "1.2.3")
    (axes,) = page.axes
    found = {text.get_text(): text.get_position()[0] for text in axes.texts if text.get_text() in ("L", "R")}
    assert "".join(sorted(found, key=lambda letter: found[letter])) == letters


def test_the_overview_shows_picture_and_box() -> None:
    pixels = overview(case_of(1), DRAWING)
    assert pixels.shape == (900, 900, 3) and pixels.dtype == np.uint8
    # The picture is grey, the ground black; the box has the colour of COVID-19 on dark.
    rows, columns = np.nonzero(np.abs(pixels.astype(int) - (0xFF, 0x9A, 0x5C)).sum(axis=-1) < 60)
    scale = 0.96 * 900 / 60.0
    left, top = 0.02 * 900, 900 * (1 - 0.02 - 0.44) - 25 * scale
    assert columns.min() == pytest.approx(left + 5 * scale, abs=12)
    assert columns.max() == pytest.approx(left + 25 * scale, abs=12)
    assert rows.max() == pytest.approx(top + 25 * scale, abs=12)


def test_what_lies_over_a_picture_is_drawn_in_its_colours_where_it_is_warm() -> None:
    values = np.zeros((50, 60), np.float32)
    values[30:40, 40:50] = 1.0
    pixels = overview(case_of(0), replace(DRAWING, boxes=(), overlay=heat(values, (60, 50)))).astype(int)
    scale, left = 0.96 * 900 / 60.0, 0.02 * 900
    top = 900 * (1 - 0.02 - 0.44) - 25 * scale
    warm = pixels[round(top + 35 * scale), round(left + 45 * scale)]
    cold = pixels[round(top + 35 * scale), round(left + 20 * scale)]
    assert warm[0] - warm[2] > 60, "warm: more red than blue"
    assert np.ptp(cold) == 0 and abs(cold[0] - 90) <= 2, "the picture alone"


def test_a_text_is_read_on_a_bright_picture_as_well() -> None:
    bright = data_uri(np.full((50, 60), 250, np.uint8), (60, 50))
    pixels = overview(case_of(1), replace(DRAWING, picture=bright)).astype(int)
    scale, left = 0.96 * 900 / 60.0, 0.02 * 900
    top = 900 * (1 - 0.02 - 0.44) - 25 * scale
    above = pixels[
        round(top + 3.5 * scale) : round(top + 5 * scale) - 3, round(left + 5 * scale) : round(left + 8 * scale)
    ]
    assert above.min() < 60, "its outline is dark"
