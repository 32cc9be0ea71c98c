"""What lesions look like: no pattern that gives the type away, tumours among what is irrelevant."""

from collections import Counter

import numpy as np
import pytest

from pneumoscreen.phantoms.lesion_kinds import IRRELEVANT_KINDS, draw_lesion
from pneumoscreen.phantoms.lesions import laid_over

TYPES = ("covid19", "influenza_a")


@pytest.mark.parametrize("pattern", ["septa", "bronchi_mm"])
def test_fine_structure_is_as_frequent_in_both_types(pattern: str) -> None:
    shares = []
    for name in TYPES:
        drawn = [draw_lesion(name, 0.5, np.random.default_rng(seed)) for seed in range(600)]
        shares.append(np.mean([getattr(lesion, pattern) > 0 for lesion in drawn]))
    assert min(shares) > 0.2
    assert abs(shares[0] - shares[1]) < 0.08


def test_irrelevant_findings_are_of_every_kind() -> None:
    drawn = Counter(draw_lesion("irrelevant", 0.5, np.random.default_rng(seed)).kind for seed in range(400))
    assert set(drawn) == set(IRRELEVANT_KINDS)
    assert sum(IRRELEVANT_KINDS.values()) == pytest.approx(1.0)


def test_a_mass_is_soft_tissue_with_a_sharp_border() -> None:
    masses = [draw_lesion("irrelevant", 0.5, np.random.default_rng(seed)) for seed in range(400)]
    for mass in (lesion for lesion in masses if lesion.kind == "mass"):
        assert 0 <= mass.hu <= 90 and mass.edge_mm <= 2.5


def test_vessels_and_texture_stay_visible_in_ground_glass() -> None:
    lung = np.array([-900.0, -840.0, 30.0, -865.0], dtype=np.float32)
    seen = laid_over(lung, np.ones(4, dtype=np.float32), np.full(4, -600.0, dtype=np.float32))
    assert seen[2] == 30.0, "a vessel is neither thinned out nor thickened"
    assert 35 < seen[1] - seen[0] < 60, "the lung's own unevenness stays, weaker"
    assert seen[3] == pytest.approx(-600.0, abs=2.0)


def test_consolidation_fills_the_air() -> None:
    filled = laid_over(np.array([-865.0], np.float32), np.ones(1, np.float32), np.zeros(1, np.float32))
    assert filled[0] == pytest.approx(0.0, abs=1.0)


def test_airways_filled_with_mucus_are_dense_thin_and_as_frequent_in_both_types() -> None:
    shares = []
    for name in TYPES:
        drawn = [draw_lesion(name, 0.5, np.random.default_rng(seed)) for seed in range(800)]
        trees = [lesion for lesion in drawn if any(max(b.radii) > 2.0 * min(b.radii) for b in lesion.blobs[1:3])]
        trees = [lesion for lesion in trees if len(lesion.blobs) > 16]
        shares.append(len(trees) / len(drawn))
        for lesion in trees:
            assert lesion.kind != "ground glass"
            assert max(min(blob.radii) for blob in lesion.blobs) <= 4.0
    assert min(shares) > 0.03
    assert abs(shares[0] - shares[1]) < 0.04


@pytest.mark.parametrize("name", TYPES)
def test_a_small_infection_stays_small_whatever_the_severity(name: str) -> None:
    drawn = [draw_lesion(name, 1.0, np.random.default_rng(seed), manifestation="early") for seed in range(200)]
    sizes = [max(blob.radii) for lesion in drawn for blob in lesion.blobs]
    assert max(sizes) < 12.0
    assert min(sizes) > 3.0
    assert {lesion.label for lesion in drawn} == {name}
