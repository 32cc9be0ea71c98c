"""The published weights say the same of a scan and of its copy: other kernel, mirrored, cropped, noisier."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from pneumoscreen.case import Case
from pneumoscreen.ct.phantoms.acquisition import Acquisition, Kernel
from pneumoscreen.ct.phantoms.phantom import generate_phantom
from pneumoscreen.ct.screening import Screener
from pneumoscreen.images import read_volume
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import ModelStore

SOFT, SHARP = Kernel(0.7, 0.0, 0.6), Kernel(0.7, 0.8, 0.4)


def sharper(volume: Volume) -> Volume:
    return Acquisition(1, SHARP, 0.0, 0.0).take(volume, np.random.default_rng(1))


def smoother(volume: Volume) -> Volume:
    sigma = (0.0, 0.7 / volume.spacing_mm[1], 0.7 / volume.spacing_mm[0])
    return replace(volume, hu=np.rint(ndimage.gaussian_filter(volume.hu.astype(np.float32), sigma)).astype(np.int16))


def mirrored(volume: Volume) -> Volume:
    return replace(volume, hu=np.ascontiguousarray(volume.hu[:, :, ::-1]))


def cropped(volume: Volume) -> Volume:
    """Without the lowest tenth of the slices."""
    first = volume.hu.shape[0] // 10
    origin = volume.index_to_mm(np.array([first, 0.0, 0.0]))
    return replace(volume, hu=volume.hu[first:], origin_mm=(origin[0], origin[1], origin[2]))


def noisier(volume: Volume) -> Volume:
    return Acquisition(1, SOFT, 60.0, 0.0).take(volume, np.random.default_rng(2))


COPIES: dict[str, Callable[[Volume], Volume]] = {
    "sharper kernel": sharper,
    "smoother kernel": smoother,
    "mirrored": mirrored,
    "cropped": cropped,
    "30 HU more noise": noisier,
}


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener.from_store(ModelStore(), device="cpu")


def same(first: Case, second: Case) -> None:
    """Verdict equal, probability of an infection within a tenth; where a type is undecided, it says nothing."""
    assert first.verdict and second.verdict and first.verdict.infection and second.verdict.infection
    assert (first.verdict.rule == "none") == (second.verdict.rule == "none")
    if first.verdict.decided and second.verdict.decided:
        assert first.verdict.label == second.verdict.label
    assert second.verdict.infection.probability == pytest.approx(first.verdict.infection.probability, abs=0.1)


@pytest.mark.parametrize("diagnosis", ["covid19", "influenza_a", "no_infection_found"])
def test_a_phantom_and_its_copies(screener: Screener, diagnosis: str) -> None:
    volume = generate_phantom(700_001, diagnosis).volume
    said = screener.screen(volume).case
    for name, copy in COPIES.items():
        try:
            same(said, screener.screen(copy(volume)).case)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@pytest.mark.parametrize("name", ["radiopaedia_covid19/rid75281.nii.gz", "covidctmd_covid_P001", "covidctmd_normal001"])
def test_a_real_scan_and_its_copies(screener: Screener, shared_data: Path, name: str) -> None:
    volume = read_volume(shared_data / "ct" / name)
    said = screener.screen(volume).case
    for copy_name, copy in COPIES.items():
        try:
            same(said, screener.screen(copy(volume)).case)
        except AssertionError as error:
            raise AssertionError(f"{copy_name}: {error}") from None
