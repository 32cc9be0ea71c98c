"""Tables 1 to 6 of Xu et al. 2020 from their counts, and the algebra of the figures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from pneumoscreen.ct.figures.summary import CASES, PATCHES_M1, PATCHES_M2, REGIONS
from pneumoscreen.ct.learning.comparison import _mean_f1_and_difference
from pneumoscreen.cxr.figures.figures import figures_of as radiograph_figures
from pneumoscreen.metrics.confusion import ConfusionMatrix, counts_table, figure, figures_of, figures_table, mean_f1
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


COUNTS = hnp.arrays(np.int64, (3, 3), elements=st.integers(0, 4))


@given(COUNTS)
def test_there_is_one_mean_f1_over_the_classes_that_have_items(counts):
    """Tables, the comparison before a publication, the training's own figure and the X-ray page all say the same."""
    labels = ("covid19", "influenza_a", "irrelevant")
    has_items = counts.sum(axis=1) > 0
    found = [
        ConfusionMatrix.from_counts(labels, counts).mean_f1,
        float(mean_f1(counts)),
        float(figures_of(counts[None])[0, -2]),
        float(_mean_f1_and_difference(counts[None, None])[0, 0]),
        float(radiograph_figures(np.pad(counts, ((0, 0), (0, 1)))[None])[0, 15]),
    ]
    if not has_items.any():
        assert np.isnan(found).all()
        return
    actual, taken = np.repeat(labels, counts.sum(axis=1)), np.concatenate([np.repeat(labels, row) for row in counts])
    expected = f1_score(actual, taken, labels=np.array(labels)[has_items], average="macro")
    assert found == pytest.approx([expected] * len(found))


def test_a_class_that_nobody_has_costs_its_own_items_alone():
    counts = [[9, 0, 1], [0, 0, 0], [0, 1, 9]]
    matrix = ConfusionMatrix.from_counts(("covid19", "influenza_a", "irrelevant"), counts)
    assert np.isnan(matrix.f1[1]) and matrix.precision[1] == 0.0
    assert matrix.mean_f1 == pytest.approx((18 / 19 + 18 / 20) / 2)


def test_items_that_were_not_screened_are_missed_and_stand_in_a_column():
    labels = ("covid19", "influenza_a", "no_infection_found")
    matrix = ConfusionMatrix.of_columns(labels, np.array([[2, 0, 1, 1], [0, 3, 0, 0], [0, 0, 4, 1]]))
    assert (matrix.total, matrix.unscreened) == (12, (1, 0, 1))
    assert matrix.recall.tolist() == pytest.approx([0.5, 1.0, 0.8])
    assert matrix.precision.tolist() == pytest.approx([1.0, 1.0, 0.8])
    assert matrix.accuracy == pytest.approx(9 / 12)
    assert (matrix + matrix).unscreened == (2, 0, 2)
    assert matrix.to_dict()["unscreened"] == [1, 0, 1]
    lines = counts_table([matrix]).splitlines()
    assert lines[0].endswith("not screened") and lines[2].split()[-1] == "1"
    assert "not screened" not in counts_table([CASES])
