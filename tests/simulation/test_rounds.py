"""What happens in a round: who is labelled first, and whom a strategy picks."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.active_learning.strategies import STRATEGIES
from pneumoscreen.simulation.ledger import Turn
from pneumoscreen.simulation.rounds import arrival, pick, start_cases
from pneumoscreen.verdict import DEFAULT_CLASSES

LABELS = DEFAULT_CLASSES.case_labels
NAMES = [f"case-{i}" for i in range(20)]


def _scores(seed: int = 0) -> list[CaseScore]:
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(len(NAMES), 8)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return [CaseScore(n, *rng.random(2), e) for n, e in zip(NAMES, embeddings, strict=True)]


@given(st.integers(0, 1000))
def test_arrival_is_an_order_of_the_pool_and_belongs_to_the_seed(seed: int) -> None:
    order = arrival(NAMES, seed)
    assert sorted(order) == sorted(NAMES)
    assert arrival(NAMES, seed) == order


def test_seeds_have_their_own_arrival() -> None:
    assert len({tuple(arrival(NAMES, seed)) for seed in range(20)}) == 20


@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=30), st.integers(0, 30))
def test_the_start_takes_the_diagnoses_in_turn(labels: list[str], count: int) -> None:
    diagnoses = {f"case-{i}": label for i, label in enumerate(labels)}
    chosen = start_cases(list(diagnoses), diagnoses, LABELS, count)
    assert len(set(chosen)) == len(chosen) == min(count, len(labels))
    got, had = Counter(diagnoses[name] for name in chosen), Counter(labels)
    for label in LABELS:
        # Whoever has fewer than another by more than one had no more to give.
        assert got[label] == had[label] or got[label] >= max(got.values(), default=0) - 1


@given(st.sampled_from(list(STRATEGIES)), st.integers(0, 5), st.sets(st.sampled_from(NAMES), min_size=1, max_size=16))
def test_a_pick_never_asks_for_a_labelled_case(strategy: str, seed: int, read: set[str]) -> None:
    chosen = pick(Turn(seed, strategy, 1), _scores(seed), arrival(NAMES, seed), sorted(read), 4)
    assert len(set(chosen)) == len(chosen) == 4
    assert not read & set(chosen)


def test_first_takes_the_cases_in_their_order_of_arrival() -> None:
    order = arrival(NAMES, 3)
    read = order[:2]
    assert pick(Turn(3, "first", 1), _scores(), order, read, 4) == order[2:6]


def test_uncertainty_takes_the_least_sure() -> None:
    scores = _scores()
    best = sorted(scores, key=lambda score: -score.uncertainty)
    chosen = pick(Turn(1, "uncertainty", 1), scores, arrival(NAMES, 1), [best[0].case_id], 3)
    assert chosen == [score.case_id for score in best[1:4]]


def test_random_choice_follows_seed_and_round() -> None:
    def chosen(seed: int, done: int) -> list[str]:
        return pick(Turn(seed, "random", done), _scores(), NAMES, [], 5)

    assert chosen(1, 1) == chosen(1, 1)
    assert len({tuple(chosen(seed, done)) for seed in range(4) for done in range(1, 4)}) == 12
