"""Records kept case by case, so that an evaluation that was interrupted goes on where it stopped."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..models.atomic_files import replace_durably


class KeptRecords:
    """Records under one folder, a JSON file a case; each is used again only if all that it was made of is the same.

    Args:
        folder: made by the first record that is kept.
        form: number of the form of the records; another one is not read.
        networks: weights and settings, as JSON values. The program's version counts as well.
    """

    def __init__(self, folder: Path, form: int, networks: Sequence[Any]) -> None:
        self.folder = folder
        self._made_by = [form, __version__, list(networks)]

    def find(self, case_id: str, *made_of: str) -> dict[str, Any] | None:
        """The record of a case, if it was made before under the same conditions.

        Args:
            case_id: the case.
            made_of: what changes when the case does.
        """
        try:
            record = json.loads(self._path(case_id).read_text(encoding="utf-8"))
            return record if record["key"] == self._key(case_id, made_of) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, case_id: str, *made_of: str, content: Mapping[str, Any]) -> None:
        """Keep the record of a case.

        Raises:
            OSError: if the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        record = {"key": self._key(case_id, made_of), **content}
        replace_durably(self._path(case_id), json.dumps(record, allow_nan=False).encode())

    def _path(self, case_id: str) -> Path:
        return self.folder / f"{case_id}.json"

    def _key(self, case_id: str, made_of: Sequence[str]) -> str:
        text = json.dumps([*self._made_by, case_id, *made_of], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
