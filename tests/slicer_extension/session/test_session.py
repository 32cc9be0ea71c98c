"""The session without a panel: what is refused, what stays, what the reader is told."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.doubles.scripted_module import MODULE

from pneumoscreen.case import Case, Reading

SAMPLE = MODULE / "Resources/SampleData/phantom.nrrd"


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        yield running


def test_the_sample_is_shown_and_nothing_is_sent(panel: Panel) -> None:
    panel.session.open_sample(str(SAMPLE))
    assert panel.session.case_id == "phantom" and not panel.session.is_on_server
    assert panel.session.view.volume.GetImageData().GetDimensions() == (208, 208, 44)
    assert panel.logic.calls.worker_id is None


def test_the_sample_is_read_with_keys_and_verdict_without_a_server(panel: Panel) -> None:
    import hashlib

    panel.show()
    panel.ui.sampleButton.click()
    reading = panel.session.reading
    assert reading.case.image.sha256 == hashlib.sha256(SAMPLE.read_bytes()).hexdigest(), "its own screening"
    assert panel.ui.findingsFrame.visible and panel.ui.verdictLabel.text.endswith("COVID-19")
    panel.session.correct("influenza_a")
    panel.session.correct("accept_rest")
    assert panel.ui.decidingLabel.text.startswith("It hangs on what has been read")
    panel.logic.submission.submit()
    assert panel.said == "Connect to a server first."
    panel.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}
    assert "not on the server" in panel.logic.submission.why_not()
    assert panel.logic.calls.worker_id is None, "nobody was asked for anything"


def test_without_a_server_every_step_says_what_is_missing(panel: Panel) -> None:
    assert panel.session.why_not_screen() == "Connect to a server first."
    assert panel.logic.submission.why_not() == "Screen the case first."
    assert panel.logic.connection.why_not("train") == "Connect to a server first."


def test_a_server_that_is_not_there_is_a_sentence_with_retry(panel: Panel) -> None:
    panel.ui.connectButton.click()
    panel.wait(lambda: bool(panel.said))
    assert "127.0.0.1:9" in panel.said and panel.logic.asking.message.retry is not None
    assert panel.ui.connectButton.enabled


@pytest.mark.parametrize(("role", "may"), [("reader", False), ("trainer", True), ("administrator", True)])
def test_only_a_trainer_may_train_and_send(panel: Panel, role: str, may: bool) -> None:
    panel.logic.connection.server = {"user": "dr-a", "roles": [role], "is_known": True}
    panel.logic.trainings.changed.emit()
    reason = panel.logic.connection.why_not("train")
    assert (reason is None) is may
    assert panel.ui.startTrainButton.enabled is may
    if not may:
        assert reason == "This needs the role trainer; you are signed in as dr-a (reader)."
        assert panel.ui.startTrainButton.toolTip == reason == panel.ui.rollbackLabel.text


def test_every_training_of_the_server_can_be_started(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    trainers = ["ct_candidates", "ct_classifier", "cxr_discrimination", "cxr_localization", "cxr_lung_boxes"]
    started: list[str] = []
    monkeypatch.setattr(panel.logic.trainings, "start", started.append)
    panel.logic.connection.server = {"roles": ["trainer"], "is_known": True, "user": "dr-a", "trainers": trainers}
    panel.logic.trainings.models = {"ct_classifier": {"versions": []}}
    panel.logic.trainings.changed.emit()
    combo = panel.ui.trainCombo
    assert [combo.itemText(i) for i in range(combo.count)][2:] == ["X-ray class", "X-ray side", "X-ray lung boxes"]
    for index in range(combo.count):
        combo.currentIndex = index
        panel.ui.startTrainButton.click()
    assert started == trainers


def test_a_volume_that_cannot_be_read_leaves_the_open_case(panel: Panel, tmp_path: Path) -> None:
    panel.session.open_sample(str(SAMPLE))
    broken = tmp_path / "broken.nrrd"
    broken.write_bytes(b"no volume")
    panel.session.open_sample(str(broken))
    assert panel.session.case_id == "phantom"
    assert "cannot read" in panel.said


def read_a_case(panel: Panel) -> None:
    """Open a screened case, without a server."""
    panel.session.open_sample(str(SAMPLE))
    read_findings(panel)


def read_findings(panel: Panel) -> None:
    """Show findings of the open case, without a server."""
    from tests.slicer_extension.cases import screened

    from PneumoScreenLib.reading.reading import Reading

    panel.session.show(Reading(screened(), reader="dr-a"))


def test_work_is_a_draft_until_it_is_submitted(panel: Panel) -> None:
    read_a_case(panel)
    panel.session.correct("influenza_a")
    (draft,) = Path(panel.logic.session.drafts.folder).glob("*.json")
    panel.session.reading.document()
    panel.session.correct("irrelevant")
    panel.session.submitted(1)
    assert draft.exists(), "the second label was not in the document that was submitted"
    assert panel.session.reading.is_modified and not panel.session.is_submitted
    panel.session.reading.document()
    panel.session.submitted(2)
    assert not draft.exists() and panel.session.is_submitted


def test_drafts_of_other_readers_and_servers_are_not_mixed(panel: Panel) -> None:
    read_a_case(panel)
    panel.session.correct("influenza_a")
    panel.logic.settings.setValue("PneumoScreen/reader", "dr-b")
    read_a_case(panel)
    panel.session.correct("irrelevant")
    assert len(list(Path(panel.session.drafts.folder).glob("*.json"))) == 2


def test_a_full_disk_is_told_and_the_correction_stays(panel: Panel, tmp_path: Path) -> None:
    read_a_case(panel)
    (tmp_path / "file").touch()
    panel.session.drafts.folder = str(tmp_path / "file" / "drafts")
    panel.session.correct("influenza_a")
    assert "cannot be kept" in panel.said and "submit now" in panel.said
    assert panel.session.reading.region("r1").reader.label == "influenza_a"


def test_a_volume_that_cannot_be_written_is_told_and_not_sent(panel: Panel, tmp_path: Path) -> None:
    import slicer.util

    panel.logic.connection.server = {"user": "dr-a", "roles": ["trainer"], "is_known": True}
    panel.logic.connection.server_changed.emit()
    own = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="my scan")
    panel.ui.volumeSelector.setCurrentNode(own)
    (tmp_path / "file").touch()
    panel.widget.panels[3]._temporary = str(tmp_path / "file")
    sent: list[str] = []
    panel.session.send = lambda path, case_id: sent.append(case_id)
    panel.ui.sendButton.click()
    assert "cannot be written to" in panel.said and "my-scan.nrrd" in panel.said
    assert not sent and panel.logic.asking.message.retry is not None
    panel.widget.panels[3]._temporary = str(tmp_path)
    panel.ui.retryButton.click()
    assert sent == ["my-scan"] and (tmp_path / "my-scan.nrrd").is_file()


def test_a_new_box_takes_its_side_from_the_masks_where_there_are_some(panel: Panel) -> None:
    read_a_case(panel)
    panel.session._placed((60.0, 0.0, -150.0), (20.0, 20.0, 20.0))
    assert panel.session.selected_region().side == "left", "by the regions beside it"
    panel.session.view.side_of = lambda center_mm, size_mm: "right"
    panel.session._placed((60.0, 0.0, -150.0), (20.0, 20.0, 20.0))
    assert panel.session.selected_region().side == "right"
    panel.session._moved("r1", (70.0, 0.0, -200.0), (20.0, 20.0, 20.0))
    assert panel.session.reading.region("r1").side == "right"


def test_a_submission_says_how_long_the_case_was_read(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from PneumoScreenLib.session.stopwatch import Stopwatch

    seconds, sent = [0.0], []
    panel.session.watch = Stopwatch(lambda: seconds[0])
    monkeypatch.setattr(panel.logic.asking, "run", lambda name, args, *rest: sent.append((name, args)))
    panel.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}
    panel.session.open_sample(shutil.copy(SAMPLE, str(tmp_path / "scan.nrrd")))
    seconds[0] = 30.0  # the screening: nothing is read yet
    panel.session.is_on_server = True
    read_findings(panel)
    seconds[0] = 42.0
    panel.widget.exit()
    seconds[0] = 400.0
    panel.widget.enter()
    seconds[0] = 400.5
    panel.logic.submission.submit()
    assert not sent, "asked about what is not read"
    panel.logic.submission.submit()
    ((name, args),) = sent
    assert name == "submit"
    assert args["document"]["reading"] == {"seconds": 12.5, "model_shown": True}
    assert Case.from_dict(args["document"]).reading == Reading(12.5, True)
    assert not panel.session.reading.is_modified, "how long it was read is no correction"
    read_a_case(panel)
    assert panel.session.watch.seconds == 0.0, "another case begins anew"
