"""The earlier scan of a patient: found in the worklist, fetched, shown beside the case and gone with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from tests.slicer_extension.chest import chest
from tests.slicer_extension.doubles.headless_views import SliceView, ThreeDView
from tests.slicer_extension.doubles.running_panel import Panel, running_panel

from PneumoScreenLib.background import in_one_turn

CASES = [
    {"id": "now", "patient": "f3", "acquired": "2026-05-02T10:00:00", "modality": "CT", "state": "new"},
    {"id": "older", "patient": "f3", "acquired": "2026-01-20T09:00:00", "modality": "CT", "state": "done"},
    {"id": "oldest", "patient": "f3", "acquired": "2025-11-02T09:00:00", "modality": "CT", "state": "done"},
    {"id": "later", "patient": "f3", "acquired": "2026-06-01T09:00:00", "modality": "CT", "state": "done"},
    {"id": "picture", "patient": "f3", "acquired": "2026-04-01T09:00:00", "modality": "CXR", "state": "done"},
    {"id": "undated", "patient": "f3", "acquired": None, "modality": "CT", "state": "done"},
    {"id": "somebody", "patient": "0a", "acquired": "2026-04-20T09:00:00", "modality": "CT", "state": "done"},
    {"id": "unknown", "patient": None, "acquired": "2026-04-20T09:00:00", "modality": "CT", "state": "done"},
    {"id": "bare", "state": "done"},
]


def test_the_last_scan_before_this_one_and_nobody_elses(panel: Panel) -> None:
    from PneumoScreenLib.session.prior import prior_of

    assert prior_of(CASES, "now")["id"] == "older"
    assert prior_of(CASES, "oldest") is None and prior_of(CASES, "picture") is None
    assert prior_of(CASES, "unknown") is None, "two without a name are not one patient"
    assert prior_of(CASES, "undated") is None and prior_of(CASES, "bare") is None
    assert prior_of(CASES, None) is None and prior_of([], "now") is None


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """A case of the worklist is open; downloads are answered from a folder."""
    for name, height in (("now", 0.0), ("older", 200.0)):
        image = chest()
        image.SetOrigin(np.add(image.GetOrigin(), (0.0, 0.0, height)).tolist())
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    with running_panel(tmp_path / "settings") as running:
        running.views = [
            SliceView(running.double, name, orientation, (200, 200))
            for name, orientation in (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal"))
        ]
        running.views.append(ThreeDView(running.double, size=(200, 200)))
        running.show()

        def run(name: str, args: dict[str, Any], done: Any, *rest: Any) -> None:
            assert name == "download"
            done(str(tmp_path / f"{args['case_id']}.nrrd"))

        monkeypatch.setattr(running.logic.asking, "run", run)
        running.logic.connection.cases = CASES
        in_one_turn(running.session._show("now", str(tmp_path / "now.nrrd"), on_server=True))
        yield running


def test_it_is_shown_and_put_away_by_one_button(panel: Panel) -> None:
    button, beside = panel.ui.priorButton, panel.session.view.beside
    assert button.enabled and "2026-01-20" in button.toolTip and not button.checked
    button.click()
    assert beside.volume is not None and button.checked and "2026-01-20" in panel.said
    panel.session.view.set_window("mediastinum")
    assert beside.volume.GetDisplayNode().GetWindow() == 400.0
    button.click()
    assert beside.volume is None and not button.checked


def test_it_goes_with_the_case(panel: Panel, tmp_path: Path) -> None:
    panel.ui.priorButton.click()
    in_one_turn(panel.session._show("oldest", str(tmp_path / "older.nrrd"), on_server=True))
    assert panel.session.view.beside.volume is None
    assert not panel.ui.priorButton.enabled and "knows of no" in panel.ui.priorButton.toolTip
    panel.session.view.boxes.watch()
    shown = {view.composite.GetBackgroundVolumeID() for view in panel.views[:3]}
    assert shown == {panel.session.view.volume.GetID()}


def test_the_scene_may_close_while_it_is_shown(panel: Panel) -> None:
    panel.ui.priorButton.click()
    panel.double.scene.Clear(False)
    panel.settle()
    assert panel.session.view.beside.volume is None and panel.session.case_id is None
