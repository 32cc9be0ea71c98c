"""Results that wait to be stored: written whole before the first is sent, so that a kill neither loses nor doubles."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from ..case import Case
from ..models.atomic_files import fsync_path
from .origin import Destination
from .uids import folder_name

_PART = ".part"
_DOCUMENT = "case.json"


class Outbox:
    """A folder with a folder for each study whose results are not all in the PACS yet.

    Args:
        folder: for these.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob(f"*{_PART}"):
            shutil.rmtree(part, ignore_errors=True)

    def holds(self, study_uid: str) -> bool:
        """Whether the results of a study are here, or what is left of them."""
        return self._of(study_uid).is_dir()

    def put(self, study_uid: str, case: Case, objects: Mapping[str, Dataset]) -> None:
        """Write the document of a study and all objects about it; they are here together or not at all.

        Raises:
            OSError: if the disk does not take them.
        """
        target = self._of(study_uid)
        part = target.with_name(target.name + _PART)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        (part / _DOCUMENT).write_text(case.to_json(), encoding="utf-8")
        for number, (name, dataset) in enumerate(objects.items(), start=1):
            dataset.save_as(part / f"{number:02d}-{name}.dcm", write_like_original=False)
        for path in (*part.iterdir(), part):
            fsync_path(path)
        part.rename(target)
        fsync_path(self._folder)

    def document(self, study_uid: str) -> dict[str, Any]:
        """The document of a study, as plain JSON types: a site's own classes are none of its business here."""
        found: dict[str, Any] = json.loads((self._of(study_uid) / _DOCUMENT).read_text(encoding="utf-8"))
        return found

    def send(self, study_uid: str, destination: Destination) -> int:
        """Store what is left of a study's results, in order; returns how many.

        Raises:
            PacsError: if one is not taken; the rest stays.
        """
        files = sorted(self._of(study_uid).glob("*.dcm"))
        for file in files:
            destination.store(pydicom.dcmread(file))
            file.unlink()
        return len(files)

    def remove(self, study_uid: str) -> None:
        """Forget a study whose results are all in the PACS."""
        shutil.rmtree(self._of(study_uid), ignore_errors=True)

    def _of(self, study_uid: str) -> Path:
        return self._folder / folder_name(study_uid)
