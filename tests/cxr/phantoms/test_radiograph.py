"""Radiograph phantoms: their truth agrees with the picture, and nothing but the infection tells the class."""

from dataclasses import replace

import numpy as np
import pytest

from pneumoscreen.case import CXR_CLASSES, CXR_LOCATIONS, SIDES
from pneumoscreen.cxr.phantoms.opacities import draw_sides
from pneumoscreen.cxr.phantoms.radiograph import (
    VISIBLE_SHARE,
    RadiographPhantom,
    RadiographSpec,
    box_of,
    generate_radiograph,
)
from pneumoscreen.cxr.phantoms.upright import UprightChest

SPEC = RadiographSpec(size=192)
SEEDS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def phantoms() -> dict[tuple[int, str], RadiographPhantom]:
    return {(seed, label): generate_radiograph(seed, label, SPEC) for seed in SEEDS for label in CXR_CLASSES}


def test_same_seed_same_phantom(phantoms: dict[tuple[int, str], RadiographPhantom]) -> None:
    first, again = phantoms[1, "cap"], generate_radiograph(1, "cap", SPEC)
    np.testing.assert_array_equal(first.radiograph.pixels, again.radiograph.pixels)
    np.testing.assert_array_equal(first.lesions, again.lesions)
    assert first.radiograph.sha256 == again.radiograph.sha256
    assert not np.array_equal(first.radiograph.pixels, phantoms[2, "cap"].radiograph.pixels)


def test_form(phantoms: dict[tuple[int, str], RadiographPhantom]) -> None:
    for phantom in phantoms.values():
        pixels = phantom.radiograph.pixels
        assert pixels.dtype == np.float32
        assert max(pixels.shape) == SPEC.size
        assert pixels.min() >= 0.0 and pixels.max() <= 1.0
        assert phantom.lungs.shape == phantom.lesions.shape == pixels.shape
        x, y, w, h = phantom.radiograph.content
        assert x >= 0 and y >= 0 and x + w <= pixels.shape[1] and y + h <= pixels.shape[0]
        assert phantom.location in CXR_LOCATIONS


def test_boxes_hold_exactly_the_lungs_and_left_is_at_larger_x(
    phantoms: dict[tuple[int, str], RadiographPhantom],
) -> None:
    for phantom in phantoms.values():
        for side, value in (("left", 1), ("right", 2)):
            x, y, w, h = phantom.lung_boxes[side]
            inside = np.zeros(phantom.lungs.shape, bool)
            inside[y : y + h, x : x + w] = True
            own = phantom.lungs == value
            assert own.any()
            assert not (own & ~inside).any()
            for edge in (own[y], own[y + h - 1], own[:, x], own[:, x + w - 1]):
                assert edge.any()
        left, right = phantom.lung_boxes["left"], phantom.lung_boxes["right"]
        assert left[0] + left[2] / 2 > right[0] + right[2] / 2


def test_box_of_one_pixel() -> None:
    mask = np.zeros((4, 5), bool)
    mask[2, 3] = True
    assert box_of(mask) == (3, 2, 1, 1)


def test_infection_lies_in_the_lungs_that_are_named(phantoms: dict[tuple[int, str], RadiographPhantom]) -> None:
    for (_, label), phantom in phantoms.items():
        assert any(phantom.sides.values()) == (label != "healthy") == phantom.lesions.any()
        for side, value in (("left", 1), ("right", 2)):
            own = phantom.lungs == value
            share = (phantom.lesions & own).sum() / own.sum()
            assert share >= 0.9 * VISIBLE_SHARE if phantom.sides[side] else share == 0.0
            x, y, w, h = phantom.lung_boxes[side]
            assert phantom.lesions[y : y + h, x : x + w].any() or not phantom.sides[side]


def test_infection_brightens_the_picture_and_nothing_else_changes(
    phantoms: dict[tuple[int, str], RadiographPhantom],
) -> None:
    for seed in SEEDS:
        healthy = phantoms[seed, "healthy"]
        for label in ("covid19", "cap"):
            ill = phantoms[seed, label]
            np.testing.assert_array_equal(ill.lungs, healthy.lungs)
            assert ill.lung_boxes == healthy.lung_boxes
            gain = ill.radiograph.pixels - healthy.radiograph.pixels
            assert gain[ill.lesions].mean() > 0.01
            # Local contrast and scatter reach a little beyond the lungs.
            assert np.abs(gain[ill.lungs == 0]).mean() < 0.35 * gain[ill.lesions].mean()


