"""The whole panel against a real server: read by mouse and by keys, be interrupted, be outrun by another reader."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import SimpleITK as sitk
from tests.server.conftest import RunningServer, model_root, phantom, serving
from tests.slicer_extension.doubles.misbehaving import misbehaving
from tests.slicer_extension.doubles.running_panel import LONGEST_TURN_S, Panel, running_panel

from pneumoscreen.images.volume import Volume

# The fixtures of the server's tests, used here by their names.
__all__ = ["model_root", "phantom"]

CASES = ("case-a", "case-b", "case-c")


@pytest.fixture(scope="module")
def clinic(model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with three cases that nobody has read."""
    studies = tmp_path_factory.mktemp("clinic")
    for name in CASES:
        sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / f"{name}.nii.gz")
    with serving(studies, model_root, tmp_path_factory) as server:
        yield server


@pytest.fixture
def fresh(clinic: RunningServer) -> RunningServer:
    """The same server without what earlier tests submitted and hold."""
    shutil.rmtree(clinic.studies / "annotations", ignore_errors=True)
    shutil.rmtree(clinic.studies / "labels", ignore_errors=True)
    for lease in requests.get(f"{clinic.client.address}/pneumoscreen/leases", timeout=10).json()["leases"]:
        name, reader = lease["case_id"], lease["reader"]
        requests.delete(f"{clinic.client.address}/pneumoscreen/leases/{name}", params={"client_id": reader}, timeout=10)
    return clinic


@pytest.fixture
def panel(fresh: RunningServer, tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path, address=fresh.client.address) as running:
        running.show()
        yield running


def press(panel: Panel, *keys: str) -> None:
    """Real key events on the panel's window, one after the other."""
    from PySide6.QtGui import QKeySequence
    from PySide6.QtTest import QTest

    for key in keys:
        QTest.keySequence(panel.window, QKeySequence(key))
        panel.settle()


