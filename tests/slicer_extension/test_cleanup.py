"""What a panel leaves behind: nothing. A module is reloaded many times in a developer's day."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.slicer_extension.cases import many
from tests.slicer_extension.doubles.headless_views import SliceView, ThreeDView
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.doubles.slicer_double import SlicerDouble
from tests.slicer_extension.session.test_session import read_a_case


def observers(thing: Any) -> int:
    """How many observers an object of VTK has."""
    newest = thing.AddObserver("AnyEvent", lambda caller, event: None)
    thing.RemoveObserver(newest)
    return sum(thing.GetCommand(tag) is not None for tag in range(1, newest))


def watched(panel: Panel) -> dict[str, int]:
    """The observers of the scene, of the views' nodes and of their interactors."""
    things = {"scene": panel.double.scene}
    for view in panel.views:
        things[f"{view.node.GetID()} node"] = view.node
        things[f"{view.node.GetID()} mouse"] = view.interactor()
        if isinstance(view, SliceView):
            things[f"{view.node.GetID()} layers"] = view.composite
    interaction = panel.double.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    return {name: observers(thing) for name, thing in {**things, "interaction": interaction}.items()}


def set_up_again(panel: Panel) -> dict[str, int]:
    """Set a panel up anew; returns what was watched without it."""
    panel.widget.cleanup()
    panel._set_up()
    panel.widget.cleanup()
    before = watched(panel)
    panel._set_up()
    return before


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        running.views = [SliceView(running.double, "Red", "Axial"), ThreeDView(running.double)]
        yield running


def test_a_panel_that_goes_leaves_no_observer_and_no_box(panel: Panel) -> None:
    before = set_up_again(panel)
    read_a_case(panel)
    panel.session.place_box()
    assert watched(panel) != before
    panel.widget.cleanup()
    assert watched(panel) == before
    assert panel.double.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 0


def test_a_panel_that_goes_amid_the_filling_of_a_large_case_leaves_neither(panel: Panel) -> None:
    from PneumoScreenLib.reading.reading import Reading

    before = set_up_again(panel)
    read_a_case(panel)
    panel.session.show(Reading(many(), reader="dr-a"))
    panel.settle()
    assert 1 < panel.double.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") < 100
    panel.widget.cleanup()
    panel.settle()
    assert watched(panel) == before
    assert panel.double.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 0


def test_a_panel_that_was_set_up_by_half_is_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_panel(tmp_path) as panel:
        widget = panel._widget_class(panel.window)
        widget.cleanup()
        monkeypatch.setattr(panel._widget_class, "resourcePath", lambda self, name: 1 / 0)
        widget = panel._widget_class(panel.window)
        with pytest.raises(ZeroDivisionError):
            widget.setup()
        widget.enter()
        widget.exit()
        widget.cleanup()


def test_panels_are_closed_where_the_last_one_cannot_be_made(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    import PneumoScreen

    monkeypatch.setattr(PneumoScreen, "TrainingPanel", lambda *values: 1 / 0)
    panel.widget.cleanup()
    widget = panel._widget_class(panel.window)
    with pytest.raises(ZeroDivisionError):
        widget.setup()
    worklist = next(each for each in widget.panels if type(each).__name__ == "WorklistPanel")
    assert worklist._follow.active
    widget.cleanup()
    assert not worklist._follow.active and widget.panels == []


def test_after_a_reload_a_click_counts_once(panel: Panel) -> None:
    heard: list[str] = []
    read_a_case(panel)
    panel.session.view.boxes.picked.connect(heard.append)
    panel.reload()
    panel.widget.enter()
    read_a_case(panel)
    panel.session.view.boxes.picked.connect(heard.append)
    region = panel.session.reading.case.regions[1]
    panel.session.view.look_at(region)
    panel.session.view.boxes.select("r1")
    from PneumoScreenLib.contract import lps_to_ras

    panel.views[0].click(*panel.views[0].place_of(lps_to_ras(region.center_mm)))
    assert heard == ["r2"]
    panel.session.correct("influenza_a")
    assert len(panel.session.reading._history._states) == 2


def test_a_reload_brings_the_package_anew(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    import PneumoScreenLib.keys

    assert PneumoScreenLib.keys
    panel.widget.onReload()
    assert not [name for name in sys.modules if name.startswith("PneumoScreenLib")]


def test_a_reload_in_place_as_slicer_5_6_does_it_ends_the_old_panel(panel: Panel) -> None:
    import sys

    import PneumoScreen

    worklist = next(each for each in panel.widget.panels if type(each).__name__ == "WorklistPanel")
    assert worklist._follow.active
    known = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "PneumoScreenLib"}
    classes = dict(vars(PneumoScreen))
    panel.widget.onReload()
    source = Path(PneumoScreen.__file__).read_text(encoding="utf-8")
    try:
        exec(compile(source, PneumoScreen.__file__, "exec"), vars(PneumoScreen))
        panel.widget.cleanup()
        assert not worklist._follow.active and panel.widget.logic is None
    finally:
        vars(PneumoScreen).update(classes)
        sys.modules.update(known)


def test_buttons_of_a_panel_that_goes_follow_no_width_any_more(panel: Panel) -> None:
    panel.show(380)
    panel.ui.sampleButton.click()
    panel.settle(10)
    every = [rows for each in panel.widget.panels for rows in getattr(each, "_rows", ()) if hasattr(rows, "rows")]
    assert len(every) == 7
    panel.show(900)
    panel.settle(10)
    (labels,) = (rows for rows in every if rows._frame.name == "labelFrame")
    assert len(labels.rows) == 1
    panel.widget.cleanup()
    panel.show(200)
    panel.settle(10)
    assert len(labels.rows) == 1


def test_two_doubles_in_a_row_share_nothing(tmp_path: Path) -> None:
    double = SlicerDouble()
    before = observers(double.scene)
    panel = Panel(double, tmp_path)
    panel.close()
    assert observers(double.scene) == before
    double.close()
