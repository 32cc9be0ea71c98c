"""An Orthanc of one's own on loopback, for the demonstration of the PACS and for tests; it needs no rights."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_S = 60.0
STORE_SCU = "storescu"


def store_scu() -> str | None:
    """The sender of dcmtk. In an environment that is active, pynetdicom's of the same name comes before it."""
    own = Path(sys.executable).parent
    folders = [folder for folder in os.get_exec_path() if Path(folder).absolute() != own]
    return shutil.which(STORE_SCU, path=os.pathsep.join(folders))


def missing() -> list[str]:
    """The Debian packages that are needed and not there."""
    needed = {"orthanc": shutil.which("Orthanc"), "orthanc-dicomweb": PLUGIN.exists(), "dcmtk": store_scu()}
    return [package for package, there in needed.items() if not there]


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Orthanc:
    """A process with its own folder; start and stop it as often as wanted, what is stored stays in the folder.

    Args:
        folder: for its storage, configuration and log.
        users: names and passwords for HTTP; none: nobody is asked.
        more: further settings, as of its configuration file.
    """

    def __init__(
        self, folder: Path, users: dict[str, str] | None = None, more: dict[str, object] | None = None
    ) -> None:
        self.folder, self._users, self._more = folder, users or {}, more or {}
        self.http, self.dicom = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Of its own pages and REST interface."""
        return f"http://127.0.0.1:{self.http}"

    @property
    def dicomweb(self) -> str:
        """Of DICOMweb."""
        return f"{self.url}/dicom-web"

    @property
    def auth(self) -> tuple[str, str] | None:
        """Name and password of the first user."""
        return next(iter(self._users.items()), None)

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: if it does not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(self._configuration(), indent=1), encoding="utf-8")
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen(["Orthanc", str(file)], stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if requests.get(f"{self.url}/system", auth=self.auth, timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"Orthanc did not start; its messages are in {self.folder / 'orthanc.log'}")

    def _configuration(self) -> dict[str, object]:
        return {
            "Name": "PneumoScreen demo",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(PLUGIN)],
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "RemoteAccessAllowed": False,
            # DICOM listens everywhere; only this machine may send.
            "DicomAlwaysAllowStore": False,
            "DicomAlwaysAllowEcho": False,
            "DicomCheckModalityHost": True,
            "DicomModalities": {
                "sender": {"AET": STORE_SCU.upper(), "Host": "127.0.0.1", "Port": 1, "AllowStore": True}
            },
            "AuthenticationEnabled": bool(self._users),
            "RegisteredUsers": self._users,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True},
            **self._more,
        }

    def stop(self) -> None:
        """Stop it as its user would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def kill(self) -> None:
        """Stop it as a loss of power would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, *paths: Path) -> None:
        """Send files or folders of files by DICOM, as a scanner does.

        Raises:
            subprocess.CalledProcessError: if it takes one not.
        """
        command = [
            store_scu() or STORE_SCU,
            "+sd",
            "+r",
            "-aec",
            "ORTHANC",
            "127.0.0.1",
            str(self.dicom),
            *map(str, paths),
        ]
        subprocess.run(command, check=True, capture_output=True)

    def identifier(self, study_uid: str) -> str:
        """What Orthanc itself calls a study."""
        return str(self._find("Study", {"StudyInstanceUID": study_uid})[0])

    def instances(self, study_uid: str) -> list[dict[str, object]]:
        """The tags of all instances of a study."""
        found = self._find("Instance", {"StudyInstanceUID": study_uid})
        return [self._get(f"instances/{name}/simplified-tags").json() for name in found]

    def files(self, study_uid: str, modalities: tuple[str, ...]) -> list[bytes]:
        """The files of the instances of these modalities."""
        found = self._find("Instance", {"StudyInstanceUID": study_uid, "Modality": "\\".join(modalities)})
        return [self._get(f"instances/{name}/file").content for name in found]

    def _find(self, level: str, query: dict[str, str]) -> list[str]:
        asked = {"Level": level, "Query": query}
        answer = requests.post(f"{self.url}/tools/find", json=asked, auth=self.auth, timeout=60)
        answer.raise_for_status()
        return list(answer.json())

    def _get(self, path: str) -> requests.Response:
        answer = requests.get(f"{self.url}/{path}", auth=self.auth, timeout=60)
        answer.raise_for_status()
        return answer
