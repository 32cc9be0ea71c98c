"""Kappa against scikit-learn, and what of two documents is compared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from pneumoscreen.case import Case, ImageInfo, ModelInfo, ReaderMark, Region
from pneumoscreen.metrics.agreement import ReadCase, kappa_of, model_agreements, reader_agreements
from pneumoscreen.metrics.confusion import ConfusionMatrix
from pneumoscreen.verdict import DEFAULT_CLASSES

LABELS = DEFAULT_CLASSES.patch_labels
labels = st.sampled_from(LABELS)


def region(number: int, vote: str | None, mark: str | None, reader: str = "ann", shift: float = 0.0) -> Region:
    return Region(
        id=f"r{number}",
        source="model" if vote else "reader",
        center_mm=(50.0 * number + shift, 0.0, 0.0),
        size_mm=(20.0, 20.0, 20.0),
        score=0.5,
        side="left",
        label=vote,
        confidence=0.8 if vote else None,
        reader=ReaderMark(mark, reader, "2026-01-01T00:00:00Z") if mark else None,
    )


def document(*regions: Region, models: bool = True) -> Case:
    versions = {"ct_classifier": ModelInfo(1, "ab")} if models else {}
    return Case("case", "CT", ImageInfo((9, 9, 9), (1.0, 1.0, 1.0), "ab"), regions=regions, models=versions)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=50))
def test_kappa_is_that_of_scikit_learn(pairs):
    first, second = zip(*pairs, strict=True)
    kappa, observed = kappa_of(ConfusionMatrix.from_labels(LABELS, first, second).counts[None])[0]
    assert observed == pytest.approx(np.mean([a == b for a, b in pairs]))
    if len({*first, *second}) == 1:
        assert np.isnan(kappa)
    else:
        assert kappa == pytest.approx(cohen_kappa_score(first, second, labels=LABELS))


def test_identical_readings_agree_fully_and_swapped_ones_less_than_by_chance():
    same = ConfusionMatrix.from_labels(LABELS, LABELS, LABELS).counts
    swapped = ConfusionMatrix.from_labels(LABELS, LABELS, LABELS[1:] + LABELS[:1]).counts
    kappas = kappa_of(np.stack([same, swapped]))[:, 0]
    assert kappas[0] == pytest.approx(1.0)
    assert kappas[1] < 0.0


def test_against_the_model_marks_count_beside_votes_and_the_case_as_a_whole():
    read = document(
        region(1, "covid19", "influenza_a"),
        region(2, "irrelevant", "irrelevant"),
        region(3, "covid19", None),  # let stand: perhaps never looked at
        region(4, None, "influenza_a"),  # drawn: the model said nothing of it
        region(5, "covid19", "irrelevant", reader="bob"),  # another's word
    )
    regions, case = model_agreements([ReadCase("case", "patient", {"ann": read})], DEFAULT_CLASSES)
    assert (regions.first, regions.second, regions.level, regions.matrix.total) == ("ann", "model", "regions", 2)
    assert regions.observed.estimate == 0.5
    assert regions.matrix.counts[1, 0] == 1
    # Signed: influenza A with confidence 1 twice, COVID-19 once; the model: COVID-19 three times.
    assert case.matrix.counts.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_a_document_that_no_model_saw_says_nothing_of_it():
    truth = document(region(1, None, "covid19"), models=False)
    assert model_agreements([ReadCase("case", "patient", {"ann": truth})], DEFAULT_CLASSES) == []


def test_two_readers_are_compared_region_by_region_wherever_the_ids_stand():
    first = document(region(1, "covid19", "irrelevant"), region(2, "irrelevant", None), region(3, None, "covid19"))
    second = document(
        region(3, None, "influenza_a", "bob", shift=4.0),
        region(1, "covid19", None, "bob"),
        region(2, "irrelevant", None, "bob"),
        region(9, None, "covid19", "bob"),
    )
    both = ReadCase("case", "patient", {"ann": first, "bob": second})
    alone = ReadCase("other", "other", {"ann": first})
    regions, case = reader_agreements([both, alone], DEFAULT_CLASSES)
    assert (regions.first, regions.second, regions.cases, regions.alone) == ("ann", "bob", 1, 1)
    expected = ConfusionMatrix.from_labels(
        LABELS, ["irrelevant", "irrelevant", "covid19"], ["covid19", "irrelevant", "influenza_a"]
    )
    assert np.array_equal(regions.matrix.counts, expected.counts)
    assert case.matrix.total == 1
    assert np.isnan(case.kappa.low)  # one patient


def test_cases_of_one_patient_are_one_cluster():
    read = [
        ReadCase(f"case-{i}", f"patient-{i // 2}", {"ann": document(region(1, "covid19", mark))})
        for i, mark in enumerate(["covid19", "irrelevant", "covid19", "covid19"])
    ]
    regions, _ = model_agreements(read, DEFAULT_CLASSES)
    assert (regions.cases, regions.patients) == (4, 2)
    assert (regions.observed.low, regions.observed.high) == (0.5, 1.0)