def test_nuisances_do_not_know_the_class(phantoms: dict[tuple[int, str], RadiographPhantom]) -> None:
    """Frame, border, spacing and burnt-in letters of one seed are the same in every class."""
    for seed in SEEDS:
        forms = [replace(phantoms[seed, label].radiograph, pixels=None, sha256="") for label in CXR_CLASSES]
        assert forms[0] == forms[1] == forms[2]
        borders = []
        for label in CXR_CLASSES:
            radiograph = phantoms[seed, label].radiograph
            x, y, w, h = radiograph.content
            outside = np.ones(radiograph.pixels.shape, bool)
            outside[y : y + h, x : x + w] = False
            borders.append(radiograph.pixels[outside])
        np.testing.assert_array_equal(borders[0], borders[1])
        np.testing.assert_array_equal(borders[0], borders[2])


def test_lungs_are_darker_than_what_lies_between_them(phantoms: dict[tuple[int, str], RadiographPhantom]) -> None:
    for (_, label), phantom in phantoms.items():
        if label != "healthy":
            continue
        left, right = phantom.lung_boxes["left"], phantom.lung_boxes["right"]
        rows = slice(max(left[1], right[1]) + 5, min(left[1] + left[3], right[1] + right[3]) - 5)
        column = slice(min(right[0] + right[2], left[0]), max(right[0] + right[2], left[0]) + 1)
        between = phantom.radiograph.pixels[rows, column].mean()
        assert phantom.radiograph.pixels[phantom.lungs > 0].mean() < between - 0.15


@pytest.mark.parametrize("seed", range(6))
def test_the_heart_lies_to_the_left(seed: int) -> None:
    chest = UprightChest.draw(np.random.default_rng(seed))
    field = chest.lungs()
    # What is not lung just above the liver: mediastinum and heart.
    level = int(np.searchsorted(field.axes[2], max(chest.dome.values()) + 4.0))
    solid = (field.cavity[level] - field.share[level]).sum(axis=0)
    middle = float((solid * field.axes[0]).sum() / solid.sum())
    assert middle > chest.from_chest(np.array([0.0, 0.0, 0.0]))[0] + 4.0


def test_the_heart_takes_more_of_the_left_lung_field(phantoms: dict[tuple[int, str], RadiographPhantom]) -> None:
    areas = [(p.lungs == 1).sum() / (p.lungs == 2).sum() for (_, label), p in phantoms.items() if label == "healthy"]
    assert np.mean(areas) < 1.0


def test_sides_are_drawn_in_their_shares() -> None:
    rng = np.random.default_rng(0)
    covid = [draw_sides("covid19", rng) for _ in range(800)]
    assert sum(sides == ("left",) for sides in covid) / 800 == pytest.approx(0.25, abs=0.05)
    assert sum(sides == ("right",) for sides in covid) / 800 == pytest.approx(0.25, abs=0.05)
    assert sum(sides == SIDES for sides in covid) / 800 == pytest.approx(0.5, abs=0.06)
    assert sum(draw_sides("cap", rng) == SIDES for _ in range(800)) < 200
    assert draw_sides("healthy", rng) == ()


def test_classes_take_turns_and_an_unknown_one_is_refused() -> None:
    assert generate_radiograph(4, None, SPEC).label == CXR_CLASSES[4 % 3]
    with pytest.raises(ValueError, match="plague"):
        generate_radiograph(1, "plague", SPEC)


def test_noise_and_contrast_follow_the_spec() -> None:
    def picture(noise: float, contrast: float) -> np.ndarray:
        return generate_radiograph(
            9, "healthy", RadiographSpec(size=128, noise=noise, contrast=contrast)
        ).radiograph.pixels

    clean, noisy, flat = picture(0.0, 1.0), picture(0.03, 1.0), picture(0.0, 0.5)
    assert np.abs(np.diff(noisy)).mean() > 1.5 * np.abs(np.diff(clean)).mean()
    assert flat.std() < clean.std()
