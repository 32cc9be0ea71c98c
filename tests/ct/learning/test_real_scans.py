"""Cases made of a real scan: lesions in clear lungs only, tumours where they are, mirrored and thickened along."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.config import load_config
from pneumoscreen.ct.learning.real_scans import RealScan, ScansSettings
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "starter_scans.yaml"


@pytest.fixture(scope="module")
def scan() -> RealScan:
    phantom = generate_phantom(21, "no_infection_found", PhantomSpec(matrix=128, thickness_mm=3.0))
    clear = np.where(phantom.lungs == 2, phantom.lungs, 0).astype(np.uint8)
    return RealScan(phantom.volume, phantom.lungs, clear, np.array([[40.0, 60, 80, 50, 70, 95]]))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_lesions_lie_in_the_clear_lung_and_the_scan_shows_both(scan: RealScan, seed: int) -> None:
    case = scan.case(seed, "covid19")
    side = 2 if seed % 2 else 1
    assert case.infection_mask.any()
    assert set(np.unique(case.lungs[case.infection_mask])) <= {side}
    assert set(np.unique(case.lungs)) == {0, 1, 2}


@pytest.mark.parametrize("seed", [1, 2])
def test_known_tumours_are_irrelevant_and_go_along(scan: RealScan, seed: int) -> None:
    case = scan.case(seed, None)
    assert case.diagnosis == "no_infection_found" and not case.infection.any()
    (tumour,) = case.lesions
    assert tumour.label == "irrelevant"
    slices = scan.volume.hu.shape[0] // case.volume.hu.shape[0]
    assert tumour.box[0] == pytest.approx((40.5) / slices - 0.5)
    assert tumour.box[[2, 5]].tolist() == ([80, 95] if seed % 2 else [32, 47])


def test_cases_follow_from_the_seed(scan: RealScan) -> None:
    first, second = scan.case(7, "influenza_a"), scan.case(7, "influenza_a")
    np.testing.assert_array_equal(first.volume.hu, second.volume.hu)
    assert first.volume.case_id == second.volume.case_id != scan.case(8, "influenza_a").volume.case_id


def test_half_the_matrix_takes_boxes_along(scan: RealScan) -> None:
    small_pixels = replace(scan.volume, spacing_mm=(0.7, 0.7, 3.0))
    half = replace(scan, volume=small_pixels).on_half_matrix()
    assert half.volume.hu.shape[1:] == half.lungs.shape[1:] == (64, 64)
    assert half.irrelevant[0].tolist() == pytest.approx([40.0, 29.75, 39.75, 50.0, 34.75, 47.25])


def test_scans_that_train_and_scans_kept_out_are_others() -> None:
    settings = load_config(CONFIG, ScansSettings)
    names = {scan.name for scan in settings.scans}
    assert names and not names & {scan.name for scan in settings.held_out}
    assert all(scan.attribution for scan in (*settings.scans, *settings.held_out))
