"""Tables 1 to 6 of Xu et al. 2020 from their counts, and the algebra of the figures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.evaluation.confusion import ConfusionMatrix, counts_table, figure, figures_table
from pneumoscreen.evaluation.published import CASES, PATCHES_M1, PATCHES_M2, REGIONS
from pneumoscreen.verdict import DEFAULT_CLASSES

LABELS = DEFAULT_CLASSES.patch_labels


def test_table_1_has_the_papers_form_and_totals():
    assert counts_table([PATCHES_M1, PATCHES_M2]).splitlines() == [
        "actual \\ predicted  COVID-19     IAVP      ITI",
        "-" * 46,
        "COVID-19             260/273    47/32    50/52",
        "IAVP                   55/46  276/280    59/64",
        "ITI                    75/77    81/82  807/804",
    ]
    for matrix in (PATCHES_M1, PATCHES_M2):
        assert matrix.counts.sum(axis=1).tolist() == [357, 390, 963]
        assert matrix.total == 1710


def test_table_2_follows_from_table_1():
    lines = figures_table([PATCHES_M1, PATCHES_M2]).splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["COVID-19", "0.728/0.765", "0.667/0.689", "0.696/0.725"],
        ["IAVP", "0.708/0.718", "0.683/0.711", "0.695/0.714"],
        ["ITI", "0.838/0.835", "0.881/0.874", "0.859/0.854"],
    ]
    assert lines[5].startswith("mean f1 0.750/0.764,")


def test_table_4_follows_from_table_3():
    assert REGIONS.counts.sum(axis=1).tolist() == [119, 130, 321]
    lines = figures_table([REGIONS]).splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["COVID-19", "0.815", "0.808", "0.812"],  # the paper cuts .8117 to .811
        ["IAVP", "0.754", "0.852", "0.800"],
        ["ITI", "0.978", "0.937", "0.957"],
    ]
    assert REGIONS.mean_f1 == pytest.approx(0.856, abs=5e-4)


def test_table_6_follows_from_table_5():
    lines = figures_table([CASES]).splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["COVID-19", "0.867", "0.812", "0.839"],  # 26 / 32 = .8125, which the paper rounds up
        ["IAVP", "0.833", "0.862", "0.847"],
        ["NIF", "0.900", "0.931", "0.915"],
    ]
    assert lines[5] == "mean f1 0.867, accuracy 0.867, n = 90"


labels = st.sampled_from(LABELS)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=60))
def test_figures_agree_with_counting_by_hand(pairs):
    actual, predicted = zip(*pairs, strict=True)
    matrix = ConfusionMatrix.from_labels(LABELS, actual, predicted)
    assert matrix.accuracy == pytest.approx(sum(a == p for a, p in pairs) / len(pairs))
    for i, label in enumerate(LABELS):
        right = sum(a == p == label for a, p in pairs)
        for value, whole in ((matrix.recall[i], actual.count(label)), (matrix.precision[i], predicted.count(label))):
            assert np.isnan(value) if whole == 0 else value == pytest.approx(right / whole)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(labels, labels), max_size=40), st.lists(st.tuples(labels, labels), max_size=40))
def test_matrices_of_two_parts_add_up_to_that_of_the_whole(first, second):
    def matrix(pairs):
        return ConfusionMatrix.from_labels(LABELS, [a for a, _ in pairs], [p for _, p in pairs])

    assert np.array_equal((matrix(first) + matrix(second)).counts, matrix(first + second).counts)


def test_what_is_not_defined_is_a_dash_and_null():
    matrix = ConfusionMatrix.from_labels(LABELS, ["covid19"], ["covid19"])
    assert "-" in figures_table([matrix]).splitlines()[3].split()
    assert matrix.to_dict()["recall"] == [1.0, None, None]
    assert figure(float("nan")) == "-"


@pytest.mark.parametrize("counts", [[[1, 2], [3, 4]], [[1, 0, 0], [0, -1, 0], [0, 0, 1]], [[0.5] * 3] * 3])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="whole numbers"):
        ConfusionMatrix.from_counts(LABELS, counts)


def test_unknown_and_unequal_labels_are_refused():
    with pytest.raises(ValueError, match="measles"):
        ConfusionMatrix.from_labels(LABELS, ["covid19"], ["measles"])
    with pytest.raises(ValueError, match="2 actual, 1 predicted"):
        ConfusionMatrix.from_labels(LABELS, ["covid19", "covid19"], ["covid19"])
    with pytest.raises(ValueError, match="same classes"):
        counts_table([REGIONS, CASES])
