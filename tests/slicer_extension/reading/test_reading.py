import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.slicer_extension.cases import patches, screened

from pneumoscreen.case import Case, Cxr, ImageInfo, LungBox
from pneumoscreen.errors import CaseError
from pneumoscreen.verdict import decide
from PneumoScreenLib.reading.reading import Reading

AT = "2026-01-02T03:04:05Z"
LABELS = ("covid19", "influenza_a", "irrelevant")
BOX = ((100.0, 20.0, -170.0), (10.0, 11.0, 12.0))


def reading(case: Case | None = None, **more: Any) -> Reading:
    return Reading(case or screened(), **{"base": 2, "reader": "dr-a", "now": lambda: AT, **more})


def test_a_mark_moves_the_verdict_at_once() -> None:
    work, heard = reading(), []
    work.changed.connect(lambda: heard.append(work.case.verdict.label))
    assert work.case.verdict.label == "covid19"
    work.mark("r1", "irrelevant")
    assert heard == ["influenza_a"]
    assert work.case.verdict.rule == "single"
    mark = work.region("r1").reader
    assert (mark.label, mark.name, mark.at, mark.confidence) == ("irrelevant", "dr-a", AT, 1.0)
    assert work.is_modified
    work.undo()
    assert work.case.verdict.label == "covid19" and not work.is_modified


def test_states_of_regions() -> None:
    work = reading()
    work.accept("r1")
    work.mark("r2", "covid19")
    work.move("r3", (-70.0, 12.0, -180.0), (20.0, 16.0, 12.0))
    added = work.add(*BOX)
    assert [work.state(key) for key in ("r1", "r2", "r3", added)] == ["accepted", "corrected", "moved", "added"]
    assert reading().state("r1") == "open"
    # What stands in the document, which the training reads.
    assert [work.region(key).state for key in ("r1", "r2", "r3", added)] == ["accepted", "corrected", "open", "open"]
    assert work.region("r1").reader.label == "covid19"
    for _ in range(4):
        work.undo()
    assert work.region("r1").state == "open"


def test_a_word_that_is_no_label_is_refused() -> None:
    work = reading()
    with pytest.raises(ValueError, match="none of"):
        work.mark("r1", "flu")
    with pytest.raises(KeyError):
        work.mark("r9", "covid19")
    assert not work.is_modified and not work.can_undo


def test_the_same_mark_twice_is_one_step() -> None:
    work = reading()
    work.mark("r1", "covid19")
    work.mark("r1", "covid19")
    work.undo()
    assert not work.can_undo


def test_a_moved_region_loses_its_vote_and_keeps_its_mark() -> None:
    work = reading()
    work.mark("r1", "influenza_a")
    work.move("r1", (90.0, 5.0, -200.0), (22.0, 16.0, 12.0))
    moved = work.region("r1")
    assert (moved.patches, moved.label, moved.confidence) == ((), None, None)
    assert moved.reader.label == "influenza_a" and moved.source == "model" and moved.side == "left"
    work.move("r2", (55.0, -30.0, -150.0), (20.0, 16.0, 12.0))
    assert work.region("r2").opinion is None
    assert "Region 2" in work.problem()


def test_a_box_that_comes_back_from_the_scene_has_not_moved() -> None:
    work = reading()
    work.move("r1", (80.0 + 1e-9, 5.0, -200.0), (20.0, 16.0, 12.0))
    assert not work.can_undo and work.region("r1").patches


@pytest.mark.parametrize(("x", "side"), [(100.0, "left"), (30.0, "left"), (-30.0, "right"), (-90.0, "right")])
def test_left_is_where_x_of_lps_grows(x: float, side: str) -> None:
    work = reading()
    assert work.region(work.add((x, 0.0, -170.0), (5.0, 5.0, 5.0))).side == side
    work.move("r1", (x, 0.0, -170.0), (5.0, 5.0, 5.0))
    assert work.region("r1").side == side


def test_sides_of_a_scan_that_is_not_centred_follow_its_regions() -> None:
    shifted = screened()
    moved = tuple(
        type(r)(**{**vars(r), "center_mm": (r.center_mm[0] - 200.0, *r.center_mm[1:])}) for r in shifted.regions
    )
    work = reading(screened(regions=moved))
    assert work.region(work.add((-110.0, 0.0, -170.0), (5.0, 5.0, 5.0))).side == "left"
    assert work.region(work.add((-290.0, 0.0, -170.0), (5.0, 5.0, 5.0))).side == "right"


