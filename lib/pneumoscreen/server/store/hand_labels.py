"""Label maps that somebody put into ``labels/final`` by hand, as users of MONAI Label do: taken in, or named.

A label map becomes an annotation of the kind ``import`` where the index of MONAI Label's own server names its segments
as classes, or the last screening was told the diagnosis. It never takes the place of a reader's annotation. What
cannot be taken in leaves its case open, and the worklist says why.

Thread contract: one thread calls ``take_in``; ``problems`` is replaced as a whole.
"""

import hashlib
import logging
from pathlib import Path

from ...errors import PneumoScreenError
from ...studies.audit import case_digest
from ...studies.final_labels import UNKNOWN_READER
from ...studies.layout import FINAL_LABELS
from .datastore import StudiesDatastore

_State = tuple[int, int]

logger = logging.getLogger(__name__)


class HandLabels:
    """The label maps by hand of one studies folder.

    Args:
        datastore: of the folder.

    Attributes:
        problems: why a label map is not used, by case.
    """

    def __init__(self, datastore: StudiesDatastore) -> None:
        self.problems: dict[str, str] = {}
        self._datastore = datastore
        self._folder = datastore.submissions.store.studies / FINAL_LABELS
        self._seen: tuple[int, int] | None = None
        self._known: dict[str, tuple[_State, str | None]] = {}

    def take_in(self) -> None:
        """Look at the label maps that are new or were changed since the last time."""
        try:
            changed = self._folder.stat().st_mtime_ns, len(self._datastore.list_images())
        except OSError:
            return
        if changed == self._seen:
            return
        found: dict[str, tuple[_State, str | None]] = {}
        for case_id, file in self._datastore.hand_labels().items():
            status = file.stat()
            state = status.st_mtime_ns, status.st_size
            known = self._known.get(case_id)
            found[case_id] = known if known is not None and known[0] == state else (state, self._taken(case_id, file))
        self._known, self._seen = found, changed
        self.problems = {case_id: problem for case_id, (_, problem) in found.items() if problem is not None}

    def _taken(self, case_id: str, file: Path) -> str | None:
        """Take a label map in; returns why it is not used, None if it is."""
        store = self._datastore.submissions.store
        versions = store.versions(case_id)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if any(version.label_map_sha256 == digest for version in versions):
            return None
        try:
            if versions:
                raise PneumoScreenError("the case has annotations, which count instead")
            self._datastore.import_label_map(case_id, file, UNKNOWN_READER)
        except PneumoScreenError as error:
            reason = " ".join(str(error).split())
            logger.warning("the label map of case %s in %s is not used", case_digest(case_id), FINAL_LABELS)
            place = FINAL_LABELS / file.name
            return f"{place} is not used: {reason}; or send it by PUT /datastore/label with label_info"
        return None
