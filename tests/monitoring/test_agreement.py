"""Agreement by period, models and condition: counts by hand, intervals beside scipy's and the bootstrap's."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from pneumoscreen.metrics.bootstrap import bootstrap_of_sums, ratio
from pneumoscreen.monitoring.agreement import (
    ADDED,
    DELETED,
    INFECTION,
    VERDICT,
    change_of,
    labels_changed,
    periods_of,
    rows_by,
    seen,
    settled_share,
)
from pneumoscreen.monitoring.shares import p_text, shares_of
from pneumoscreen.studies.versions import ADJUDICATION

from .clinic import CLEAR, INFECTED, Clinic, read, region, scan

FOUND = (region("r1", INFECTED), region("r2", INFECTED))
FLU = "influenza_a"


def clinic_of(folder: Path, said: list[str], days: float = 1.0, shown: bool | None = None) -> Clinic:
    """Each case is COVID-19 for the model; a reader says what the list holds, one case a number of days."""
    clinic = Clinic.at(folder)
    for number, label in enumerate(said):
        case = clinic.screen(scan(f"case-{number:03d}", FOUND), days * number)
        clinic.submit(read(case, "dr-ann", label, shown), "dr-ann", days * number + 0.1)
    return clinic


def test_months_and_numbers_of_cases_are_periods(tmp_path: Path) -> None:
    records = clinic_of(tmp_path, [INFECTED] * 3 + [FLU] + [CLEAR] * 2, days=10).records()["CT"]
    by_month = rows_by(records, records.submissions, periods_of(records.submissions, None))
    assert [(row.name, row.submissions) for row in by_month] == [("2026-01", 3), ("2026-02", 3)]
    verdicts = [(row.shares[VERDICT].part, row.shares[VERDICT].whole) for row in by_month]
    assert verdicts == [(3, 3), (0, 3)]
    assert [row.shares[INFECTION].part for row in by_month] == [3, 1], "influenza is an infection too"
    by_cases = rows_by(records, records.submissions, periods_of(records.submissions, 4))
    assert [(row.name, row.submissions) for row in by_cases] == [("1 to 4", 4), ("5 to 6", 2)]


def test_one_case_a_patient_has_wilson_s_interval(tmp_path: Path) -> None:
    records = clinic_of(tmp_path, [INFECTED] * 7 + [CLEAR] * 3).records()["CT"]
    (row,) = rows_by(records, records.submissions, lambda one: "all")
    expected = binomtest(7, 10).proportion_ci(method="wilson")
    found = row.shares[VERDICT].interval
    assert (found.estimate, found.low, found.high) == pytest.approx((0.7, expected.low, expected.high))
    assert row.shares[DELETED].part == 0 and row.shares[ADDED].whole == 10


def test_several_cases_of_a_patient_are_drawn_together() -> None:
    counts = np.array([[[1, 1]], [[1, 1]], [[1, 1]], [[0, 1]], [[0, 1]]])
    (share,) = shares_of(counts, ["a", "a", "a", "b", "c"])
    sums = np.array([[[3, 3]], [[0, 1]], [[0, 1]]])
    assert share.interval == bootstrap_of_sums(sums, lambda total: ratio(total[..., 0], total[..., 1]))[0]


def test_where_all_agree_the_number_of_patients_bounds_the_interval() -> None:
    (share,) = shares_of(np.ones((10, 1, 2), dtype=np.int64), ["a", "b"] * 5)
    assert (share.part, share.whole) == (10, 10)
    assert share.interval.low == pytest.approx(binomtest(2, 2).proportion_ci(method="wilson").low)
    assert share.interval.low < 0.4
    assert np.isnan(shares_of(np.zeros((0, 1, 2), dtype=np.int64), [])[0].interval.low)


def test_readers_who_had_not_seen_the_model_stand_apart(tmp_path: Path) -> None:
    clinic = clinic_of(tmp_path, [INFECTED] * 4, shown=True)
    case = scan("case-000", FOUND)
    clinic.submit(read(case, "dr-bob", CLEAR, False), "dr-bob", 9)
    clinic.submit(read(case, "dr-eve", CLEAR), "dr-eve", 9)
    submissions = clinic.records()["CT"].submissions
    assert [one.reader for one in seen(submissions, False)] == ["dr-bob"]
    assert len(seen(submissions, True)) == 5, "what is not told counts as seen"


def test_labels_are_readers_down_and_the_model_along(tmp_path: Path) -> None:
    records = clinic_of(tmp_path, [INFECTED] * 3 + [FLU] * 2 + [CLEAR]).records()["CT"]
    found = labels_changed(records, records.submissions)
    assert found is not None and found.matrix.labels == (INFECTED, FLU, CLEAR)
    assert found.matrix.counts.tolist() == [[3, 0, 0], [2, 0, 0], [1, 0, 0]]


def test_a_change_is_fisher_s_over_one_case_a_patient(tmp_path: Path) -> None:
    clinic = clinic_of(tmp_path, [INFECTED] * 40 + [CLEAR] * 20 + [INFECTED] * 20)
    records = clinic.records()["CT"]
    found = change_of(records.submissions, records.models, 40, 30)
    assert found is not None and (found.before, found.newest) == ((40, 40), (20, 40))
    assert found.p == pytest.approx(fisher_exact([[40, 0], [20, 20]]).pvalue) and found.drop == 0.5
    assert change_of(records.submissions, records.models, 40, 41) is None
    assert change_of(records.submissions, "other models", 40, 30) is None
    clinic.patients = {f"case-{number:03d}": str(number // 2) for number in range(80)}
    clinic.list_patients()
    assert change_of(clinic.records()["CT"].submissions, records.models, 40, 30) is None, "40 patients are too few"


def test_adjudications_are_counted_apart(tmp_path: Path) -> None:
    clinic = clinic_of(tmp_path, [CLEAR] * 3)
    for number, label in enumerate((INFECTED, CLEAR)):
        clinic.submit(read(scan(f"case-{number:03d}", FOUND), "dr-eve", label), "dr-eve", 9, ADJUDICATION)
    share = settled_share(clinic.records()["CT"].last_words)
    assert (share.part, share.whole) == (1, 2)


def test_chances_in_words() -> None:
    assert [p_text(p) for p in (1.0, 0.0123, 1e-9)] == ["p = 1", "p = 0.012", "p below 0.0001"]
