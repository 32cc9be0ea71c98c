"""A phantom's truth is consistent with its voxels, asymmetric, and follows from the seed."""

import numpy as np
import pytest
from scipy import ndimage

from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.phantoms.lesion_kinds import draw_lesion
from pneumoscreen.verdict import DEFAULT_CLASSES

SMALL = PhantomSpec(matrix=96, thickness_mm=6.0)


@pytest.fixture(scope="module", params=DEFAULT_CLASSES.case_labels)
def phantom(request: pytest.FixtureRequest) -> Phantom:
    return generate_phantom(11, request.param, SMALL)


def test_same_seed_gives_the_same_voxels() -> None:
    first, second = generate_phantom(3, "covid19", SMALL), generate_phantom(3, "covid19", SMALL)
    np.testing.assert_array_equal(first.volume.hu, second.volume.hu)
    np.testing.assert_array_equal(first.infection, second.infection)
    assert first.volume.sha256 == second.volume.sha256
    assert generate_phantom(4, "covid19", SMALL).volume.sha256 != first.volume.sha256


def test_unknown_diagnosis_is_refused() -> None:
    with pytest.raises(ValueError, match="plague"):
        generate_phantom(1, "plague", SMALL)


def test_diagnosis_and_lesions_agree(phantom: Phantom) -> None:
    labels = {lesion.label for lesion in phantom.infections}
    expected = set() if phantom.diagnosis == DEFAULT_CLASSES.none_found else {phantom.diagnosis}
    assert labels == expected
    assert any(lesion.label == DEFAULT_CLASSES.irrelevant for lesion in phantom.lesions)
    assert phantom.infection_mask.any() == bool(expected)


def test_boxes_are_the_tight_bounds_of_the_numbered_voxels(phantom: Phantom) -> None:
    numbers = [lesion.number for lesion in phantom.lesions]
    assert numbers == list(range(1, len(numbers) + 1))
    assert set(np.unique(phantom.infection)) - {0} == set(numbers)
    for lesion in phantom.lesions:
        voxels = np.argwhere(phantom.infection == lesion.number)
        np.testing.assert_array_equal(lesion.box, np.concatenate([voxels.min(0) - 0.5, voxels.max(0) + 0.5]))


def test_lesions_lie_in_the_lungs_and_are_denser_than_lung(phantom: Phantom) -> None:
    hu, clear = phantom.volume.hu, (phantom.lungs > 0) & (phantom.infection == 0)
    assert not phantom.infection[phantom.lungs == 0].any()
    normal = np.median(hu[clear])
    assert -920 < normal < -760
    for lesion in phantom.infections:
        assert np.median(hu[phantom.infection == lesion.number]) > normal + 80


def test_left_lung_lies_at_larger_x_and_beside_the_heart(phantom: Phantom) -> None:
    left, right = (np.argwhere(phantom.lungs == label) for label in (1, 2))
    assert left[:, 2].mean() > right[:, 2].mean()
    # At the heart's level the left lung is the smaller one: the chest is not symmetric.
    low, high = (int(phantom.lungs.shape[0] * share) for share in (0.25, 0.35))
    assert (phantom.lungs[low:high] == 1).sum() < (phantom.lungs[low:high] == 2).sum()


def test_lungs_stay_inside_the_body(phantom: Phantom) -> None:
    for border in (phantom.lungs[:, :3], phantom.lungs[:, -3:], phantom.lungs[:, :, :3], phantom.lungs[:, :, -3:]):
        assert not border.any()


def test_lungs_have_human_size_and_airways_are_out(phantom: Phantom) -> None:
    voxel_ml = np.prod(phantom.volume.spacing_mm) / 1000
    assert 1500 < (phantom.lungs > 0).sum() * voxel_ml < 11000
    top = phantom.volume.hu.shape[0] - 2
    airway = (phantom.volume.hu[top] < -900) & (phantom.lungs[top] == 0)
    middle = phantom.volume.hu.shape[2] // 2
    assert airway[30:-30, middle - 8 : middle + 8].any()


def test_covid_lies_nearer_the_edge_than_influenza() -> None:
    def mean_depth(diagnosis: str) -> float:
        depths = []
        for seed in range(6):
            phantom = generate_phantom(100 + seed, diagnosis, SMALL)
            spacing = phantom.volume.spacing_zyx[1:]
            for lesion in phantom.infections:
                z, y, x = np.round((lesion.box[:3] + lesion.box[3:]) / 2).astype(int)
                depths.append(ndimage.distance_transform_edt(phantom.lungs[z] > 0, sampling=spacing)[y, x])
        return float(np.mean(depths))

    assert mean_depth("covid19") + 4.0 < mean_depth("influenza_a")


@pytest.mark.parametrize("thickness", [1.0, 8.0])
def test_thickness_sets_the_spacing(thickness: float) -> None:
    volume = generate_phantom(2, "covid19", PhantomSpec(matrix=64, thickness_mm=thickness)).volume
    assert volume.spacing_mm[2] == thickness
    assert volume.hu.shape[1:] == (64, 64)


def test_slices_set_the_number_of_slices() -> None:
    assert generate_phantom(2, "covid19", PhantomSpec(matrix=64, slices=70)).volume.hu.shape[0] == 70


def test_a_fine_infection_is_made_of_bands_small_nodules_and_filled_airways() -> None:
    bands = many = 0
    for seed in range(60):
        blobs = draw_lesion("influenza_a", 0.5, np.random.default_rng(seed), "fine").blobs
        small = all(blob.radii.max() < 10.0 for blob in blobs)
        bands += len(blobs) <= 3 and all(blob.radii[0] <= 5.0 for blob in blobs)
        many += len(blobs) >= 7 and small
    assert bands + many == 60 and bands >= 8 and many >= 30


@pytest.mark.parametrize("diagnosis", ["covid19", "influenza_a"])
def test_an_early_infection_is_one_to_three_small_foci(diagnosis: str) -> None:
    for seed in range(50, 53):
        phantom = generate_phantom(seed, diagnosis, PhantomSpec(matrix=128, thickness_mm=2.0, manifestation="early"))
        voxel_ml = float(np.prod(phantom.volume.spacing_mm)) / 1000.0
        assert 1 <= len(phantom.infections) <= 3
        assert all((phantom.infection == lesion.number).sum() * voxel_ml < 6.0 for lesion in phantom.infections)
