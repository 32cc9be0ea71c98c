"""The report on the disk: HTML or PDF, by one key, and a plain sentence where that fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path / "settings") as running:
        running.show()
        running.session.open_sample(str(SAMPLE))
        yield running


def choose(monkeypatch: pytest.MonkeyPatch, path: Path | str) -> list[Any]:
    """The reader chooses a file in the dialog; what the dialog was asked for."""
    asked: list[Any] = []

    def answer(*values: Any) -> tuple[str, str]:
        asked.extend(values)
        return str(path), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    return asked


def test_html_and_pdf(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel.session.correct("irrelevant")
    asked = choose(monkeypatch, tmp_path / "report.html")
    panel.ui.saveReportButton.click()
    assert asked[2] == "phantom.html" and "PDF" in asked[3]
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>") and "corrected" in html and "Research use only" in html
    assert "report.html" in panel.said
    choose(monkeypatch, tmp_path / "report.pdf")
    panel.ui.saveReportButton.click()
    written = (tmp_path / "report.pdf").read_bytes()
    assert written.startswith(b"%PDF-") and written.rstrip().endswith(b"%%EOF")


def test_a_name_without_an_ending_is_html(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, tmp_path / "report")
    panel.ui.saveReportButton.click()
    assert (tmp_path / "report.html").is_file()


def test_what_cannot_be_written_is_said(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("report.html", "report.pdf"):
        choose(monkeypatch, tmp_path / "nowhere" / name)
        panel.ui.saveReportButton.click()
        assert "cannot be written" in panel.said and panel.ui.retryButton.visible


def test_a_dialog_that_is_cancelled_writes_nothing(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    panel.logic.asking.say(None)
    choose(monkeypatch, "")
    panel.ui.saveReportButton.click()
    assert not panel.said


def test_a_slicer_without_printing_offers_html_alone(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qt

    monkeypatch.delattr(qt, "QPrinter")
    asked = choose(monkeypatch, tmp_path / "report.pdf")
    panel.ui.saveReportButton.click()
    assert "PDF" not in asked[3] and "save the report as HTML" in panel.said
