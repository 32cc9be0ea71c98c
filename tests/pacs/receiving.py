"""The real receiver in a process of its own, and what sends to it."""

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config, build_context
from pynetdicom.association import Association

from pneumoscreen.pacs.state import Entry, read_entries

TITLE, SENDER = "PNEUMOSCREEN", "SCANNER"
WAIT_S = 120.0


class Program:
    """``pneumoscreen receive``, that can be killed and started again."""

    def __init__(self, models: Path, folder: Path) -> None:
        self.folder, self.state, self.out = folder, folder / "state", folder / "out"
        self._models, self.environment = models, {"PYTHONPATH": ":".join(sys.path)}
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self, *options: object, quiet: float = 0.0, results: Sequence[object] | None = None) -> None:
        """Start it and wait until it listens."""
        words = [sys.executable, "-m", "pneumoscreen", "receive", "--state", self.state, "--allow", SENDER]
        words += ["--port", self.port, "--quiet", quiet, "--model-dir", self._models, "--device", "cpu"]
        words += [*(["--out", self.out] if results is None else results), *options]
        before = len(self.said())
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                stdout=said,
                stderr=said,
                env={**os.environ, **self.environment},
            )
        self.until(lambda: "listening as" in self.said()[before:] or self.process.poll() is not None)
        found = re.search(r"listening as .* port (\d+)", self.said()[before:])
        assert found, self.said()
        self.port = int(found[1])

    def kill(self) -> None:
        """End it as a loss of power would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def said(self) -> str:
        """All that it said."""
        file = self.folder / "said"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def entries(self) -> dict[str, Entry]:
        """Its state by study."""
        return {entry.study_uid: entry for entry in read_entries(self.state)}

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something."""
        end = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)

    def until_ended(self, *studies: str, state: str = "stored") -> None:
        """Wait until these studies are done with."""
        self.until(lambda: all(one in self.entries() and self.entries()[one].state == state for one in studies))

    def results(self, study: str) -> list[str]:
        """Modalities of the results of a study."""
        return sorted(str(pydicom.dcmread(file).Modality) for file in (self.out / study).glob("*.dcm"))

    def waiting(self) -> list[Path]:
        """The images that were received and lie there still."""
        return sorted((self.state / "incoming").glob("*/*/*.dcm"))

    def associate(
        self, classes: Sequence[str], title: str = SENDER, called: str = TITLE, tls: ssl.SSLContext | None = None
    ) -> Association:
        """An association with it, as a scanner asks for one."""
        entity = AE(title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
        contexts = [build_context(kind, ExplicitVRLittleEndian) for kind in classes]
        secret = (tls, "127.0.0.1") if tls else None
        return entity.associate("127.0.0.1", self.port, contexts=contexts, ae_title=called, tls_args=secret)

    def send(self, images: Sequence[Path]) -> list[int]:
        """Send files in one association; the status of each, -1 where no answer came."""
        classes = {str(pydicom.filereader.read_file_meta_info(image).MediaStorageSOPClassUID) for image in images}
        association = self.associate(sorted(classes))
        assert association.is_established
        found = [status_of(association, image) for image in images]
        association.release()
        return found


def status_of(association: Association, image: Path) -> int:
    """What the receiver says to a file that is sent byte by byte; -1 where it says nothing."""
    before, _config.STORE_SEND_CHUNKED_DATASET = _config.STORE_SEND_CHUNKED_DATASET, True
    try:
        return int(association.send_c_store(image).get("Status", -1))
    except (RuntimeError, ValueError):
        return -1
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = before
