"""A chest X-ray in the panel, against a real server: open, screen, see what spoke for it, correct, submit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from tests.server.conftest import RunningServer, both_models, model_root, phantom, serving
from tests.slicer_extension.doubles.running_panel import Panel, running_panel

from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture

# The fixtures of the server's tests, used here by their names.
__all__ = ["both_models", "model_root", "phantom"]

CASE = "chest-1"


@pytest.fixture(scope="module")
def clinic(both_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one X-ray and narrow networks of both methods."""
    studies = tmp_path_factory.mktemp("clinic")
    write_picture(generate_radiograph(1, "covid19", RadiographSpec(size=256)).radiograph, studies / f"{CASE}.png")
    with serving(studies, both_models, tmp_path_factory) as server:
        yield server


@pytest.fixture
def panel(clinic: RunningServer, tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path, address=clinic.client.address) as running:
        running.show()
        yield running


def test_an_xray_is_screened_explained_corrected_and_submitted(panel: Panel, clinic: RunningServer) -> None:
    panel.connect()
    panel.open(CASE)
    panel.screen()
    findings = panel.session.reading.case.cxr
    best = max(findings.probabilities.values())
    assert panel.ui.xrayVerdictLabel.text.endswith(f"{100 * best:.0f}\u00a0%")
    assert findings.boxes["left"][0] > findings.boxes["right"][0], "the patient's left is on the right"

    panel.wait(lambda: panel.session.view.has_heat)
    heat = panel.session.view.heat.values
    columns, rows = panel.session.reading.case.image.size
    assert heat.shape == (rows, columns) and heat.max() == 255
    boxes = np.array(list(findings.boxes.values()))
    outside = heat.copy()
    x0, y0 = np.floor(boxes[:, :2].min(axis=0)).astype(int)
    x1, y1 = np.ceil((boxes[:, :2] + boxes[:, 2:]).max(axis=0)).astype(int)
    outside[y0 : y1 + 1, x0 : x1 + 1] = 0
    assert not outside.any(), "what spoke for the verdict lies in the lungs' rectangle"
    assert panel.ui.xrayHeatCheck.visible

    panel.session.reading.mark_xray("cap", "right")
    assert panel.ui.submitButton.visible and panel.ui.submitButton.enabled
    panel.ui.submitButton.click()
    panel.wait(lambda: panel.logic.connection.cases and panel.logic.connection.cases[0]["state"] == "done")
    answer = requests.get(f"{clinic.client.address}/pneumoscreen/annotations/{CASE}/1", timeout=10).json()
    said = answer["document"]["cxr"]["reader"]
    assert (said["label"], said["location"], said["name"]) == ("cap", "right", "dr-a")
    assert answer["document"]["modality"] == "CXR"
