"""Lesions on another scan change its lungs only; mirroring exchanges the sides."""

import numpy as np
import pytest

from pneumoscreen.ct.phantoms.implants import implant_lesions, mirrored
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom


@pytest.fixture(scope="module")
def healthy() -> tuple:
    phantom = generate_phantom(21, "no_infection_found", PhantomSpec(matrix=96, thickness_mm=5.0))
    only_right = np.where(phantom.lungs == 2, phantom.lungs, 0).astype(np.uint8)
    return phantom.volume, only_right


def test_implanted_lesions_change_only_the_given_lung(healthy: tuple) -> None:
    volume, lungs = healthy
    phantom = implant_lesions(volume, lungs, "covid19", seed=5)
    changed = phantom.volume.hu != volume.hu
    assert changed.any()
    assert not changed[lungs == 0].any()
    assert not phantom.infection[lungs == 0].any()
    assert phantom.infections
    assert {lesion.label for lesion in phantom.infections} == {"covid19"}
    inside = phantom.infection_mask
    assert phantom.volume.hu[inside].mean() > volume.hu[inside].mean() + 50


def test_implants_follow_from_the_seed(healthy: tuple) -> None:
    first, second = (implant_lesions(*healthy, "influenza_a", seed=6) for _ in range(2))
    np.testing.assert_array_equal(first.volume.hu, second.volume.hu)


def test_mirrored_lung_is_on_the_other_side(healthy: tuple) -> None:
    volume, lungs = healthy
    flipped, labels = mirrored(volume, lungs)
    assert set(np.unique(labels)) == {0, 1}
    assert np.argwhere(labels)[:, 2].mean() > np.argwhere(lungs)[:, 2].mean()
    np.testing.assert_array_equal(flipped.hu[:, :, ::-1], volume.hu)


def test_scan_without_lung_is_refused(healthy: tuple) -> None:
    with pytest.raises(ValueError, match="no lung"):
        implant_lesions(healthy[0], np.zeros_like(healthy[1]), "covid19", seed=1)
