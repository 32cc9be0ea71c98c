"""Rules that any uncertainty must keep, and examples whose order a reader would agree with."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumoscreen.active_learning.uncertainty import (
    LEAST_SURE_PATCHES,
    combine,
    disagreement,
    entropies,
    entropy,
    margin,
)
from pneumoscreen.verdict import DEFAULT_CLASSES, Classes, noisy_or

LABELS = DEFAULT_CLASSES.patch_labels

shares = st.floats(0.0, 1.0)
rows = st.lists(st.tuples(shares, shares, shares).filter(lambda row: sum(row) > 1e-3), max_size=30).map(
    lambda found: np.array([np.array(row) / sum(row) for row in found]).reshape(-1, 3)
)
votes = st.lists(st.lists(st.sampled_from(LABELS), min_size=1, max_size=3), max_size=12)
opinions = st.lists(st.tuples(st.sampled_from(LABELS), shares), max_size=12)


@given(rows, votes, opinions)
def test_every_term_lies_between_0_and_1(
    probabilities: NDArray[np.float64], labels: list[list[str]], regions: list[tuple[str, float]]
) -> None:
    parts = {
        "entropy": entropy(probabilities),
        "disagreement": disagreement(labels),
        "margin": margin(regions, DEFAULT_CLASSES),
    }
    assert all(0.0 <= value <= 1.0 for value in (*parts.values(), combine(parts)))


@given(rows, votes, opinions, st.randoms())
def test_the_order_of_regions_and_patches_does_not_matter(
    probabilities: NDArray[np.float64],
    labels: list[list[str]],
    regions: list[tuple[str, float]],
    shuffle: random.Random,
) -> None:
    order = list(range(len(probabilities)))
    shuffle.shuffle(order)
    assert entropy(probabilities[order]) == entropy(probabilities)
    mixed = [shuffle.sample(region, len(region)) for region in labels]
    assert disagreement(shuffle.sample(mixed, len(mixed))) == disagreement(labels)
    assert margin(shuffle.sample(regions, len(regions)), DEFAULT_CLASSES) == margin(regions, DEFAULT_CLASSES)


@given(rows.filter(len), st.data())
def test_a_patch_that_grows_less_sure_never_lowers_the_entropy(
    probabilities: NDArray[np.float64], data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(probabilities) - 1))
    blurred = probabilities.copy()
    blurred[which] += data.draw(shares) * (1.0 / 3.0 - blurred[which])
    assert entropy(blurred) >= entropy(probabilities) - 1e-12


@given(rows, rows)
def test_more_patches_never_lower_the_entropy(few: NDArray[np.float64], more: NDArray[np.float64]) -> None:
    assert entropy(np.concatenate([few, more])) >= entropy(few)


@given(st.lists(st.floats(0.0, 0.999), min_size=1, max_size=6), st.floats(0.0, 0.99))
def test_evidence_for_the_second_type_never_widens_the_margin(first: list[float], second: float) -> None:
    covid = [("covid19", value) for value in first]
    weaker = min(second, noisy_or(first)) * 0.5
    stronger = min(second, noisy_or(first))
    assert (
        margin([*covid, ("influenza_a", stronger)], DEFAULT_CLASSES)
        >= margin([*covid, ("influenza_a", weaker)], DEFAULT_CLASSES) - 1e-12
    )


def test_entropy_is_1_for_evenly_split_patches_and_0_for_sure_ones() -> None:
    assert entropy(np.full((LEAST_SURE_PATCHES, 3), 1 / 3)) == pytest.approx(1.0)
    assert entropy(np.eye(3)) == 0.0
    assert entropies(np.array([0.5, 0.5, 0.0])) == pytest.approx(np.log(2) / np.log(3))


def test_three_doubtful_regions_come_before_one_and_sure_ones_hide_neither() -> None:
    sure, doubtful = np.tile([0.01, 0.01, 0.98], (60, 1)), np.tile([0.4, 0.35, 0.25], (3, 1))
    one = entropy(np.concatenate([sure, doubtful]))
    three = entropy(np.concatenate([sure, doubtful, doubtful, doubtful]))
    assert three > one > 3 * entropy(sure)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [("ccc", 0.0), ("cci", 0.579), ("cic", 0.579), ("cix", 1.0), ("ci", 1.0), ("c", 0.0), ("", 0.0)],
)
def test_disagreement_of_one_region(labels: str, expected: float) -> None:
    assert 3 * disagreement([labels]) == pytest.approx(expected, abs=1e-3)


def test_the_margin_still_tells_two_types_apart_where_both_probabilities_round_to_1() -> None:
    strong = [("covid19", 0.999)] * 4
    assert noisy_or([0.999] * 4) == pytest.approx(noisy_or([0.99] * 4), abs=1e-7)
    close = margin([*strong, *[("influenza_a", 0.999)] * 4], DEFAULT_CLASSES)
    wide = margin([*strong, *[("influenza_a", 0.99)] * 4], DEFAULT_CLASSES)
    assert close == pytest.approx(1.0)
    assert wide < 1e-3


def test_a_case_without_evidence_is_no_draw_between_two_types() -> None:
    assert margin([("irrelevant", 0.99)], DEFAULT_CLASSES) == 0.0
    assert margin([], DEFAULT_CLASSES) == 0.0
    assert (
        0.0
        < margin([("covid19", 0.5)], DEFAULT_CLASSES)
        < margin([("covid19", 0.5), ("influenza_a", 0.5)], DEFAULT_CLASSES)
    )


def test_certainty_itself_is_no_fault() -> None:
    assert margin([("covid19", 1.0)], DEFAULT_CLASSES) == pytest.approx(0.0, abs=1e-9)
    assert margin([("covid19", 1.0), ("influenza_a", 1.0)], DEFAULT_CLASSES) == pytest.approx(1.0)


def test_a_site_with_one_infection_has_no_second_type() -> None:
    assert 0.0 <= margin([("tb", 0.9)], Classes(("tb",))) <= 0.1
