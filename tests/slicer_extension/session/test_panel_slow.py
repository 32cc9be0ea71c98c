"""A server that takes its time: the panel goes on answering, says that it waits, stops at once, and loses nothing."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import SimpleITK as sitk
from tests.server.conftest import RunningServer, model_root, phantom, serving
from tests.slicer_extension.doubles.misbehaving import holding_back
from tests.slicer_extension.doubles.running_panel import LONGEST_TURN_S, Panel, running_panel

from pneumoscreen.images.volume import Volume

# The fixtures of the server's tests, used here by their names.
__all__ = ["model_root", "phantom"]

HELD = ("POST /infer/", "PUT /pneumoscreen/annotations/")
DELAYS_S = (3.0, pytest.param(30.0, marks=[pytest.mark.slow, pytest.mark.timeout(600)]))


@pytest.fixture
def ward(model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of the test's own: while one case is read, the panel has the next one screened."""
    studies = tmp_path_factory.mktemp("ward")
    for name in ("case-a", "case-b"):
        sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / f"{name}.nii.gz")
    with serving(studies, model_root, tmp_path_factory) as server:
        yield server


def watch(panel: Panel, until: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> tuple[float, float]:
    """Turn the event loop until something is so.

    Returns:
        Longest turn in processor time, and how long it took, both in s.
    """
    begun, longest, is_told = time.monotonic(), 0.0, False
    while not until():
        if not is_told and time.monotonic() - begun > 1.0:
            meanwhile()
            is_told = True
        # Of this thread: the server that holds its answers back has others.
        start = time.thread_time()
        panel.application.processEvents()
        if not until():
            longest = max(longest, time.thread_time() - start)
        time.sleep(0.001)
    panel.settle()
    return longest, time.monotonic() - begun


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_a_slow_server_holds_nothing_up_and_loses_nothing(ward: RunningServer, tmp_path: Path, delay_s: float) -> None:
    with (
        holding_back(ward.client.address, delay_s, HELD) as address,
        running_panel(tmp_path, address=address, reader=f"dr-{delay_s:.0f}") as panel,
    ):
        panel.show()
        panel.connect()
        panel.open("case-a")

        def it_waits() -> None:
            assert panel.ui.progressFrame.visible and panel.ui.progressLabel.text and panel.ui.cancelButton.visible
            assert not panel.ui.screenButton.enabled and "cancel" in panel.ui.screenButton.toolTip

        panel.ui.screenButton.click()
        longest, waited = watch(panel, lambda: not panel.logic.asking.is_busy, it_waits)
        assert panel.session.reading is not None, panel.said
        assert longest < LONGEST_TURN_S and waited > delay_s
        assert not panel.ui.progressFrame.visible

        first = panel.session.reading.selected
        panel.session.correct("influenza_a")
        second = panel.session.reading.selected
        panel.submit_partly_read()

        def read_on() -> None:
            assert panel.ui.progressFrame.visible and "Submitting" in panel.ui.progressLabel.text
            panel.session.correct("irrelevant")

        longest, waited = watch(panel, lambda: not panel.logic.asking.is_busy, read_on)
        assert longest < LONGEST_TURN_S and waited > delay_s
        assert panel.said == f"Submitted as version {panel.session.base}."
        reading = panel.session.reading
        assert reading.region(first).reader.label == "influenza_a"
        assert reading.is_modified and reading.region(second).reader.label == "irrelevant"
        assert len(panel.kept) == 1, "what came after the submission is kept"


def test_what_waits_is_cancelled_at_once_and_nothing_is_lost(ward: RunningServer, tmp_path: Path) -> None:
    with (
        holding_back(ward.client.address, 30.0, HELD) as address,
        running_panel(tmp_path, address=address) as panel,
    ):
        panel.show()
        panel.connect()
        panel.open("case-b")

        def wait_and_cancel() -> None:
            end = time.monotonic() + 1.5
            watch(panel, lambda: time.monotonic() > end)
            assert panel.ui.progressFrame.visible
            start = time.thread_time()
            panel.ui.cancelButton.click()
            assert time.thread_time() - start < LONGEST_TURN_S
            assert not panel.logic.asking.is_busy and not panel.ui.progressFrame.visible

        panel.ui.screenButton.click()
        wait_and_cancel()
        assert panel.session.reading is None and panel.ui.screenButton.enabled
        panel.logic.settings.setValue("PneumoScreen/address", ward.client.address)
        panel.screen()
        region = panel.session.reading.selected
        panel.session.correct("covid19")
        panel.logic.settings.setValue("PneumoScreen/address", address)
        panel.submit_partly_read()
        wait_and_cancel()
        assert panel.session.reading.is_modified and len(panel.kept) == 1
        panel.session.select(region)
        panel.session.correct("irrelevant")
        # The server stored what was cancelled: the reader's own earlier version is nobody else's.
        panel.logic.settings.setValue("PneumoScreen/address", ward.client.address)
        panel.ui.submitButton.click()
        panel.wait(lambda: panel.session.is_submitted)
        assert not panel.ui.conflictFrame.visible and panel.kept == []
        kept = ward.client.get(f"/pneumoscreen/annotations/case-b/{panel.session.base}").json()["document"]
        labels = {region["id"]: region["reader"]["label"] for region in kept["regions"] if region["reader"]}
        assert labels[region] == "irrelevant"
