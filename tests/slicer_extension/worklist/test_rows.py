import pytest

from PneumoScreenLib.worklist.rows import STATES, arranged, counts_in_words, rows_of, unknown_columns

CASES = [
    {"id": "ct-10", "state": "done", "verdict": "covid19", "uncertainty": 0.2, "confidence": 0.9},
    {"id": "ct-9", "state": "new", "verdict": None, "uncertainty": None},
    {"id": "ct-2", "state": "in_progress", "verdict": "influenza_a", "uncertainty": 0.7, "lease": {"reader": "dr-b"}},
    {"id": "Other", "state": "new", "error": "it shows no lungs", "uncertainty": None},
]


def ids(**how: object) -> list[str]:
    return [row.case_id for row in arranged(rows_of(CASES), **how)]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, ["ct-2", "ct-9", "ct-10", "Other"]),
        ({"descending": True}, ["Other", "ct-10", "ct-9", "ct-2"]),
        ({"column": "uncertainty"}, ["ct-10", "ct-2", "ct-9", "Other"]),
        ({"column": "uncertainty", "descending": True}, ["ct-2", "ct-10", "ct-9", "Other"]),
        ({"column": "state"}, ["ct-9", "Other", "ct-2", "ct-10"]),
        ({"column": "verdict"}, ["ct-10", "ct-2", "ct-9", "Other"]),
        ({"state": "New"}, ["ct-9", "Other"]),
        ({"search": "CT progress"}, ["ct-2"]),
        ({"search": "dr-b"}, ["ct-2"]),
        ({"search": "covid"}, ["ct-10"]),
        ({"search": "nothing of this"}, []),
    ],
)
def test_search_state_and_order(how: dict[str, object], expected: list[str]) -> None:
    assert ids(**how) == expected


def test_cells_in_plain_words() -> None:
    texts = {row.case_id: row.texts for row in rows_of(CASES)}
    assert texts["ct-10"][:4] == ("ct-10", "Done", "COVID-19", "0.20")
    assert texts["ct-9"][:4] == ("ct-9", "New", "–", "–")
    assert texts["Other"][2] == "Failed"
    explanations = {row.case_id: row.explanation for row in rows_of(CASES)}
    assert explanations["ct-10"] == "confidence 90 %" and explanations["ct-2"] == "with dr-b"
    assert explanations["Other"] == "it shows no lungs"
    in_full = {row.case_id: row.in_full for row in rows_of(CASES)}
    assert in_full["Other"] == "Other: it shows no lungs" and in_full["ct-9"] == "ct-9"


def test_patient_day_age_and_priority_stand_in_cells_and_explanation() -> None:
    known = {"priority": 2, "acquired": "2020-01-31", "age": 62, "patient": "3fa9c21b0d4e"}
    rows = rows_of([{"id": "a", "state": "screened", **known}, {"id": "b", "state": "done", "age": 5}])
    assert rows[0].texts[4:] == ("2", "2020-01-31", "62", "3fa9c21b0d4e")
    assert rows[1].texts[4:] == ("–", "–", "5", "–")
    assert rows[0].explanation == "priority 2, taken on 2020-01-31, age 62, patient 3fa9c21b0d4e"
    assert arranged(rows, "3fa9c21b0d4e 2020-01") == [rows[0]]


@pytest.mark.parametrize("column", ["priority", "acquired", "age", "patient"])
def test_what_is_not_known_comes_last_either_way(column: str) -> None:
    values = {"priority": (10, 9), "acquired": ("2020-02-01", "2019-12-31"), "age": (9, 8), "patient": ("ff", "0a")}
    high, low = values[column]
    rows = rows_of([{"id": "h", column: high}, {"id": "none"}, {"id": "l", column: low}])
    assert [row.case_id for row in arranged(rows, column=column)] == ["l", "h", "none"]
    assert [row.case_id for row in arranged(rows, column=column, descending=True)] == ["h", "l", "none"]


def test_a_column_that_no_case_has_is_left_out() -> None:
    assert unknown_columns(rows_of(CASES)) == [4, 5, 6, 7]
    assert unknown_columns(rows_of([*CASES, {"id": "x", "age": 0}, {"id": "y", "patient": "0a"}])) == [4, 5]
    assert unknown_columns([]) == [4, 5, 6, 7]


def test_counts() -> None:
    rows = rows_of(CASES)
    assert counts_in_words(rows, rows) == "4 cases, 1 done"
    assert counts_in_words(rows, rows[:1]) == "1 of 4 cases, 1 done"
    assert counts_in_words([], []) == "No cases."
    assert STATES == ("", "New", "Screened", "In progress", "Done")


def test_a_type_that_cannot_be_told_is_not_named() -> None:
    said = {"id": "ct-1", "state": "screened", "verdict": "covid19", "confidence": 0.5, "infection": 0.93}
    unknown, undecided, decided = rows_of([said, {**said, "decided": False}, {**said, "decided": True}])
    assert [row.texts[2] for row in (unknown, undecided, decided)] == ["COVID-19", "Type undecided", "COVID-19"]
    assert undecided.explanation == "infection 93 %"
    assert decided.explanation == "infection 93 %, confidence 50 %"
    (failed,) = rows_of([{**said, "decided": False, "error": "it shows no lungs"}])
    assert failed.texts[2] == "Failed"
    assert arranged([undecided, decided], "undecided") == [undecided]
    assert arranged([undecided, decided], column="verdict") == [decided, undecided]
