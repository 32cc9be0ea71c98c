"""A file that ends the process that reads it, or that is read for ever, costs its study only."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scripts.phantom_files import write_ct
from tests.commands.conftest import narrow_models  # noqa: F401

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.errors import ImageError
from pneumoscreen.images import read_volume
from pneumoscreen.limits import Limits
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.client import Access, Pacs
from pneumoscreen.pacs.reading import StudyReading
from pneumoscreen.pacs.screening import FolderScreener
from pneumoscreen.pacs.source import ResultError, source_of
from pneumoscreen.pacs.state import State, read_entries
from pneumoscreen.reading.processes import OversteppedError

from .conftest import only_input, watcher_of
from .dicomweb_server import DicomwebServer

FAULTS = """
import os, sys
if "pneumoscreen.pacs.reading_process" in " ".join(sys.orig_argv):
    import pydicom
    read = pydicom.dcmread
    def odd(*places, **options):
        found = read(*places, **options)
        match str(found.get("StudyID")):
            case "END": os.abort()
            case "EVER":
                while True: pass
            case "MUCH": raise MemoryError
            case "FAULT": raise KeyError("Quixotemann^Zebulon")
        return found
    pydicom.dcmread = odd
"""
"""What a library does to a process over a damaged file, by StudyID."""


@pytest.fixture
def reading() -> Iterator[StudyReading]:
    made = StudyReading(Limits(read_memory_mb=1024, read_seconds=600))
    yield made
    made.close()


def test_an_image_and_its_headers_are_the_same(about: About, reading: StudyReading, tmp_path: Path) -> None:
    found, there = reading.read(tmp_path / "ct"), read_volume(tmp_path / "ct")
    np.testing.assert_array_equal(found.image.hu, there.hu)
    assert (
        found.image.to_sitk(there.hu).GetDirection() == there.to_sitk(there.hu).GetDirection()
        and found.method.modality == "CT"
    )
    source = source_of(only_input(tmp_path / "ct"))
    assert [image.SOPInstanceUID for image in found.source.images] == [one.SOPInstanceUID for one in source.images]
    assert str(found.source.first.PatientName) == "Müller^Jörg=田中^太郎"


def test_refusals_are_of_the_same_type(
    about_of: Callable[..., About], phantom: Phantom, reading: StudyReading, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ImageError, match="holds no image that can be screened"):
        reading.read(tmp_path / "none")
    write_ct(phantom.volume, tmp_path / "frameless", FrameOfReferenceUID="")
    with pytest.raises(ResultError, match="without FrameOfReferenceUID"):
        reading.read(tmp_path / "frameless")


def test_a_process_that_hangs_is_ended(reading: StudyReading, tmp_path: Path) -> None:
    hasty = StudyReading(Limits(read_seconds=1))
    child = hasty.processes.children.taken(hasty.processes.limits)
    os.kill(child._process.pid, signal.SIGSTOP)
    hasty.processes.children.put_back(child)
    with pytest.raises(OversteppedError, match=r"longer than 1 s to read; .* PNEUMOSCREEN_READ_SECONDS"):
        hasty.read(tmp_path)
    hasty.close()


def test_each_costs_its_study_and_the_next_is_screened(
    server: DicomwebServer,
    narrow_models: Path,  # noqa: F811
    phantom: Phantom,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(FAULTS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    for kind in ("END", "EVER", "MUCH", "FAULT", "GOOD"):
        volume = replace(phantom.volume, case_id=kind)
        write_ct(volume, tmp_path / kind, StudyID=kind, PatientName="Quixotemann^Zebulon")
        server.add(tmp_path / kind)
    state, reading = State(tmp_path / "state"), StudyReading(Limits(read_seconds=2))
    screen = FolderScreener(narrow_models, "cpu", reading)
    lines: list[str] = []
    watcher_of(Pacs(Access(server.url)), state, tmp_path / "state", screen, lines.append).run(once=True)
    state.close()
    reading.close()
    found = [(entry.state, entry.reason) for entry in read_entries(tmp_path / "state")]
    assert [one for one, _ in found] == ["refused"] * 4 + ["stored"]
    for (_, reason), sentence in zip(
        found,
        [
            "the series cannot be read: the process that read it ended",
            "the series takes longer than 2 s to read; give a smaller file, or raise PNEUMOSCREEN_READ_SECONDS",
            "the series needs more than 4096 MB of memory to be read",
            "the series cannot be read: the reading failed",
            "",
        ],
        strict=True,
    ):
        assert reason.startswith(sentence)
    said = capfd.readouterr()
    assert "Quixotemann" not in said.out + said.err + "".join(lines)
