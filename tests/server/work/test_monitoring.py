"""The figures of the model in use, computed in the background: a scrape never waits for the folder."""

import threading
from pathlib import Path

import pytest
from tests.monitoring.clinic import INFECTED, Clinic, read, region, scan

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.monitoring.page import render_monitoring
from pneumoscreen.monitoring.summary import Monitoring
from pneumoscreen.server.app import PneumoScreenApp
from pneumoscreen.server.serve import DEFAULT_APP
from pneumoscreen.server.work.monitoring import FRESH_S, Monitored


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def wait_for(monitored: Monitored) -> None:
    """Until no computation runs."""
    for thread in threading.enumerate():
        if thread.name == "MONITORING":
            thread.join(60)


def value(monitored: Monitored, name: str) -> float | None:
    return next((reading.value for reading in monitored.figures() if reading.name == name), None)


def test_a_scrape_tells_what_was_found_last_and_asks_anew_when_that_is_old(tmp_path: Path) -> None:
    clinic, clock = Clinic.at(tmp_path), Clock()
    case = clinic.screen(scan("a", (region("r1", INFECTED),)))
    may_go = threading.Event()

    def compute() -> Monitoring:
        assert may_go.wait(60)
        return clinic.monitoring()

    monitored = Monitored(compute, clock)
    assert monitored.figures() == () and monitored.figures() == (), "the folder is being read"
    may_go.set()
    wait_for(monitored)
    assert (value(monitored, "monitored_scans"), value(monitored, "monitored_submissions")) == (1, 0)
    clinic.submit(read(case, "dr-ann", INFECTED), "dr-ann")
    clock.now = FRESH_S - 1
    assert value(monitored, "monitored_submissions") == 0
    wait_for(monitored)
    assert value(monitored, "monitored_submissions") == 0
    clock.now = FRESH_S
    monitored.figures()
    wait_for(monitored)
    assert value(monitored, "monitored_submissions") == 1


def test_the_server_tells_its_folder_to_prometheus_and_on_its_page(
    tmp_path: Path, model_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_MODELS", str(model_root))
    monkeypatch.setenv("PNEUMOSCREEN_TOKENS", "none")
    studies = tmp_path / "Doe_Jane"
    clinic = Clinic.at(studies)
    (studies / "a.nii.gz").write_bytes(b"not opened")
    clinic.submit(read(clinic.screen(scan("a", (region("r1", INFECTED),))), "dr-ann", INFECTED), "dr-ann")
    app = PneumoScreenApp(str(DEFAULT_APP), str(studies), {})
    assert app.figures.monitored is not None
    app.figures.text()
    wait_for(app.figures.monitored)
    text = app.figures.text().decode()
    assert 'pneumoscreen_monitored_scans{modality="CT"} 1.0' in text
    assert 'pneumoscreen_agreement_ratio{figure="verdict",modality="CT"} 1.0' in text
    assert 'pneumoscreen_retrain_advice{advice="not_enough",modality="CT"} 1.0' in text
    assert "dr-ann" not in text
    assert "Doe_Jane" not in render_monitoring(app.figures.monitored.compute())


def test_what_cannot_be_read_is_in_the_log_and_the_last_figures_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clinic, clock = Clinic.at(tmp_path), Clock()
    clinic.screen(scan("a"))
    monitored = Monitored(clinic.monitoring, clock)
    monitored.figures()
    wait_for(monitored)
    (tmp_path / "patients.csv").write_text("case,patient\na,1\na,2\n")
    with pytest.raises(PneumoScreenError, match="second patient"):
        monitored.compute()
    clock.now = FRESH_S
    monitored.figures()
    wait_for(monitored)
    assert value(monitored, "monitored_scans") == 1
    assert "cannot be computed" in caplog.text