def test_a_new_box_needs_a_label_and_then_fits_the_contract() -> None:
    work = reading()
    added = work.add(*BOX)
    assert "new" in work.problem()
    work.mark(added, "covid19")
    assert work.problem() is None
    assert Case.from_dict(work.document()).regions[-1].source == "reader"
    with pytest.raises(ValueError, match="longer than 0"):
        work.add((0.0, 0.0, 0.0), (5.0, 0.0, 5.0))


def test_ids_of_deleted_regions_are_not_given_again() -> None:
    work = reading()
    work.delete("r3")
    assert work.add(*BOX) == "r4"


def test_deleting_selects_the_region_after() -> None:
    work = reading()
    work.select("r2")
    work.delete("r2")
    assert work.selected == "r3"
    work.delete("r3")
    assert work.selected == "r1"
    work.delete("r1")
    assert work.selected is None and work.case.verdict.label == "no_infection_found"
    work.undo()
    assert work.selected == "r1"


def test_stepping_goes_round() -> None:
    work, heard = reading(), []
    work.selection_changed.connect(lambda: heard.append(work.selected))
    work.select_next()
    work.select_previous()
    work.select_next()
    work.select("r1")
    assert heard == ["r1", "r3", "r1"]
    with pytest.raises(KeyError):
        work.select("r9")


def test_the_servers_answer_is_taken_in_and_is_no_step() -> None:
    work = reading()
    added = work.add(*BOX, label="influenza_a")
    answer = json.loads(json.dumps(work.case.to_dict()["regions"]))[-1]
    voted = {"patches": [vars(patch) for patch in patches("covid19", 0.7)], "label": "covid19", "confidence": 0.7}
    work.classified([{**answer, **voted, "source": "model", "reader": None, "side": "right"}])
    region = work.region(added)
    assert (region.label, region.confidence, region.side, len(region.patches)) == ("covid19", 0.7, "right", 3)
    assert region.reader.label == "influenza_a" and region.source == "reader"
    work.undo()
    assert not work.can_undo and len(work.case.regions) == 3
    work.redo()
    assert work.region(added).label == "covid19"


def test_an_answer_for_a_box_that_moved_meanwhile_is_dropped() -> None:
    work = reading()
    added = work.add(*BOX, label="covid19")
    answer = {**work.case.to_dict()["regions"][-1], "label": "covid19", "confidence": 0.5}
    work.move(added, (101.0, 20.0, -170.0), BOX[1])
    work.classified([answer])
    assert work.region(added).label is None


def test_a_diagnosis_is_of_the_case_list() -> None:
    work = reading()
    work.set_diagnosis("influenza_a")
    assert Case.from_dict(work.document()).diagnosis == "influenza_a"
    with pytest.raises(ValueError, match="none of"):
        work.set_diagnosis("irrelevant")
    work.set_diagnosis(None)
    assert not work.is_modified


def test_a_note_travels_among_the_notes_and_is_found_again() -> None:
    work = reading()
    for text in ("c", "ch", "check again\nin a week"):
        work.set_note(text)
    document = work.document()
    assert document["notes"] == ["the scan was turned", "Note of dr-a: check again\nin a week"]
    again = reading(Case.from_dict(document))
    assert again.note == "check again\nin a week" and reading(Case.from_dict(document), reader="dr-b").note == ""
    again.set_note("")
    assert again.document()["notes"] == ["the scan was turned"]
    work.undo()
    assert work.note == "" and not work.can_undo


def test_work_done_while_a_submission_is_on_its_way_is_still_to_be_submitted() -> None:
    work = reading()
    work.mark("r1", "irrelevant")
    work.document()
    work.mark("r2", "irrelevant")
    work.submitted(7)
    assert work.base == 7 and work.is_modified
    work.document()
    work.submitted(8)
    assert not work.is_modified


def test_a_draft_of_unnamed_boxes_comes_back() -> None:
    work = reading()
    work.mark("r1", "irrelevant")
    added = work.add(*BOX)
    work.select(added)
    again = Reading.from_draft(json.loads(json.dumps(work.to_draft())))
    assert (again.case, again.base, again.reader, again.selected) == (work.case, 2, "dr-a", added)
    assert again.is_modified and again.state(added) == "added" and again.state("r1") == "corrected"
    again.undo()
    assert again.case == screened()


