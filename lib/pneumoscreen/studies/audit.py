"""Who did what, and when: an append-only log in the studies folder, without patients' names.

One line of JSON an entry, one file a month. A case is named by the first 16 hex digits of the SHA-256 of its id,
because folder and file names may be patients' names; who knows an id can find its entries (``case_digest``).
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..models.atomic_files import fsync_path
from .layout import AUDIT

Detail = str | int | float | bool | None

logger = logging.getLogger(__name__)


class AuditLog:
    """The log of one studies folder. Several threads and processes may write: each entry is one append."""

    def __init__(self, studies: Path) -> None:
        self.folder = studies / AUDIT

    def record(self, speaker_name: str, action: str, case_id: str | None = None, **details: Detail) -> None:
        """Append an entry and wait until the disk has it.

        Args:
            speaker_name: who did it.
            action: what was done, a short word.
            case_id: the case it was done to.
            details: plain values; never names of patients, cases or files.

        Raises:
            OSError: if it cannot be written.
        """
        now = datetime.now(UTC)
        entry: dict[str, Any] = {"at": utc_text(now), "speaker": speaker_name, "action": action}
        if case_id is not None:
            entry["case"] = case_digest(case_id)
        line = json.dumps({**entry, **details}, allow_nan=False) + "\n"
        path = self.folder / f"audit-{now:%Y-%m}.jsonl"
        is_new = not path.exists()
        if is_new:
            self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            # A crash may have cut the last line short; the new one must not be lost with it.
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            fsync_path(self.folder)

    def entries(self) -> Iterator[dict[str, Any]]:
        """All entries, oldest first; a line that a crash cut short is passed over."""
        for path in sorted(self.folder.glob("audit-*.jsonl")):
            for line in path.read_bytes().splitlines():
                if not line:
                    continue
                try:
                    yield dict(json.loads(line))
                except (ValueError, TypeError):
                    logger.warning("a line of %s is damaged and passed over", path.name)


def case_digest(case_id: str) -> str:
    """How a case is named in the log."""
    return hashlib.sha256(case_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def utc_text(when: datetime) -> str:
    """A time as the records write it: UTC, ISO 8601, milliseconds, Z."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
