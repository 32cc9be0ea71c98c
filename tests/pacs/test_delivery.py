"""Results go into a folder or to another machine by C-STORE; what it says to them is one typed error."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.events import Event

from pneumoscreen.errors import ConfigError
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.client import PacsAwayError, PacsError, PacsRefusedError
from pneumoscreen.pacs.delivery import FolderDelivery, StoreDelivery
from pneumoscreen.pacs.results import results_of


class Archive:
    """A machine that takes results by C-STORE, and says what a test wants to them."""

    def __init__(self) -> None:
        self.status, self.kept = 0, []
        entity = AE("ARCHIVE")
        entity.require_called_aet = True
        for name in ("66.4", "88.33", "104.1"):
            entity.add_supported_context(f"1.2.840.10008.5.1.4.1.1.{name}")
        self.entity = entity
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self.take)])
        self.port = self.server.server_address[1]

    def take(self, event: Event) -> int:
        self.kept.append(str(event.dataset.SOPInstanceUID))
        return self.status


@pytest.fixture
def archive() -> Iterator[Archive]:
    made = Archive()
    yield made
    made.entity.shutdown()


def test_a_folder_has_each_object_once(about: About, tmp_path: Path) -> None:
    delivery = FolderDelivery(tmp_path / "out")
    objects = results_of(about)
    for _ in range(2):
        for one in objects.values():
            delivery.store(one)
    (study,) = (tmp_path / "out").iterdir()
    assert study.name == about.source.study_uid
    found = {str(one.Modality): one for one in map(pydicom.dcmread, study.iterdir())}
    assert sorted(found) == ["DOC", "OT", "SEG", "SR"] and found["SEG"].SOPInstanceUID == objects["seg"].SOPInstanceUID
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--out .*file: cannot be made"):
        FolderDelivery(tmp_path / "file")


def test_another_machine_gets_them(about: About, archive: Archive) -> None:
    delivery, objects = StoreDelivery(f"ARCHIVE@127.0.0.1:{archive.port}", "PNEUMOSCREEN"), results_of(about)
    delivery.store(objects["sr"])
    archive.status = 0xB007
    delivery.store(objects["seg"])
    assert archive.kept == [objects["sr"].SOPInstanceUID, objects["seg"].SOPInstanceUID]
    for status, kind, sentence in (
        (0xA700, PacsAwayError, r"cannot take a result now \(0xa700\)"),
        (0xC000, PacsError, r"does not take a result \(status 0xc000\)"),
    ):
        archive.status = status
        with pytest.raises(kind, match=sentence) as raised:
            delivery.store(objects["pdf"])
        assert type(raised.value) is kind
    with pytest.raises(PacsError, match="does not take Secondary Capture Image Storage; allow it there"):
        delivery.store(objects["sc"])
    with pytest.raises(PacsRefusedError, match="refuses this program; enter the AE title PNEUMOSCREEN there"):
        StoreDelivery(f"OTHER@127.0.0.1:{archive.port}", "PNEUMOSCREEN").store(objects["sr"])
    archive.entity.shutdown()
    with pytest.raises(PacsAwayError, match="does not answer by DICOM; check host and port and that it runs"):
        delivery.store(objects["sr"])


@pytest.mark.parametrize("place", ["ARCHIVE", "ARCHIVE@host", "ARCHIVE@host:0", "A" * 17 + "@host:1", "A\\B@host:104"])
def test_a_place_that_is_none(place: str) -> None:
    with pytest.raises(ConfigError, match="is no AE title"):
        StoreDelivery(place, "PNEUMOSCREEN")


def test_without_a_disk_nothing_is_said_to_be_there(about_of: Callable[..., About], tmp_path: Path) -> None:
    delivery = FolderDelivery(tmp_path / "out")
    about = about_of(tmp_path / "ct")
    (tmp_path / "out" / about.source.study_uid).touch()
    with pytest.raises(PacsAwayError, match=r"--out .*: cannot be written \(File exists\)"):
        delivery.store(results_of(about)["sr"])
