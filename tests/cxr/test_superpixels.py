"""Superpixels: about a hundred, numbered from 1, and their means; quiet on pictures with nothing in them."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.cxr.radiographs import phantom

from pneumoscreen.cxr.superpixels import SUPERPIXELS, mean_picture, superpixels

SIZE = 112


def chest() -> NDArray[np.float32]:
    """The middle of a radiograph phantom, [112, 112]."""
    pixels = phantom().radiograph.pixels
    top, left = (pixels.shape[0] - SIZE) // 2, (pixels.shape[1] - SIZE) // 2
    return np.ascontiguousarray(pixels[top : top + SIZE, left : left + SIZE])


def halved() -> NDArray[np.float32]:
    """A radiograph of which the left half was removed."""
    picture = chest()
    picture[:, : SIZE // 2] = 0.0
    return picture


def test_about_a_hundred_numbered_from_1() -> None:
    labels = superpixels(chest())
    assert labels.shape == (SIZE, SIZE)
    assert labels.dtype == np.int32
    numbers = np.unique(labels)
    assert numbers[0] == 1
    np.testing.assert_array_equal(numbers, np.arange(1, len(numbers) + 1))
    assert 0.6 * SUPERPIXELS < len(numbers) < 1.4 * SUPERPIXELS


def test_the_same_picture_gives_the_same_superpixels() -> None:
    np.testing.assert_array_equal(superpixels(chest()), superpixels(chest()))


def test_superpixels_follow_an_edge() -> None:
    picture = np.zeros((64, 64), np.float32)
    picture[:, 21:] = 1.0
    labels = superpixels(picture)
    assert not set(np.unique(labels[:, :21])) & set(np.unique(labels[:, 21:]))


def test_every_superpixel_is_filled_with_its_mean() -> None:
    picture = chest()
    labels = superpixels(picture)
    means = mean_picture(picture, labels)
    assert means.dtype == np.float32
    for number in np.unique(labels):
        inside = labels == number
        np.testing.assert_allclose(means[inside], picture[inside].mean(dtype=float), rtol=1e-5)
    assert means.mean(dtype=float) == pytest.approx(picture.mean(dtype=float), rel=1e-5)


def test_a_gap_in_the_numbers_does_no_harm() -> None:
    picture = np.array([[0.2, 0.4], [0.6, 1.0]], np.float32)
    labels = np.array([[2, 2], [5, 5]], np.int32)
    np.testing.assert_allclose(mean_picture(picture, labels), [[0.3, 0.3], [0.8, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(np.zeros((SIZE, SIZE), np.float32), id="black"),
        pytest.param(np.full((SIZE, SIZE), 0.5, np.float32), id="grey"),
        pytest.param(halved(), id="half removed"),
        pytest.param(chest(), id="chest"),
        pytest.param(chest()[:32, :32], id="small"),
    ],
)
def test_no_picture_makes_numpy_complain(picture: NDArray[np.float32]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = superpixels(picture)
        means = mean_picture(picture, labels)
    assert labels.min() == 1
    assert np.isfinite(means).all()
    assert picture.min() <= means.min() <= means.max() <= picture.max() + 1e-6
