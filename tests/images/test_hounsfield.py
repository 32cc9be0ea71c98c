"""What values are taken for Hounsfield units, and how they are mended."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.images.faults import NotCTError
from pneumoscreen.images.hounsfield import to_hounsfield


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.int64, np.float32, np.float64])
def test_proper_values_pass_unchanged_in_every_type(chest, kind):
    found = to_hounsfield(chest.astype(kind), "ct")
    np.testing.assert_array_equal(found.hu, chest)
    assert (found.hu.dtype, found.notes, found.approximate) == (np.int16, (), False)


def test_values_that_need_no_mending_are_not_copied(chest):
    values = chest.astype(np.int16)
    assert np.shares_memory(to_hounsfield(values, "ct").hu, values)


def test_mending_leaves_the_given_values_alone(chest):
    values = chest.astype(np.int16)
    values[:, :2], values[:, -1] = 3071, 3071
    before = values.copy()
    assert (to_hounsfield(values, "ct").hu[:, :2] == -1024).all()
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32])
def test_offset_of_1024_is_recognised(chest, kind):
    found = to_hounsfield((chest + 1024).astype(kind), "ct")
    np.testing.assert_array_equal(found.hu, chest)
    assert "offset of 1024" in found.notes[0]


@pytest.mark.parametrize("padding", [-2000, -2048, -3024, -32768])
@pytest.mark.parametrize("offset", [0, 1024])
def test_padding_becomes_air(chest, padding, offset):
    values = chest + np.int16(offset)
    values[:, :2] = padding
    found = to_hounsfield(values, "ct")
    assert (found.hu[:, :2] == -1024).all()
    np.testing.assert_array_equal(found.hu[:, 2:], chest[:, 2:])
    assert any("Padding" in note and "5.0 %" in note for note in found.notes)


def test_noise_below_air_is_no_padding(chest):
    values = chest.copy()
    values[0, 0, :5] = -1300
    found = to_hounsfield(values, "ct")
    assert found.notes == ()
    assert (found.hu[0, 0, :5] == -1024).all()


@pytest.mark.parametrize("deviation", [300.0, 700.0])
def test_the_noise_of_a_sharp_kernel_is_no_padding(chest, deviation):
    noisy = chest + np.random.default_rng(2).normal(0, deviation, chest.shape)
    assert (noisy < -1500).mean() > 0.02
    for values in (np.rint(noisy), noisy, np.rint(np.maximum(noisy, -2048))):
        assert to_hounsfield(values, "ct").notes == ()


@pytest.mark.parametrize(("padding", "offset"), [(63536, 0), (62512, 1024), (32767, 0), (2096, 1024), (3071, 0)])
@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_padding_denser_than_bone_becomes_air(chest, padding, offset, kind):
    values = chest + np.int32(offset)
    if kind is np.uint16 and not offset:
        values, padding = values.astype(np.int16), min(padding, 32767)
    values = values.astype(values.dtype if kind is np.uint16 and not offset else kind)
    values[:, :2], values[:, -1] = padding, padding
    values[6, 20, 20] = padding  # a voxel in the body that has the value as well
    found = to_hounsfield(values, "ct")
    assert (found.hu[:, :2] == -1024).all()
    assert (found.hu[:, -1] == -1024).all()
    inner = chest[:, 2:-1].copy()
    inner[6, 18, 20] = min(padding - offset, 3071)
    np.testing.assert_array_equal(found.hu[:, 2:-1], inner)
    assert any("Padding" in note and "7.5 %" in note for note in found.notes)


def test_even_corners_of_soft_tissue_are_no_padding(chest):
    values = chest.copy()
    values[:, [0, 0, -1, -1], [0, -1, 0, -1]] = 40
    np.testing.assert_array_equal(to_hounsfield(values, "ct").hu, values)


def test_grey_levels_of_a_lung_window_are_approximate(chest):
    grey = np.rint((np.clip(chest, -1350, 150) + 1350) / 1500 * 255)
    found = to_hounsfield(np.rint(grey / 255 * 1500 - 1350), "ct")
    assert found.approximate
    assert "approximate" in found.notes[0]
    assert "8-bit" in found.notes[0]


@pytest.mark.parametrize(("low", "high", "word"), [(-1024, 60, "above 60"), (-900, 3071, "below -900")])
def test_a_cut_window_is_approximate(chest, low, high, word):
    noise = np.random.default_rng(0).normal(0, 40, chest.shape)
    found = to_hounsfield(np.clip(np.rint(chest + noise), low, high).astype(np.int16), "ct")
    assert found.approximate
    assert word in found.notes[0]


def mr(shape):
    return np.random.default_rng(0).gamma(2.0, 300.0, shape)


NOT_CT = {
    "pictures": (lambda hu: np.rint((np.clip(hu, -1000, 400) + 1000) / 1400 * 255).astype(np.uint8), "8-bit"),
    "mask": (lambda hu: (hu < -500).astype(np.uint8), "label map"),
    "labels": (lambda hu: (hu < -500).astype(np.int16) * 512, "label map"),
    "negative labels": (lambda hu: np.where(hu < -500, -1000, 0), "label map"),
    "mr": (lambda hu: mr(hu.shape), "Hounsfield"),
    "bias": (lambda hu: hu + 5000, "Hounsfield"),
    "normalised": (lambda hu: (hu + 1024) / 2048.0, "no CT"),
    "z-scores": (lambda hu: (hu - hu.mean()) / hu.std(), "Hounsfield"),
    "mediastinal window": (lambda hu: np.clip(hu, -160, 240), "no air"),
    "padding": (lambda hu: np.full_like(hu, -2000), "padding only"),
    "air": (lambda hu: np.full(hu.shape, -1000) + np.arange(hu.shape[2]), "no soft tissue"),
}


@pytest.mark.parametrize(("make", "word"), NOT_CT.values(), ids=NOT_CT)
def test_values_that_are_no_hounsfield_units(chest, make, word):
    with pytest.raises(NotCTError, match=word) as caught:
        to_hounsfield(make(chest), "folder/scan.nii")
    assert str(caught.value).startswith("folder/scan.nii ")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([np.int16, np.uint16, np.float32]), st.floats(-3000, 3000))
def test_result_always_lies_in_the_scale_of_hounsfield(seed, kind, center):
    rng = np.random.default_rng(seed)
    values = rng.normal(center, 1500, (9, 20, 20)).astype(np.int32).astype(kind)
    try:
        hu = to_hounsfield(values, "ct").hu
    except NotCTError:
        return
    assert hu.min() >= -1024
    assert hu.max() <= 3071
    assert hu.shape == values.shape
