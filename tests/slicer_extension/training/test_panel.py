"""Training from the panel, against a real server: started, watched, stopped, told how it ended, rolled back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.server.conftest import RunningServer, model_root, phantom
from tests.server.work.test_train_tasks import clinic, labelled, models, place
from tests.slicer_extension.doubles.running_panel import Panel, running_panel

from pneumoscreen.models.store import ModelStore

# The fixtures of the server's tests, used here by their names.
__all__ = ["clinic", "labelled", "model_root", "models", "phantom", "place"]

LIMIT_S = 240.0
TURN_S = 0.05
CARD = ("network", "data", "seed", "command", "figures", "licence")


@pytest.fixture
def panel(clinic: RunningServer, tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path, address=clinic.client.address) as running:
        running.show()
        running.ui.trainSection.collapsed = False
        running.connect()
        yield running


def test_a_training_is_started_watched_and_stopped_while_the_panel_stays_quick(panel: Panel) -> None:
    panel.wait(lambda: panel.ui.startTrainButton.enabled)
    assert not panel.ui.stopTrainButton.enabled and panel.ui.stopTrainButton.toolTip == "No training is running."
    panel.ui.startTrainButton.click()
    turns = []
    end = time.monotonic() + LIMIT_S
    while "epoch" not in panel.ui.trainLabel.text:
        assert time.monotonic() < end, panel.ui.trainLabel.text
        start = time.thread_time()
        panel.application.processEvents()
        turns.append(time.thread_time() - start)
        time.sleep(0.005)
    # Processor time: other processes of a busy machine do not count.
    assert max(turns) < TURN_S
    assert panel.ui.trainBar.visible and panel.ui.stopTrainButton.enabled
    assert panel.ui.startTrainButton.toolTip == "A training is running; wait for its end or stop it."
    panel.ui.stopTrainButton.click()
    panel.wait(lambda: panel.ui.startTrainButton.enabled, LIMIT_S)
    assert not panel.logic.trainings.is_running
    assert not panel.ui.trainBar.visible


def test_the_end_says_what_became_of_the_candidate_and_a_version_can_be_rolled_back(
    panel: Panel, clinic: RunningServer
) -> None:
    body = {"max_epochs": 2, "train_batch_size": 16}
    assert requests.post(f"{clinic.client.address}/train/ct_classifier", json=body, timeout=60).status_code == 200
    panel.logic.trainings.refresh()
    panel.wait(lambda: "finished" in panel.ui.trainLabel.text, LIMIT_S)
    outcome = panel.ui.publishedLabel.text
    assert outcome.startswith(("Published as version 2: ", "Not published, kept as candidate "))
    assert not panel.ui.curveLabel.pixmap.isNull()

    store = ModelStore(clinic.models)
    before = store.current("ct_classifier")
    weights = store.load("ct_classifier")
    # Somebody else publishes on this server: told when the section is opened.
    panel.wait(lambda: not panel.logic.calls._waiting)
    store.publish("ct_classifier", weights.state, {key: weights.card[key] for key in CARD})
    panel.ui.trainSection.collapsed = True
    panel.ui.trainSection.collapsed = False
    panel.wait(lambda: panel.ui.versionTable.rowCount == before + 1)
    panel.ui.versionTable.clearSelection()
    panel.ui.rollbackButton.click()
    panel.wait(lambda: store.current("ct_classifier") == before)
    panel.wait(lambda: panel.said == "Rolled back.")
