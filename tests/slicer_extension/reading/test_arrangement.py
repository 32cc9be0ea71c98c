"""The order of the regions: what matters first, by any column, and what a reader has still to look at."""

import pytest
from tests.slicer_extension.cases import measured, screened

from PneumoScreenLib.reading.arrangement import EDGE, ML, MM, NUMBER, SIDE, STATE, SURE, TYPE, VOTES, numbers_of
from PneumoScreenLib.reading.reading import Reading


@pytest.fixture
def reading() -> Reading:
    return Reading(measured(), reader="dr-a")


def test_what_matters_comes_first_and_has_the_first_number(reading: Reading) -> None:
    assert reading.shown() == ["r4", "r3", "r6", "r5", "r1", "r2"]
    assert reading.numbers == {"r4": 1, "r3": 2, "r6": 3, "r5": 4, "r1": 5, "r2": 6}


def test_a_correction_makes_no_row_jump(reading: Reading) -> None:
    before = reading.shown()
    reading.mark("r4", "irrelevant")
    added = reading.add((10.0, 0.0, -100.0), (10.0, 10.0, 10.0))
    assert reading.shown() == [*before, added] and reading.numbers[added] == 7
    reading.delete("r3")
    assert reading.numbers["r6"] == 3, "numbers stay when another region goes"


@pytest.mark.parametrize(
    ("column", "order"),
    [
        (NUMBER, ["r4", "r3", "r6", "r5", "r1", "r2"]),
        (TYPE, ["r4", "r6", "r5", "r1", "r3", "r2"]),
        (SURE, ["r5", "r3", "r2", "r1", "r4", "r6"]),
        (ML, ["r1", "r5", "r6", "r3", "r2", "r4"]),
        (STATE, ["r3", "r6", "r5", "r1", "r2", "r4"]),
    ],
)
def test_every_column_sorts(reading: Reading, column: int, order: list[str]) -> None:
    reading.accept("r4")
    if column == SURE:
        reading.undo()
    if column != NUMBER:
        reading.arrangement.sort_by(column)
    assert reading.shown() == order
    reading.arrangement.sort_by(column)
    assert reading.arrangement.is_descending
    for other in (SIDE, MM, VOTES, EDGE):
        reading.arrangement.sort_by(other)
        assert sorted(reading.shown()) == sorted(order)


def test_a_region_without_a_value_comes_last_either_way(reading: Reading) -> None:
    reading.move("r4", (0.0, 0.0, 0.0), (9.0, 9.0, 9.0))
    reading.arrangement.sort_by(ML)
    assert reading.shown()[-1] == "r4"
    reading.arrangement.sort_by(ML)
    assert reading.shown()[-1] == "r4" and reading.shown()[0] == "r2"


def test_open_only_leaves_out_what_was_read_and_steps_by_the_rest(reading: Reading) -> None:
    reading.arrangement.only_open = True
    reading.accept("r4")
    reading.mark("r6", "influenza_a")
    assert reading.shown() == ["r3", "r5", "r1", "r2"]
    reading.select("r3")
    reading.select_next()
    assert reading.selected == "r5"


def test_the_next_open_region_is_found_round_the_end(reading: Reading) -> None:
    reading.accept("r4")
    assert reading.next_open("r2") == "r3"
    reading.accept_rest()
    assert reading.next_open("r2") is None


def test_the_rest_is_accepted_in_one_step(reading: Reading) -> None:
    reading.mark("r4", "influenza_a")
    reading.accept_rest()
    states = {each.id: each.state for each in reading.case.regions}
    assert states.pop("r4") == "corrected" and set(states.values()) == {"accepted"}
    reading.undo()
    assert [each.state for each in reading.case.regions].count("open") == 5


def test_what_was_not_looked_at_is_not_submitted_as_agreed(reading: Reading) -> None:
    reading.accept("r4")
    document = reading.document()
    told = {each["id"]: (each["state"], each["reader"] is None) for each in document["regions"]}
    assert told.pop("r4") == ("accepted", False)
    assert set(told.values()) == {("open", True)}


def test_numbers_are_the_tables_in_what_the_reader_is_told(reading: Reading) -> None:
    reading.move("r6", (0.0, 0.0, 0.0), (9.0, 9.0, 9.0))
    assert (reading.problem() or "").startswith("Region 3 was moved")


def test_numbers_of_regions_that_all_weigh_the_same_keep_the_documents_order() -> None:
    regions = screened().regions
    assert numbers_of(regions, regions) == {"r1": 1, "r2": 2, "r3": 3}
