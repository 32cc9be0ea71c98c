"""A case that comes in several turns: whatever happens between two of them, nothing is lost or left in the scene."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.slicer_extension.cases import many, measured
from tests.slicer_extension.doubles.headless_views import SliceView
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE, read_a_case

BOX = "vtkMRMLMarkupsROINode"
TURNS = 12
"""More than a case takes to come that follows one with a few regions."""


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    """A case is read, one region was corrected."""
    with running_panel(tmp_path) as running:
        running.views = [SliceView(running.double, "Red", "Axial")]
        running.show()
        read_a_case(running)
        running.session.correct("influenza_a")
        running.settle(20)
        yield running


def next_case(write_chest: Any, regions: Any = None) -> Any:
    from PneumoScreenLib.session.download import Opened

    case = measured() if regions is None else many()
    return Opened("next", str(write_chest("LPS")), {**case.to_dict(), "case_id": "next"}, 3, False)


def nodes(class_name: str) -> list[Any]:
    import slicer.util

    return list(slicer.util.getNodesByClass(class_name))


def volumes() -> list[str]:
    return [node.GetName() for node in nodes("vtkMRMLScalarVolumeNode")]


def arrived(panel: Panel) -> None:
    panel.wait(lambda: not panel.session.is_arriving and not panel.session.view.boxes.is_at_work)


def left(panel: Panel) -> None:
    """The turn in which the case before was left, and the next one is not shown yet."""
    while panel.session.reading is not None:
        panel.settle(1)


def test_it_comes_whole(panel: Panel, write_chest: Any) -> None:
    before = panel.kept
    panel.session.arrive(next_case(write_chest))
    assert panel.session.case_id == "phantom" and panel.session.reading is not None, "read on in the first turn"
    arrived(panel)
    session = panel.session
    assert session.case_id == "next" and session.base == 3 and session.reading.selected is not None
    assert volumes() == ["next"] and panel.kept == before
    assert panel.views[0].composite.GetBackgroundVolumeID() == session.view.volume.GetID()
    assert len(nodes(BOX)) == len(session.reading.case.regions)


def test_what_is_corrected_before_the_case_is_left_is_kept(panel: Panel, write_chest: Any) -> None:
    panel.session.arrive(next_case(write_chest))
    panel.session.correct("accept_rest")
    panel.session.note.type("typed last")
    arrived(panel)
    (kept,) = Path(panel.session.drafts.folder).glob("*.json")
    text = kept.read_text(encoding="utf-8")
    assert '"state": "open"' not in text.split('"case": ')[-1] and "typed last" in text
    panel.session.open_sample(str(SAMPLE))
    assert panel.session.case_id == "phantom"


@pytest.mark.parametrize("turns", range(TURNS))
def test_a_scene_that_is_closed_between_two_turns_has_nothing_of_either_case(
    panel: Panel, write_chest: Any, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    panel.session.arrive(next_case(write_chest))
    panel.settle(turns)
    panel.double.scene.Clear(False)
    arrived(panel)
    assert panel.session.case_id is None and panel.session.reading is None and volumes() == []
    assert not nodes(BOX)
    assert not [record for record in caplog.records if record.exc_info]
    assert panel.kept == ["phantom"]


@pytest.mark.parametrize("turns", range(TURNS))
def test_a_panel_that_is_reloaded_between_two_turns_leaves_one_volume_at_most(
    panel: Panel, write_chest: Any, turns: int
) -> None:
    panel.session.arrive(next_case(write_chest))
    panel.settle(turns)
    panel.widget.cleanup()
    panel._set_up()
    panel.settle(TURNS)
    assert len(volumes()) == 1 and panel.session.case_id is None
    assert not nodes(BOX)


@pytest.mark.parametrize("turns", range(TURNS))
def test_another_case_that_is_opened_between_two_turns_is_the_one_that_is_read(
    panel: Panel, write_chest: Any, turns: int
) -> None:
    ended: list[str] = []
    panel.session.arrive(next_case(write_chest), lambda: ended.append("next"))
    panel.settle(turns)
    panel.session.open_sample(str(SAMPLE))
    arrived(panel)
    assert ended == ["next"] and panel.session.case_id == "phantom" and len(volumes()) == 1
    regions = {each.id for each in panel.session.reading.case.regions}
    boxes = nodes(BOX)
    assert {node.GetAttribute("PneumoScreen.region") for node in boxes} == regions and len(boxes) == len(regions)


def test_keys_between_the_turns_correct_no_other_case(panel: Panel, write_chest: Any) -> None:
    found = next_case(write_chest)
    panel.session.arrive(found)
    left(panel)
    panel.session.correct("influenza_a")
    panel.session.select("r1")
    panel.session.place_box()
    arrived(panel)
    assert panel.session.case_id == "next" and not panel.session.reading.is_modified


def test_masks_of_the_case_before_that_come_between_the_turns_are_not_shown(panel: Panel, write_chest: Any) -> None:
    panel.session.arrive(next_case(write_chest))
    left(panel)
    panel.session.view.toggle_ground_glass()
    panel.session.view.toggle_ground_glass()
    assert panel.session.case_id == "phantom"
    panel.session.view.show_masks(str(write_chest("LPS")))
    arrived(panel)
    assert panel.session.view.masks.node is None


def test_a_file_that_cannot_be_read_leaves_the_case_before(panel: Panel, tmp_path: Path) -> None:
    from PneumoScreenLib.session.download import Opened

    rubbish = tmp_path / "rubbish.nrrd"
    rubbish.write_bytes(b"no volume")
    before = panel.session.reading
    panel.session.arrive(Opened("next", str(rubbish), None, 0, False))
    arrived(panel)
    assert panel.session.reading is before and panel.session.case_id == "phantom" and volumes() == ["phantom"]
    assert "rubbish.nrrd: delete the file and open the case again" in panel.said


def test_a_case_of_200_regions_comes_and_goes_and_its_table_is_whole(panel: Panel, write_chest: Any) -> None:
    panel.session.arrive(next_case(write_chest, many))
    panel.wait(lambda: panel.session.case_id == "next" and panel.session.reading is not None)
    table, count = panel.ui.regionTable, len(panel.session.reading.case.regions)
    assert table.rowCount == count and table.item(count - 1, 0) is None, "the last rows follow"
    panel.session.correct("select_previous")
    panel.session.correct("influenza_a")
    panel.wait(lambda: table.item(count - 1, 0) is not None)
    said = [table.item(row, 0).text() for row in range(count)]
    assert said == [str(number) for number in range(1, count + 1)]
    arrived(panel)
    read_a_case(panel)
    arrived(panel)
    assert table.rowCount == len(panel.session.reading.case.regions)
    assert len(nodes(BOX)) == table.rowCount
