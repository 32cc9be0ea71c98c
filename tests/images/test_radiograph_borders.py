"""Borders around a picture are found, and nothing else is taken for one."""

import io

import numpy as np
import pytest
from PIL import Image
from tests.images.radiographs import HEIGHT, WIDTH, make_radiograph

from pneumoscreen.images.radiograph_borders import content_box


def picture():
    return make_radiograph(255).astype(np.float32)


def framed(inner, top, bottom, left, right, grey):
    return np.pad(inner, ((top, bottom), (left, right)), constant_values=grey)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_border_of_one_grey_is_left_out(grey):
    box = content_box(framed(picture(), 7, 0, 20, 31, grey))
    assert box == (20, 7, WIDTH, HEIGHT)


def test_a_picture_without_border_is_whole():
    assert content_box(picture()) == (0, 0, WIDTH, HEIGHT)


def test_borders_inside_each_other(tmp_path):
    inner = framed(picture(), 10, 10, 10, 10, 0)
    assert content_box(framed(inner, 5, 6, 7, 8, 255)) == (17, 15, WIDTH, HEIGHT)


def test_the_noise_of_jpeg_is_borne():
    whole = framed(picture(), 40, 40, 40, 40, 0).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(whole).save(file, "JPEG", quality=60)
    x, y, width, height = content_box(np.asarray(Image.open(file)).astype(np.float32))
    # JPEG's blocks of 8 pixels smear the edge; nothing of the picture itself may be lost.
    assert 32 <= x <= 40 and 32 <= y <= 40
    assert 40 + WIDTH <= x + width <= 48 + WIDTH and 40 + HEIGHT <= y + height <= 48 + HEIGHT


def test_letters_in_a_border_stay():
    whole = framed(picture(), 40, 0, 0, 0, 0)
    whole[20:28, 100:106] = 255
    assert content_box(whole) == (0, 20, WIDTH, HEIGHT + 20)


def test_a_slow_change_is_no_border():
    ramp = np.tile(np.linspace(0, 255, 200, dtype=np.float32)[:, None], (1, 100))
    x, y, width, height = content_box(ramp)
    assert (x, width) == (0, 100)
    assert y <= 8 and height >= 184, "at most the tolerance of a level at either end"


def test_even_values_keep_the_whole_picture():
    assert content_box(np.zeros((70, 80), np.float32)) == (0, 0, 80, 70)


def test_a_small_picture_in_a_large_border():
    whole = framed(picture(), 2000, 1000, 2000, 1000, 0)
    assert content_box(whole) == (2000, 2000, WIDTH, HEIGHT)
