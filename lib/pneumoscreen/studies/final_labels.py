"""``labels/final``: the document of each case that counts for training, as ``find_studies`` and MONAI Label read it.

It mirrors the annotations. Documents that were there before them, or that somebody put there by hand, are read as
annotations of the kind ``import``.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..case import Case
from ..errors import CaseError
from ..models.atomic_files import fsync_path, replace_durably
from ..verdict import Classes
from .audit import utc_text
from .layout import FINAL_LABELS, is_reader_name
from .marks import newest_reader
from .versions import IMPORT, Annotation, counting_of

UNKNOWN_READER = "unknown"


class FinalLabels:
    """The labels of one studies folder; whoever calls ``mirror`` holds the lock of the case."""

    def __init__(self, studies: Path, classes: Classes) -> None:
        self.folder = studies / FINAL_LABELS
        self._classes = classes

    def path(self, case_id: str) -> Path:
        """Where the label of a case lies."""
        return self.folder / f"{case_id}.json"

    def cases(self) -> set[str]:
        """The cases that have a label."""
        return {path.stem for path in self.folder.glob("*.json")}

    def document(self, case_id: str) -> Case | None:
        """The document of a case, whatever case it names itself; None if there is none or it is damaged."""
        try:
            text = self.path(case_id).read_text(encoding="utf-8")
            return replace(Case.from_json(text, self._classes), case_id=case_id)
        except (OSError, UnicodeDecodeError, CaseError):
            return None

    def as_import(self, case: Case, number: int) -> Annotation:
        """What a label becomes as a version: its reader is that of its newest mark, its time that of the file."""
        reader = newest_reader(case)
        return Annotation(
            case_id=case.case_id,
            version=number,
            reader=reader if reader is not None and is_reader_name(reader) else UNKNOWN_READER,
            at=utc_text(datetime.fromtimestamp(self.path(case.case_id).stat().st_mtime, UTC)),
            software=__version__,
            kind=IMPORT,
            base=None,
            document=case,
            label_map=None,
            label_map_sha256=None,
            classes=self._classes,
        )

    def shows(self, case_id: str, versions: Sequence[Annotation]) -> bool:
        """Whether the label is the document that counts; without any versions, nothing is known of it."""
        counting, path = counting_of(versions), self.path(case_id)
        if counting is None:
            return bool(versions) and not path.exists()
        try:
            return path.read_bytes() == counting.document.to_json().encode()
        except FileNotFoundError:
            return False

    def mirror(self, case_id: str, versions: Sequence[Annotation]) -> None:
        """Make the label show what counts; without any versions it is left alone."""
        if self.shows(case_id, versions):
            return
        counting, path = counting_of(versions), self.path(case_id)
        if counting is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_durably(path, counting.document.to_json().encode())
        elif versions:
            os.unlink(path)
            fsync_path(self.folder)