@pytest.mark.parametrize("damage", [{"schema": "x"}, {"case": {}}, {"classes": None}, {"base": "2"}, {"opened": 3}])
def test_a_damaged_draft_is_refused_in_words(damage: dict[str, Any]) -> None:
    with pytest.raises(CaseError):
        Reading.from_draft({**reading().to_draft(), **damage})


def test_an_xray_is_corrected_without_the_rules_of_ct() -> None:
    cxr = Cxr(
        {"left": LungBox((1.0, 2.0, 3.0, 4.0))}, {"covid19": 0.7, "healthy": 0.1, "cap": 0.2}, {"left": 0.9}, "left"
    )
    case = Case("x1", "CXR", ImageInfo((100, 120), (1.0, 1.0), "ab"), cxr=cxr)
    work = reading(case)
    work.mark_xray("cap", "bipulmonary")
    work.mark_xray("cap", "bipulmonary")
    assert Case.from_dict(work.document()).cxr.reader["label"] == "cap"
    work.set_diagnosis("healthy")
    work.undo()
    work.undo()
    assert not work.can_undo and work.case.verdict is None


@st.composite
def _acts(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    numbers = st.integers(0, 5)
    place = st.tuples(*[st.floats(-150, 150, allow_nan=False)] * 3)
    size = st.tuples(*[st.floats(0.5, 60)] * 3)
    act = st.one_of(
        st.tuples(st.just("mark"), numbers, st.sampled_from(LABELS)),
        st.tuples(st.sampled_from(["accept", "delete"]), numbers),
        st.tuples(st.just("move"), numbers, place, size),
        st.tuples(st.just("add"), place, size),
        st.tuples(st.just("add"), place, size, st.sampled_from(LABELS)),
        st.tuples(st.just("set_diagnosis"), st.sampled_from([None, "covid19", "no_infection_found"])),
        st.tuples(st.just("set_note"), st.text(max_size=5)),
        st.tuples(st.sampled_from(["undo", "redo", "select_next"])),
    )
    return draw(st.lists(act, max_size=12))


def _do(work: Reading, act: tuple[Any, ...]) -> None:
    name, *values = act
    if name in ("mark", "accept", "delete", "move"):
        if not work.case.regions:
            return
        values[0] = work.case.regions[values[0] % len(work.case.regions)].id
    getattr(work, name)(*values)


@given(_acts())
def test_any_work_can_be_undone_redone_kept_and_submitted(acts: list[tuple[Any, ...]]) -> None:
    work = reading()
    for act in acts:
        _do(work, act)
        assert work.case.verdict == decide([r.opinion for r in work.case.regions if r.opinion is not None])
        assert work.selected is None or work.region(work.selected)
        assert work.is_modified == (work.case != screened())
    last = work.case
    again = Reading.from_draft(json.loads(json.dumps(work.to_draft())))
    assert again.case == last and again.is_modified == work.is_modified
    if work.problem() is None:
        assert Case.from_dict(json.loads(json.dumps(work.document()))) == last
    while work.can_redo:
        work.redo()
    end = work.case
    while work.can_undo:
        work.undo()
    assert work.case == screened() and not work.is_modified
    while work.can_redo:
        work.redo()
    assert work.case == end


def test_the_affected_share_follows_a_correction() -> None:
    regions = tuple(replace(region, infected_ml=21.0) for region in screened().regions)
    work = reading(screened(regions=regions))
    assert work.case.lungs["left"].affected_percent == pytest.approx(2.0)
    work.mark("r1", "irrelevant")
    assert work.case.lungs["left"].affected_percent == pytest.approx(1.0)
    work.mark("r2", "irrelevant")
    assert work.case.lungs["left"].affected_percent == 0.0
    work.undo()
    assert work.case.lungs["left"].affected_percent == pytest.approx(1.0)


def test_a_moved_region_has_no_infected_volume_until_the_server_has_seen_it() -> None:
    regions = tuple(replace(region, infected_ml=21.0) for region in screened().regions)
    work = reading(screened(regions=regions))
    work.move("r1", (90.0, 5.0, -200.0), (22.0, 16.0, 12.0))
    assert work.region("r1").infected_ml is None
    seen = replace(work.region("r1"), patches=patches("covid19", 0.8), infected_ml=4.0).with_vote()
    work.classified([seen])
    assert work.region("r1").infected_ml == 4.0
