"""Headers that came from the process that reads files say what the files said; what is no value does not come."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from pneumoscreen.pacs import headers
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.headers import decoded, encoded
from pneumoscreen.pacs.results import results_of
from pneumoscreen.pacs.source import Source

PASSING = {
    "ContentTime", "InstanceCreationTime", "TimeOfSecondaryCapture", "ContentSequence", "DimensionOrganizationSequence",
    "DimensionIndexSequence",
}  # fmt: skip
"""What two objects about the same case differ in: times, and UIDs that highdicom draws."""


def test_results_are_the_same(about: About) -> None:
    there = replace(about, source=Source(decoded(encoded(about.source.images)), about.source.frames))
    ours, others = results_of(there), results_of(about)
    for name, result in others.items():
        said = {element.keyword: element for element in ours[name]}
        for element in result:
            if element.keyword not in PASSING:
                assert said[element.keyword] == element, (name, element.keyword)
    assert (
        str(ours["sr"].PatientName) == "Müller^Jörg=田中^太郎"
        and ours["seg"].SOPInstanceUID == others["seg"].SOPInstanceUID
    )


def test_what_is_no_value_of_its_field_does_not_come(about_of: Callable[..., About], tmp_path: Path) -> None:
    about_of(tmp_path / "ct", StudyDescription="Chest")
    path = tmp_path / "ct" / "0000.dcm"
    with_rubbish = pydicom.dcmread(path)
    with_rubbish.add_new(0x00091001, "LO", "private")
    with_rubbish.save_as(path)
    content = path.read_bytes()
    at = content.index(b"DS", content.index(b"\x18\x00\x50\x00"))
    width = content[at + 2]
    path.write_bytes(content[: at + 4] + b"x" * width + content[at + 4 + width :])
    (found,) = decoded(encoded([pydicom.dcmread(path)]))
    assert found.StudyDescription == "Chest" and "SliceThickness" not in found and "PixelData" not in found
    assert not [element for element in found if element.tag.is_private]


def test_headers_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    header = Dataset()
    header.StudyDescription = "x" * 60
    monkeypatch.setattr(headers, "_MOST_BYTES", 500)
    with pytest.raises(Exception, match="larger than any series"):
        encoded([header] * 10)
