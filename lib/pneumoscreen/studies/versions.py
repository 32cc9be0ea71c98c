"""One stored version of a case's annotation: what it says, its file, and which of several versions counts.

A version's file is an envelope in JSON with a SHA-256 over all of it, written once and never changed. It names
the class list it was made with, so that it stays readable when the site's classes change.
"""

import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..case import Case
from ..errors import CaseError
from ..models.atomic_files import fsync_path, write_durably
from ..verdict import Classes

SCHEMA = "pneumoscreen.annotation/1"
READER, ADJUDICATION, IMPORT, WITHDRAWAL = "reader", "adjudication", "import", "withdrawal"
KINDS = (READER, ADJUDICATION, IMPORT, WITHDRAWAL)

_VERSION_FILE = re.compile(r"(\d{6,})\.json")
_NUMBERED = re.compile(r"(\d{6,})\.")
_KEPT_IN_MEMORY = 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotation:
    """One stored version of a case.

    Attributes:
        case_id: the case.
        version: counts from 1 in the order of submission; a number is used once.
        reader: who submitted it.
        at: when, UTC, ISO 8601 with Z.
        software: version of the program that stored it.
        kind: ``reader``, ``adjudication``, ``import`` (a label that was there before any version) or
            ``withdrawal`` (all versions before it no longer count; its document is the one that counted).
        base: the version it was made from, where its client said so.
        document: the case document as submitted, what follows from its regions derived anew.
        label_map: name of the label map that the regions were taken from, in the same folder.
        label_map_sha256: of that file.
        classes: class list that the document keeps to.
        changes: what was derived anew in the document when it was submitted, in sentences; told once, not kept.
    """

    case_id: str
    version: int
    reader: str
    at: str
    software: str
    kind: str
    base: int | None
    document: Case
    label_map: str | None
    label_map_sha256: str | None
    classes: Classes
    changes: tuple[str, ...] = field(default=(), compare=False)

    def summary(self) -> dict[str, Any]:
        """Everything but the document, as JSON values."""
        return {
            "case_id": self.case_id,
            "version": self.version,
            "reader": self.reader,
            "at": self.at,
            "software": self.software,
            "kind": self.kind,
            "base": self.base,
            "label_map": self.label_map,
        }

    def says_the_same(self, other: "Annotation") -> bool:
        """Whether another version is this one submitted again."""
        mine = (self.reader, self.kind, self.label_map_sha256, self.document)
        return mine == (other.reader, other.kind, other.label_map_sha256, other.document)

    def answer(self) -> dict[str, Any]:
        """The summary with what was derived anew, for whoever submitted it."""
        return {**self.summary(), "changes": list(self.changes)}

    def envelope(self) -> dict[str, Any]:
        """What its file holds, as JSON values."""
        content = {
            "schema": SCHEMA,
            **self.summary(),
            "label_map_sha256": self.label_map_sha256,
            "classes": asdict(self.classes),
            "document": self.document.to_dict(),
        }
        return {**content, "sha256": _digest(content)}

    def to_json(self) -> str:
        """What its file holds."""
        return json.dumps(self.envelope(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def valid(versions: Sequence[Annotation]) -> list[Annotation]:
    """The versions that have not been withdrawn."""
    last = max((i for i, version in enumerate(versions) if version.kind == WITHDRAWAL), default=-1)
    return list(versions[last + 1 :])


def current_of(versions: Sequence[Annotation]) -> dict[str, Annotation]:
    """The newest valid version of each reader; ``versions`` oldest first."""
    return {version.reader: version for version in valid(versions)}


def counting_of(versions: Sequence[Annotation]) -> Annotation | None:
    """The version that counts for training: the newest adjudicated one, else the newest; None if none is valid."""
    left = valid(versions)
    adjudicated = [version for version in left if version.kind == ADJUDICATION]
    return next(reversed(adjudicated or left), None)


def has_versions(folder: Path) -> bool:
    """Whether a case's folder holds any version, whole or damaged."""
    return any(map(_VERSION_FILE.fullmatch, _names(folder)))


def whole_versions(folder: Path) -> list[Annotation]:
    """The versions in a case's folder, oldest first; damaged files are passed over with a note in the log."""
    numbers = {int(m[1]): folder / m[0] for m in map(_VERSION_FILE.fullmatch, _names(folder)) if m}
    found = []
    for number in sorted(numbers):
        path = numbers[number]
        try:
            stat = path.stat()
            found.append(_read(path, number, stat.st_mtime_ns, stat.st_size))
        except (OSError, ValueError, TypeError, KeyError, RecursionError, CaseError) as error:
            logger.warning("version %d of a case is passed over: %s is damaged (%s)", number, path.name, error)
    return found


def is_shown_by(folder: Path, label: Path) -> bool:
    """Whether a label is the document that counts of a case's versions, at a fraction of what checking them costs.

    False where anything is unusual, such as a damaged file: then ``whole_versions`` must be asked.
    """
    try:
        names = [name for name in _names(folder) if _VERSION_FILE.fullmatch(name)]
        envelopes = [json.loads((folder / name).read_bytes()) for name in sorted(names, key=lambda n: (len(n), n))]
        last = max((i for i, content in enumerate(envelopes) if content["kind"] == WITHDRAWAL), default=-1)
        left = envelopes[last + 1 :]
        counting = next(reversed([content for content in left if content["kind"] == ADJUDICATION] or left), None)
        if counting is None:
            return not label.exists()
        return bool(json.loads(label.read_bytes()) == counting["document"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def next_number(folder: Path) -> int:
    """The number after the highest that any file in a case's folder carries, damaged ones and label maps included."""
    return 1 + max((int(m[1]) for m in map(_NUMBERED.match, _names(folder)) if m), default=0)


def write_exclusively(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file durably; after a crash it is there as a whole or not at all.

    ``mode`` holds before the file has its name: 0o600 for what only its owner may read.

    Raises:
        FileExistsError: if there is one of this name; it is left as it is.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    staged = Path(name)
    try:
        write_durably(staged, content)
        os.chmod(staged, mode)  # mkstemp gives 0600; by default another user of the folder must be able to read it
        try:
            os.link(staged, path)
        except FileExistsError:
            raise
        except OSError:  # no hard links here: the caller's lock keeps others away
            if path.exists():
                raise FileExistsError(path) from None
            os.rename(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    fsync_path(path.parent)


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


@lru_cache(_KEPT_IN_MEMORY)
def _read(path: Path, number: int, changed_ns: int, size: int) -> Annotation:
    """Read a version's file; time and size are there so that a changed file is read anew.

    Raises:
        ValueError: or another error of a damaged file.
    """
    content = json.loads(path.read_bytes())
    claimed = content.pop("sha256")
    if claimed != _digest(content):
        raise ValueError("its SHA-256 does not fit")
    if content["schema"] != SCHEMA or content["kind"] not in KINDS or content["version"] != number:
        raise ValueError("it is of another kind or number than its name says")
    names = content["classes"]
    classes = Classes(tuple(names["infections"]), names["irrelevant"], names["none_found"])
    return Annotation(
        case_id=content["case_id"],
        version=number,
        reader=content["reader"],
        at=content["at"],
        software=content["software"],
        kind=content["kind"],
        base=content["base"],
        document=Case.from_dict(content["document"], classes),
        label_map=content["label_map"],
        label_map_sha256=content["label_map_sha256"],
        classes=classes,
    )


def _digest(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
