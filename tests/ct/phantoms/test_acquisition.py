"""A scan taken elsewhere: thicker slices, other kernel, noise, less breath; the truth goes along."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.phantoms.acquisition import Acquisition, Kernel, halved
from pneumoscreen.images.volume import Volume

SOFT = Kernel(blur_mm=0.7, edge=0.0, grain=0.6)


@pytest.fixture
def volume() -> Volume:
    rng = np.random.default_rng(1)
    hu = rng.normal(-860, 15, (13, 40, 60)).astype(np.int16)
    hu[5:9, 10:20, 30:40] = 40
    return Volume(hu, (0.7, 0.7, 1.5), (10.0, -20.0, 5.0), np.eye(3), "toy", Path("toy"), "0" * 64)


def test_slices_become_one_and_keep_their_place(volume: Volume) -> None:
    how = Acquisition(3, SOFT, 0.0, 0.0)
    thick = how.take(volume, np.random.default_rng(0))
    assert thick.hu.shape == (4, 40, 60) and thick.spacing_mm == (0.7, 0.7, pytest.approx(4.5))
    assert thick.index_to_mm(np.array([1.0, 0, 0])).tolist() == pytest.approx(volume.index_to_mm(np.array([4.0, 0, 0])))
    np.testing.assert_allclose(thick.hu[2], volume.hu[6:9].mean(axis=0), atol=1)
    labels = np.zeros(volume.hu.shape, dtype=np.uint8)
    labels[7] = 3
    assert np.unique(np.argwhere(how.take_map(labels))[:, 0]).tolist() == [2]


def test_less_breath_makes_lung_denser_and_leaves_soft_tissue(volume: Volume) -> None:
    shallow = Acquisition(1, SOFT, 0.0, 100.0).take(volume, np.random.default_rng(0))
    assert shallow.hu[0].mean() == pytest.approx(volume.hu[0].mean() + 84, abs=8)
    assert (shallow.hu[6, 12:18, 32:38] == 40).all()
    assert shallow.spacing_mm[2] < volume.spacing_mm[2]


def test_a_sharp_kernel_and_noise_make_a_scan_noisier(volume: Volume) -> None:
    flat = replace(volume, hu=np.full((3, 64, 64), -860, dtype=np.int16))
    noisy = Acquisition(1, SOFT, 20.0, 0.0).take(flat, np.random.default_rng(0))
    sharp = Acquisition(1, Kernel(0.7, 1.0, 0.4), 20.0, 0.0).take(flat, np.random.default_rng(0))
    assert 8 < noisy.hu.std() < 13, "smoothing over .6 pixels leaves about half"
    assert sharp.hu.std() > noisy.hu.std()


def test_half_the_matrix_keeps_place_and_large_pixels(volume: Volume) -> None:
    half = halved(volume)
    assert half.hu.shape == (13, 20, 30) and half.spacing_mm == (1.4, 1.4, 1.5)
    assert half.index_to_mm(np.zeros(3)).tolist() == pytest.approx([10.35, -19.65, 5.0])
    assert halved(half) is half