def versions(server: RunningServer, case_id: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{server.client.address}/pneumoscreen/annotations/{case_id}", timeout=10)
    return list(answer.json()["versions"])


def document(server: RunningServer, case_id: str, version: int) -> dict[str, Any]:
    answer = requests.get(f"{server.client.address}/pneumoscreen/annotations/{case_id}/{version}", timeout=10)
    return dict(answer.json()["document"])


def test_connecting_says_who_is_there_and_lists_the_cases(panel: Panel) -> None:
    assert not panel.ui.screenButton.enabled and "server" in panel.ui.screenButton.toolTip
    panel.connect()
    assert "PneumoScreen" in panel.ui.connectionLabel.text
    table = panel.ui.worklistTable
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == list(CASES)


def test_a_whole_session_by_keys_alone(panel: Panel, fresh: RunningServer) -> None:
    panel.connect()
    press(panel, "Ctrl+N")
    panel.wait(lambda: panel.session.case_id is not None and not panel.logic.asking.is_busy)
    case_id = str(panel.session.case_id)
    press(panel, "Ctrl+R")
    panel.wait(lambda: panel.session.reading is not None and not panel.logic.asking.is_busy, 120)
    regions = [panel.session.reading.region(key) for key in panel.session.reading.shown()]
    assert len(regions) >= 3, "the phantom's candidates are too few for this test"
    assert panel.session.reading.selected == regions[0].id
    press(panel, "1", "3", "A", "Ctrl+Z")
    assert panel.session.reading.selected == regions[2].id
    press(panel, "Ctrl+Y", "P")
    assert panel.session.reading.selected == regions[1].id
    press(panel, "Ctrl+Return")
    if len(regions) > 3:
        assert "not read" in panel.said
        press(panel, "Ctrl+Return")
    panel.wait(lambda: panel.session.case_id != case_id and not panel.logic.asking.is_busy)
    (version,) = versions(fresh, case_id)
    assert version["reader"] == "dr-a"
    stored = {region["id"]: region["reader"] for region in document(fresh, case_id, 1)["regions"]}
    assert [stored[region.id]["label"] for region in regions[:2]] == ["covid19", "irrelevant"]
    assert stored[regions[2].id]["label"] == regions[2].label
    assert all(stored[region.id] is None for region in regions[3:])


def test_letters_in_a_text_stay_letters(panel: Panel) -> None:
    from PySide6.QtTest import QTest

    panel.connect()
    panel.open("case-a")
    panel.screen()
    before = len(panel.session.reading.case.regions)
    panel.ui.noteEdit.setFocus()
    panel.settle()
    QTest.keyClicks(panel.ui.noteEdit, "dd 12 nodules")
    panel.settle()
    assert panel.ui.noteEdit.plainText == "dd 12 nodules"
    panel.session.note.settle()
    assert panel.session.reading.note == "dd 12 nodules"
    assert len(panel.session.reading.case.regions) == before


def test_buttons_do_what_they_say(panel: Panel) -> None:
    panel.connect()
    panel.open("case-a")
    panel.screen()
    reading = panel.session.reading
    first = reading.shown()[0]
    panel.ui.regionTable.selectRow(0)
    labels = panel.widget.panels[8]._labels
    labels["influenza_a"].click()
    assert reading.region(first).reader.label == "influenza_a"
    assert reading.selected == reading.shown()[1], "the next open one"
    panel.ui.previousButton.click()
    assert labels["influenza_a"].checked and not labels["covid19"].checked
    probability = reading.case.verdict.probability["influenza_a"]
    assert probability == 1.0
    panel.ui.deleteButton.click()
    assert first not in {region.id for region in reading.case.regions}
    panel.ui.undoButton.click()
    panel.ui.undoButton.click()
    assert reading.region(first).reader is None and not panel.ui.undoButton.enabled
    panel.ui.nextRegionButton.click()
    assert panel.ui.positionLabel.text.startswith("Region 2 ·")


def test_another_reader_was_faster(panel: Panel, fresh: RunningServer) -> None:
    panel.connect()
    panel.open("case-b")
    panel.screen()
    mine = panel.session.reading
    panel.session.correct("covid19")
    theirs = mine.case.to_dict()
    theirs["regions"][0]["reader"] = {"label": "irrelevant", "name": "dr-b", "at": "2026-11-24T10:00:00Z"}
    theirs["diagnosis"] = "influenza_a"
    address = f"{fresh.client.address}/pneumoscreen/annotations/case-b"
    assert requests.put(address, json=theirs, params={"reader": "dr-b"}, timeout=10).status_code == 200
    panel.ui.submitButton.click()
    panel.ui.retryButton.click()  # most of it is unread, and shall be submitted like that
    panel.wait(lambda: panel.ui.conflictFrame.visible)
    assert "dr-b submitted version 1" in panel.ui.conflictLabel.text
    assert len(versions(fresh, "case-b")) == 1
    assert not panel.ui.theirsButton.enabled, "a second reader does not see the first one's before submitting"
    panel.logic.submission.look_at_theirs_or_mine()
    assert panel.session.reading is mine
    panel.ui.onTopButton.click()
    panel.wait(lambda: panel.session.is_submitted and not panel.logic.asking.is_busy)
    assert [version["reader"] for version in versions(fresh, "case-b")] == ["dr-b", "dr-a"]
    assert "Yours is stored as well" in panel.ui.conflictLabel.text and not panel.ui.onTopButton.enabled
    panel.ui.theirsButton.click()
    panel.wait(lambda: panel.session.is_read_only)
    assert panel.session.reading.case.diagnosis == "influenza_a"
    assert not panel.ui.submitButton.enabled
    press(panel, "2")
    assert not panel.session.reading.is_modified
    panel.ui.theirsButton.click()
    assert panel.session.reading is mine and panel.ui.submitButton.enabled


def test_another_reader_s_document_is_not_what_a_case_opens_with(panel: Panel, fresh: RunningServer) -> None:
    panel.connect()
    panel.open("case-c")
    panel.screen()
    theirs = panel.session.reading.case.to_dict()
    theirs["diagnosis"] = "influenza_a"
    address = f"{fresh.client.address}/pneumoscreen/annotations/case-c"
    assert requests.put(address, json=theirs, params={"reader": "dr-b"}, timeout=10).status_code == 200
    for screening in (fresh.studies / ".pneumoscreen" / "screenings").glob("case-c.*"):
        screening.unlink()
    panel.open("case-a")
    panel.open("case-c")
    assert panel.session.reading is None, "there is no screening, and theirs is not shown in its place"
    panel.screen()
    assert panel.session.reading.case.diagnosis is None and panel.session.base == 1


def test_unsubmitted_work_survives_a_crash(fresh: RunningServer, tmp_path: Path) -> None:
    with running_panel(tmp_path, address=fresh.client.address) as panel:
        panel.connect()
        panel.open("case-c")
        panel.screen()
        panel.session.correct("influenza_a")
        panel.session.reading.set_note("seen twice")
        worker = int(panel.logic.calls.worker_id or 0)
        os.kill(worker, signal.SIGKILL)
    with running_panel(tmp_path, address=fresh.client.address) as panel:
        panel.connect()
        panel.open("case-c")
        assert "restored" in panel.said
        first = panel.session.reading.shown()[0]
        assert panel.session.reading.region(first).reader.label == "influenza_a"
        assert panel.session.reading.note == "seen twice" == panel.ui.noteEdit.plainText


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_failing_server_costs_no_correction(panel: Panel, status: int) -> None:
    panel.connect()
    panel.open("case-a")
    panel.screen()
    good = panel.ui.addressEdit.text
    panel.session.correct("influenza_a")
    with misbehaving(status, b'{"detail": "not today"}') as bad:
        panel.logic.settings.setValue("PneumoScreen/address", bad)
        panel.submit_partly_read()
        panel.wait(lambda: not panel.logic.asking.is_busy and bool(panel.said))
    assert "Traceback" not in panel.said
    assert panel.ui.statusFrame.visible and panel.ui.retryButton.visible
    assert panel.session.reading.is_modified and panel.kept == ["case-a"]
    panel.logic.settings.setValue("PneumoScreen/address", good)
    panel.ui.retryButton.click()
    panel.wait(lambda: not panel.logic.asking.is_busy)
    assert panel.session.is_submitted and panel.kept == []


def test_the_interface_answers_while_a_screening_runs(panel: Panel) -> None:
    panel.connect()
    panel.open("case-a")
    panel.ui.screenButton.click()
    turns: list[float] = []
    while panel.logic.asking.is_busy:
        start = time.thread_time()
        panel.application.processEvents()
        if panel.logic.asking.is_busy:
            turns.append(time.thread_time() - start)
        time.sleep(0.001)
    assert panel.session.reading is not None
    assert max(turns) < LONGEST_TURN_S


def test_a_screening_is_cancelled_at_once(panel: Panel) -> None:
    panel.connect()
    panel.open("case-b")
    panel.ui.screenButton.click()
    panel.settle()
    assert panel.ui.progressFrame.visible
    start = time.thread_time()
    panel.ui.cancelButton.click()
    assert time.thread_time() - start < 0.05
    assert not panel.ui.progressFrame.visible and not panel.logic.asking.is_busy
