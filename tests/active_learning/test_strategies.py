"""Choosing: by name, whatever the order of the cases, and never two of a kind in a batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.active_learning.strategies import DEFAULT, STRATEGIES, StrategyError, choose
from pneumoscreen.errors import PneumoScreenError

seeds = st.integers(0, 2**32 - 1)
names = st.sampled_from(list(STRATEGIES))


def pool(rng: np.random.Generator, count: int, prefix: str = "case", width: int = 8) -> list[CaseScore]:
    vectors = rng.random((count, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = rng.random((count, 2)).round(2)  # rounded: equal ones must not confuse
    return [
        CaseScore(f"{prefix}-{number:03d}", float(u), float(e), vector.astype(np.float32))
        for number, ((u, e), vector) in enumerate(zip(values, vectors, strict=True))
    ]


def test_the_names_and_the_default() -> None:
    assert set(STRATEGIES) == {"random", "first", "uncertainty", "epistemic", "diverse", "combined"}
    assert DEFAULT == next(iter(STRATEGIES)) == "combined"
    assert all(description for description, _ in STRATEGIES.values())


@given(names, seeds, st.integers(0, 20), st.integers(0, 6), st.integers(-1, 25))
@settings(max_examples=150)
def test_as_many_as_are_wanted_and_there_each_once_in_any_order(
    name: str, seed: int, count: int, read: int, wanted: int
) -> None:
    rng = np.random.default_rng(seed)
    cases, known = pool(rng, count), pool(rng, read, "read")
    chosen = choose(name, cases, known, wanted, np.random.default_rng(seed))
    assert len(chosen) == len(set(chosen)) == max(min(wanted, count), 0)
    assert set(chosen) <= {case.case_id for case in cases}
    mixed = [cases[int(index)] for index in rng.permutation(count)]
    backwards = choose(name, mixed, known[::-1], wanted, np.random.default_rng(seed))
    assert backwards == chosen


@given(st.sampled_from([name for name in STRATEGIES if name != "random"]), seeds, st.integers(1, 12))
def test_a_batch_is_what_would_have_come_one_by_one(name: str, seed: int, wanted: int) -> None:
    rng = np.random.default_rng(seed)
    cases, read = pool(rng, 12), pool(rng, 2, "read")
    batch = choose(name, cases, read, wanted, rng)
    single: list[str] = []
    for _ in range(wanted):
        left = [case for case in cases if case.case_id not in single]
        given_out = [case for case in cases if case.case_id in single]
        single += choose(name, left, [*read, *given_out], 1, rng)
    assert single == batch


def test_each_strategy_orders_an_asymmetric_example_as_its_name_says() -> None:
    def case(name: str, uncertainty: float, epistemic: float, angle: float) -> CaseScore:
        return CaseScore(name, uncertainty, epistemic, np.array([np.cos(angle), np.sin(angle)], dtype=np.float32))

    cases = [case("a", 0.2, 0.9, 0.1), case("b", 0.9, 0.2, 0.2), case("c", 0.1, 0.1, 1.5), case("d", 0.8, 0.8, 0.7)]
    read = [case("r", 0.5, 0.5, 0.0)]
    rng = np.random.default_rng(0)
    expected = {"first": "abcd", "uncertainty": "bdac", "epistemic": "adbc", "diverse": "cdba", "combined": "d"}
    for name, order in expected.items():
        assert "".join(choose(name, cases, read, len(order), rng)) == order, name


@given(seeds)
@settings(max_examples=30)
def test_twins_are_not_chosen_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    originals = pool(rng, 10)
    noise = 1e-4 * rng.random(8).astype(np.float32)
    twins = [CaseScore(f"twin-{c.case_id}", c.uncertainty, c.epistemic, c.embedding + noise) for c in originals]
    for name in ("combined", "diverse"):
        chosen = choose(name, [*originals, *twins], [], 10, rng)
        assert len({name.removeprefix("twin-") for name in chosen}) == 10
        read = [case for case in originals if case.case_id in chosen or f"twin-{case.case_id}" in chosen]
        assert len(read) == 10


def test_a_twin_of_a_case_already_read_waits_however_unsure_it_is() -> None:
    rng = np.random.default_rng(4)
    cases = pool(rng, 6)
    read = CaseScore("read", 1.0, 1.0, cases[0].embedding)
    cases[0] = CaseScore(cases[0].case_id, 1.0, 1.0, cases[0].embedding)
    assert choose("combined", cases, [], 1, rng) == [cases[0].case_id]
    assert choose("combined", cases, [read], 6, rng)[-1] == cases[0].case_id


def test_random_is_random_and_repeatable() -> None:
    cases = pool(np.random.default_rng(1), 30)
    draws = [choose("random", cases, [], 30, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    firsts = {choose("random", cases, [], 1, np.random.default_rng(seed))[0] for seed in range(200)}
    assert len(firsts) > 25


def test_an_unknown_strategy_is_named_with_those_there_are() -> None:
    with pytest.raises(StrategyError, match=r"no strategy 'best'; there are combined, .*random") as raised:
        choose("best", [], [], 1, np.random.default_rng(0))
    assert isinstance(raised.value, PneumoScreenError)


def test_a_large_pool_takes_well_under_a_second() -> None:
    import time

    rng = np.random.default_rng(0)
    cases, read = pool(rng, 5000, width=256), pool(rng, 1000, "read", width=256)
    start = time.perf_counter()
    chosen = choose("combined", cases, read, 10, rng)
    assert len(set(chosen)) == 10
    assert time.perf_counter() - start < 3.0
