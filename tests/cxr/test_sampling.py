"""Cutting and pasting: the same part of the picture, the right way round, whatever lies beyond its edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pneumoscreen.case import Vector
from pneumoscreen.cxr.sampling import cut, enclosing, paste

WIDTH, HEIGHT = 40, 30


def picture() -> np.ndarray:
    """float32 [30, 40] without any symmetry."""
    return np.random.default_rng(5).random((HEIGHT, WIDTH), dtype=np.float32)


@st.composite
def inner_boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Whole pixels inside the picture."""
    x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return x, y, draw(st.integers(1, WIDTH - x)), draw(st.integers(1, HEIGHT - y))


@given(inner_boxes())
@settings(max_examples=40, deadline=None)
def test_a_part_of_its_own_size_is_that_part(box: tuple[int, int, int, int]) -> None:
    x, y, w, h = box
    part = cut(picture(), tuple(map(float, box)), (w, h))
    np.testing.assert_allclose(part, picture()[y : y + h, x : x + w], atol=1e-6)


@given(inner_boxes(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_paste_puts_a_cut_part_back(box: tuple[int, int, int, int], nearest: bool) -> None:
    x, y, w, h = box
    place = tuple(map(float, box))
    back = paste(cut(picture(), place, (w, h)), place, (HEIGHT, WIDTH), nearest)
    expected = np.zeros((HEIGHT, WIDTH), np.float32)
    expected[y : y + h, x : x + w] = picture()[y : y + h, x : x + w]
    np.testing.assert_allclose(back, expected, atol=1e-6)


def test_a_smooth_part_comes_back_from_another_size() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    slope = (x / WIDTH * 0.7 + y / HEIGHT * 0.3).astype(np.float32)
    box = (4.0, 6.0, 30.0, 20.0)
    back = paste(cut(slope, box, (60, 40)), box, (HEIGHT, WIDTH))
    np.testing.assert_allclose(back[7:25, 5:33], slope[7:25, 5:33], atol=0.01)
    outside = np.ones((HEIGHT, WIDTH), dtype=bool)
    outside[6:26, 4:34] = False
    assert (back[outside] == 0.0).all()


def test_width_comes_before_height_and_nothing_is_turned() -> None:
    pixels = np.zeros((HEIGHT, WIDTH), np.float32)
    pixels[:10, 30:] = 1.0  # the upper right corner
    part = cut(pixels, (0.0, 0.0, float(WIDTH), float(HEIGHT)), (20, 60))
    assert part.shape == (60, 20)
    assert part[:15, 17:].min() > 0.9
    assert part[30:].max() == part[:, :10].max() == 0.0


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-10.0, -5.0, 30.0, 20.0), (0, 0, 20, 15)),
        ((30.0, 20.0, 50.0, 50.0), (30, 20, 10, 10)),
        ((-5.0, -5.0, 100.0, 100.0), (0, 0, WIDTH, HEIGHT)),
        ((70.0, 80.0, 5.0, 5.0), (WIDTH - 1, HEIGHT - 1, 1, 1)),
        ((-50.0, -50.0, 5.0, 5.0), (0, 0, 1, 1)),
    ],
)
def test_what_lies_beyond_the_edge_is_cut_off(box: Vector, inside: tuple[int, int, int, int]) -> None:
    x, y, w, h = inside
    expected = picture()[y : y + h, x : x + w]
    np.testing.assert_allclose(cut(picture(), box, (w, h)), expected, atol=1e-6)
    back = paste(expected, box, (HEIGHT, WIDTH))
    assert np.count_nonzero(back) == np.count_nonzero(expected)
    np.testing.assert_allclose(back[y : y + h, x : x + w], expected, atol=1e-6)


def test_cubic_overshoot_stays_between_0_and_1() -> None:
    edge = np.zeros((HEIGHT, WIDTH), np.float32)
    edge[:, 20:] = 1.0
    part = cut(edge, (0.0, 0.0, float(WIDTH), float(HEIGHT)), (97, 71))
    assert (part.min(), part.max()) == (0.0, 1.0)


def test_a_larger_copy_gives_the_same_part() -> None:
    large = np.kron(picture(), np.ones((4, 4), np.float32))
    small = cut(picture(), (4.0, 3.0, 24.0, 20.0), (12, 10))
    np.testing.assert_allclose(cut(large, (16.0, 12.0, 96.0, 80.0), (12, 10)), small, atol=0.06)


def test_nearest_pasting_invents_no_values() -> None:
    labels = np.array([[1, 7], [3, 9]], np.float32)
    found = paste(labels, (5.0, 4.0, 11.0, 9.0), (HEIGHT, WIDTH), nearest=True)
    assert set(np.unique(found)) == {0.0, 1.0, 3.0, 7.0, 9.0}
    assert (found[4, 5], found[4, 15], found[12, 5], found[12, 15]) == (1.0, 7.0, 3.0, 9.0)


BOX = st.tuples(*[st.floats(-50, 50)] * 2, *[st.floats(0.5, 60)] * 2)


@given(st.lists(BOX, min_size=1, max_size=4))
def test_the_enclosing_box_is_the_smallest_that_holds_all(boxes: list[Vector]) -> None:
    x, y, w, h = enclosing(boxes)
    for number, low, size in ((0, x, w), (1, y, h)):
        assert low == min(box[number] for box in boxes)
        assert low + size == pytest.approx(max(box[number] + box[number + 2] for box in boxes))


def test_where_parts_overlap_the_larger_value_stays() -> None:
    low, high = np.full((4, 4), 0.25, np.float32), np.full((4, 4), 0.75, np.float32)
    for first, second in ((low, high), (high, low)):
        whole = paste(first, (2.0, 2.0, 8.0, 8.0), (20, 20))
        assert paste(second, (6.0, 6.0, 8.0, 8.0), (20, 20), over=whole) is whole
        assert whole[8, 8] == 0.75
        assert whole[3, 3] == first[0, 0]
        assert whole[12, 12] == second[0, 0]
        assert not whole[15:].any()


@pytest.mark.parametrize("box", [(3.3, 5.1, 20.7, 17.2), (-4.0, 30.0, 30.0, 60.0), (40.5, 1.0, 6.0, 9.0)])
@pytest.mark.parametrize("size", [(9, 7), (64, 96)])
def test_a_part_is_what_pillow_makes_of_the_whole_picture(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(4).random((70, 60), dtype=np.float32)
    x0, y0 = max(box[0], 0.0), max(box[1], 0.0)
    corners = (x0, y0, min(box[0] + box[2], 60.0), min(box[1] + box[3], 70.0))
    whole = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box=corners)
    np.testing.assert_allclose(cut(pixels, box, size), np.clip(np.asarray(whole), 0.0, 1.0), atol=1e-5)
