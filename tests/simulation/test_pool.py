"""The cases of a simulation: in their shares, on the right side of the split, the same whatever their number."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.ct.simulation import CtSimulationSettings
from pneumoscreen.simulation.pool import draw_cohort, spread
from pneumoscreen.studies.split import Side, side_of

SHARES = st.dictionaries(st.sampled_from("abcde"), st.floats(0.05, 1.0), min_size=1)


@given(SHARES, st.integers(0, 60))
def test_names_come_in_their_shares(shares: dict[str, float], length: int) -> None:
    counts = Counter(spread(shares, length))
    assert counts.total() == length
    for name, share in shares.items():
        assert abs(counts[name] - share / sum(shares.values()) * length) < len(shares)


@given(SHARES, st.integers(0, 30), st.integers(0, 30))
def test_a_longer_list_begins_with_a_shorter_one(shares: dict[str, float], one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert spread(shares, long)[:short] == spread(shares, short)


def test_equal_shares_take_turns() -> None:
    assert spread({"a": 1.0, "b": 1.0, "c": 1.0}, 6) == ["a", "b", "c"] * 2


def test_every_case_is_on_its_side_of_the_split() -> None:
    settings = CtSimulationSettings()
    cohort = draw_cohort(settings, 40, 12)
    for recipes, side in (
        (cohort.pool, Side.TRAINING),
        (cohort.validation, Side.VALIDATION),
        (cohort.test, Side.TEST),
    ):
        assert {side_of(recipe.case_id, settings.training.split) for recipe in recipes} == {side}
    assert len({recipe.seed for recipe in cohort.cases}) == len(cohort.cases) == 55
    assert min(recipe.seed for recipe in cohort.cases) >= settings.first_phantom
    assert Counter(recipe.diagnosis for recipe in cohort.test) == dict.fromkeys(settings.shares, 4)
    assert Counter(recipe.diagnosis for recipe in cohort.pool)["no_infection_found"] == 24


def test_a_larger_cohort_begins_with_a_smaller_one() -> None:
    small, large = draw_cohort(CtSimulationSettings(), 10, 6), draw_cohort(CtSimulationSettings(), 20, 9)
    assert large.pool[:10] == small.pool
    assert large.test[:6] == small.test
    assert large.validation == small.validation
