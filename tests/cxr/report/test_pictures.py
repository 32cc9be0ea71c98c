"""Pictures of a screened radiograph."""

import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pneumoscreen.case import placed
from pneumoscreen.cxr.report.pictures import (
    FRAME_UNITS,
    HEAT_STOPS,
    LEAST_ATTENTION_SPAN,
    LONG_SIDE_PIXELS,
    PATCH_PIXELS,
    attention_range,
    cxr_frame,
    draw,
    heat,
    heat_gradient,
    outlines,
)


def opened(uri: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(uri.split(",")[1])))


def colours(uri: str) -> np.ndarray:
    """RGBA [y, x, 4] as a browser would draw it."""
    return np.asarray(opened(uri).convert("RGBA")).astype(float)


@pytest.fixture(scope="module")
def pictures(radiograph, cxr_screening):
    return draw(radiograph, cxr_screening)


def test_the_left_lung_lies_on_the_right_of_the_picture(pictures):
    right, left = pictures.boxes
    assert (right.side, left.side) == ("right", "left")
    assert left.x > right.x + right.width
    assert left.y > right.y
    assert left.height < right.height


def test_a_box_covers_its_pixels(pictures):
    unit = FRAME_UNITS / 300
    right = pictures.boxes[0]
    edges = (right.x, right.y, right.x + right.width, right.y + right.height)
    assert edges == pytest.approx((30 * unit, 20 * unit, 130 * unit, 220 * unit))


def test_the_radiograph_is_not_mirrored(pictures):
    shown = colours(pictures.radiograph)[..., 0]
    assert shown.shape == (240, 300)
    assert shown[:, :30].mean() < 20
    assert shown[:, -30:].mean() > 235


def test_gradcam_is_hot_where_the_array_is_hot(pictures):
    shown = colours(pictures.gradcam)
    height, width = shown.shape[:2]
    hot = shown[height * 160 // 240, width * 220 // 300]
    assert hot == pytest.approx([*HEAT_STOPS[-1][1], 255 * HEAT_STOPS[-1][2]], abs=2)
    cold = shown[: height * 120 // 240]
    assert cold[..., 3].max() == 0
    assert shown[:, : width // 2, 3].max() == 0


def test_heat_grows_lighter_and_more_opaque_with_the_value():
    ramp = colours(heat(np.linspace(0, 1, 256, dtype=np.float32)[None], (256, 1)))[0]
    lightness = ramp[:, :3] @ (0.2126, 0.7152, 0.0722)
    assert np.all(np.diff(lightness) > -1.0)
    assert lightness[-1] - lightness[0] > 150
    assert np.all(np.diff(ramp[:, 3]) >= 0)
    assert heat_gradient().startswith("linear-gradient(to right, rgb(66 10 104 / 0.0) 0%")


def test_outlines_lie_between_superpixels_only(pictures):
    shown = colours(pictures.superpixels)
    height, width = shown.shape[:2]
    assert max(height, width) == LONG_SIDE_PIXELS
    bright = shown[..., 1] > 200
    middle = np.flatnonzero(bright[height // 2])
    at = [30, 150, 250]
    assert middle.size == 2 * len(at)
    assert middle[::2] / width * 300 == pytest.approx(at, abs=1)
    assert shown[0, :, 3].max() == 0
    beside = shown[height // 2, middle[0] - 1]
    assert 0 < beside[3] < 128  # a dark halo
    assert beside[:3].max() < 20


def test_thousands_of_labels_are_told_apart():
    labels = np.arange(300 * 256, dtype=np.int32).reshape(300, 256) // 256
    assert np.count_nonzero(colours(outlines(labels, (256, 300)))[..., 3]) == 300 * 256


def test_patches_lie_as_in_the_picture(pictures):
    right, left = pictures.patches
    assert (right.side, left.side) == ("right", "left")
    shown = colours(left.picture)[..., 0]
    assert shown.shape == PATCH_PIXELS[::-1]
    assert shown[:, 2].mean() == pytest.approx(255 * 172 / 299, abs=4)
    assert shown[:, -2].mean() == pytest.approx(255 * 248 / 299, abs=4)


def test_attention_is_coloured_between_the_values_that_occur(pictures):
    assert pictures.attention_range == (0.25, 0.75)
    right, left = (colours(patch.mask)[..., 3] for patch in pictures.patches)
    assert left[:90].max() == 0
    assert left[100:].min() > 170
    assert right[:30].min() > 170


def test_an_even_attention_is_not_blown_up(cxr_screening):
    even = np.full((128, 64), 0.5, np.float32)
    low, high = attention_range(replace(cxr_screening, attention={"left": even, "right": even + 1e-4}))
    assert (low, high) == pytest.approx((0.5, 0.5 + LEAST_ATTENTION_SPAN))


def test_nothing_is_drawn_of_what_is_not_there(radiograph, cxr_screening):
    bare = replace(cxr_screening, attention={}, superpixels=np.zeros((0, 0), np.int32))
    pictures = draw(radiograph, bare)
    assert pictures.superpixels is None
    assert pictures.patches == ()


def test_boxes_beyond_the_picture_are_cut_off(radiograph, cxr_screening):
    case = cxr_screening.case
    boxes = {"left": (290.0, -20.0, 80.0, 400.0), "right": (-90.0, 20.0, 50.0, 200.0)}
    outside = replace(cxr_screening, case=replace(case, cxr=replace(case.cxr, lung_boxes=placed(boxes))))
    assert [patch.side for patch in draw(radiograph, outside).patches] == ["left"]


def test_no_picture_is_wider_than_the_page_needs(radiograph, cxr_screening):
    large = replace(radiograph, pixels=np.repeat(radiograph.pixels, 8, axis=1))
    wide = replace(
        cxr_screening,
        gradcam=np.repeat(cxr_screening.gradcam, 8, axis=1),
        superpixels=np.repeat(cxr_screening.superpixels, 8, axis=1),
    )
    pictures = draw(large, wide)
    for uri in (pictures.radiograph, pictures.gradcam, pictures.superpixels):
        picture = opened(uri)
        assert picture.width <= LONG_SIDE_PIXELS
        assert picture.width / picture.height == pytest.approx(10, rel=0.02)


def test_a_spacing_that_differs_by_axis_keeps_the_shape_of_the_chest(radiograph):
    frame = cxr_frame(replace(radiograph, spacing_mm=(0.1, 0.2)))
    assert frame.height_mm / frame.width_mm == pytest.approx(240 * 0.2 / (300 * 0.1))
    assert max(frame.width_mm, frame.height_mm) == pytest.approx(FRAME_UNITS)


@pytest.mark.parametrize("name", ["gradcam", "superpixels"])
def test_arrays_of_another_grid_are_refused(radiograph, cxr_screening, name):
    other = replace(cxr_screening, **{name: getattr(cxr_screening, name)[1:]})
    with pytest.raises(ValueError, match="grid of the radiograph"):
        draw(radiograph, other)
