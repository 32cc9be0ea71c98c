"""The annotation store: what readers submitted, version by version, so that nothing is ever lost.

``annotations/<case>/<version>.json`` is the truth: a file a version, never rewritten, never deleted.
``labels/final/<case>.json`` mirrors the document that counts for training, as plain contract JSON.

Concurrency: any number of threads and processes may use one folder. Reading takes no lock, since versions do not
change. Writing holds a lock file of the case, and even without it two writers cannot get the same number, since a
version comes into being by a hard link. A crash leaves at most a hidden file, a label map without version or a
mirror one version behind; the next submission or ``repair`` mends each.

A document in ``labels/final`` that no version holds - of a label folder older than the store, of a phantom, or
edited by hand - is taken in as a version of its own before anything is put in its place.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from .. import __version__
from ..case import Case
from ..errors import CaseError, PneumoScreenError
from ..models.atomic_files import fsync_path, replace_durably
from ..verdict import DEFAULT_CLASSES, Classes
from .audit import utc_text
from .final_labels import UNKNOWN_READER, FinalLabels
from .layout import (
    ANNOTATIONS,
    FINAL_LABELS,
    LONGEST_NAME,
    VOLUME_ENDINGS,
    is_plain_name,
    is_reader_name,
    require_plain_name,
    split_name,
)
from .versions import (
    ADJUDICATION,
    IMPORT,
    KINDS,
    READER,
    WITHDRAWAL,
    Annotation,
    counting_of,
    current_of,
    has_versions,
    is_shown_by,
    next_number,
    whole_versions,
    write_exclusively,
)

LOCK_S = 60.0
CASE_LOCK = ".lock"
"""In the folder of a case: whoever has it locked is the only one who writes annotations or label of the case."""
_POLL_S = 0.005

logger = logging.getLogger(__name__)


class ConflictError(PneumoScreenError):
    """Somebody else submitted since the version that a document was made from; ``other`` is what they submitted."""

    def __init__(self, other: Annotation, base: int) -> None:
        self.other = other
        super().__init__(
            f"{other.reader} submitted version {other.version} of case {other.case_id} at {other.at}, after version "
            f"{base} that this document was made from; look at it and submit again with base={other.version}"
        )


class NoVersionError(PneumoScreenError):
    """A version, or a case with versions, that is not there."""


class StorageError(PneumoScreenError):
    """The folder cannot be written; nothing was acknowledged."""


class AnnotationStore:
    """The annotations of a studies folder.

    Args:
        studies: the studies folder.
        classes: class list that submitted documents must keep to.
    """

    def __init__(self, studies: Path, classes: Classes = DEFAULT_CLASSES) -> None:
        self.studies = Path(studies)
        self.classes = classes
        self._labels = FinalLabels(self.studies, classes)

    def submit(
        self,
        case: Case,
        reader: str,
        *,
        base: int | None = None,
        kind: str = READER,
        label_map: Path | None = None,
    ) -> Annotation:
        """Keep a document as the next version of its case; what follows from its regions is derived anew.

        The same document from the same reader twice in a row is one version: a client may repeat a submission
        whose answer it did not get.

        Args:
            case: the document.
            reader: who submits it.
            base: the version it was made from (0: none); without it nobody else's version is looked for.
            kind: ``reader``, ``adjudication`` or ``import``.
            label_map: a label map to keep beside it; copied.

        Returns:
            The version; its ``changes`` say what was derived anew.

        Raises:
            CaseError: if the document breaks the contract or its case's name is no plain name.
            ConflictError: if another reader submitted after ``base``.
            StorageError: if it cannot be written.
        """
        if kind not in KINDS or kind == WITHDRAWAL:
            raise CaseError(f"field kind must be one of {READER}, {ADJUDICATION}, {IMPORT}, not {kind!r}")
        case, changes = Case.from_dict(case.to_dict(), self.classes).derived(self.classes)
        if label_map is not None:
            _ending(label_map)
        with self._changing(case.case_id, reader) as folder:
            stored = self._taken_in(case.case_id, folder)
            if base is not None:
                _check_base(case.case_id, stored, reader, base)
            draft = self._draft(case, reader, kind, base)
            return replace(self._add(folder, stored, draft, label_map), changes=changes)

    def adjudicate(self, case_id: str, number: int, reader: str) -> Annotation:
        """Settle a case by one of its versions, which then counts until a newer adjudication.

        Raises:
            NoVersionError: if there is no such version.
            StorageError: if it cannot be written.
        """
        self._require_versions(case_id)
        with self._changing(case_id, reader) as folder:
            stored = self._taken_in(case_id, folder)
            chosen = _numbered(case_id, stored, number)
            if chosen.kind == WITHDRAWAL:
                raise NoVersionError(f"version {number} of case {case_id} is a withdrawal; name the one to restore")
            draft = self._draft(chosen.document, reader, ADJUDICATION, number, chosen.classes)
            return self._add(folder, stored, draft, self.label_map(chosen))

    def withdraw(self, case_id: str, reader: str) -> Annotation:
        """Let no version of a case count any more; all of them are kept. A later submission counts again.

        Raises:
            NoVersionError: if none counts.
            StorageError: if it cannot be written.
        """
        self._require_versions(case_id)
        with self._changing(case_id, reader) as folder:
            stored = self._taken_in(case_id, folder)
            counting = counting_of(stored)
            if counting is None:
                self._labels.mirror(case_id, stored)
                raise NoVersionError(f"no annotation of case {case_id} counts, so there is none to withdraw")
            draft = self._draft(counting.document, reader, WITHDRAWAL, counting.version, counting.classes)
            return self._add(folder, stored, draft, None)

    def versions(self, case_id: str) -> list[Annotation]:
        """All versions of a case, oldest first. A label older than the store shows as the version it will become."""
        require_plain_name("field case_id", case_id)
        folder = self._folder(case_id)
        stored = whole_versions(folder)
        if stored:
            return stored
        case = self._labels.document(case_id)
        if case is None:
            return []
        return [self._labels.as_import(case, next_number(folder))]

    def version(self, case_id: str, number: int) -> Annotation:
        """One version of a case.

        Raises:
            NoVersionError: if there is none of this number.
        """
        return _numbered(case_id, self.versions(case_id), number)

    def current(self, case_id: str) -> dict[str, Annotation]:
        """The newest version of each reader that has not been withdrawn."""
        return current_of(self.versions(case_id))

    def counting(self, case_id: str) -> Annotation | None:
        """The version that training takes: the newest adjudicated one, else the newest."""
        return counting_of(self.versions(case_id))

    def cases(self) -> list[str]:
        """The cases with a version or a label, in order of their names."""
        names = {name for name in self._folders() if has_versions(self._folder(name))}
        return sorted(names | set(filter(is_plain_name, self._labels.cases())))

    def label_map(self, annotation: Annotation) -> Path | None:
        """The label map that was submitted with a version; None where there is none."""
        path = self._folder(annotation.case_id) / annotation.label_map if annotation.label_map else None
        return path if path is not None and path.is_file() else None

    def repair(self) -> list[str]:
        """Bring ``labels/final`` up to date after a crash; returns the cases where it was not.

        Raises:
            StorageError: if the folder cannot be written.
        """
        mended = []
        for case_id in self._folders():
            folder = self._folder(case_id)
            if is_shown_by(folder, self._labels.path(case_id)):
                continue
            stored = whole_versions(folder)
            if not stored or self._labels.shows(case_id, stored):
                continue
            with self._changing(case_id, UNKNOWN_READER):
                self._labels.mirror(case_id, self._taken_in(case_id, folder))
            mended.append(case_id)
        if mended:
            logger.warning("%d labels in %s were brought up to date from their annotations", len(mended), FINAL_LABELS)
        return mended

    def _folders(self) -> list[str]:
        folder = self.studies / ANNOTATIONS
        return sorted(filter(is_plain_name, os.listdir(folder))) if folder.is_dir() else []

    def _folder(self, case_id: str) -> Path:
        return self.studies / ANNOTATIONS / case_id

    def _require_versions(self, case_id: str) -> None:
        if not self.versions(case_id):
            raise NoVersionError(f"case {case_id} has no annotation yet; submit one first")

    @contextmanager
    def _changing(self, case_id: str, reader: str) -> Iterator[Path]:
        """The case's folder, locked for the one who is going to write into it."""
        require_plain_name("field case_id", case_id)
        if not is_reader_name(reader):
            raise CaseError(
                f"field reader {reader[:80]!r} must be one line of text of at most {LONGEST_NAME} characters"
            )
        folder = self._folder(case_id)
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                fsync_path(folder.parent)
                fsync_path(self.studies)
            with FileLock(folder / CASE_LOCK, timeout=LOCK_S, poll_interval=_POLL_S):
                for leftover in folder.glob(".0*"):  # nobody else writes here now: a killed process left it
                    leftover.unlink(missing_ok=True)
                yield folder
        except Timeout:
            raise StorageError(f"case {case_id} is being written by another process for too long; try again") from None
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(
                f"the annotation of case {case_id} cannot be written ({reason}); mend the studies folder and try again"
            ) from None

    def _add(self, folder: Path, stored: Sequence[Annotation], draft: Annotation, label_map: Path | None) -> Annotation:
        """Write the next version and bring the label up to date; a repetition of the newest one is not written."""
        pixels = None if label_map is None else label_map.read_bytes()
        digest = None if pixels is None else hashlib.sha256(pixels).hexdigest()
        newest = stored[-1] if stored else None
        if newest is not None and newest.says_the_same(replace(draft, label_map_sha256=digest)):
            self._labels.mirror(draft.case_id, stored)
            return newest
        while True:
            number = next_number(folder)
            name = None if label_map is None else f"{number:06d}{_ending(label_map)}"
            added = replace(draft, version=number, label_map=name, label_map_sha256=digest)
            try:
                if name is not None and pixels is not None:
                    write_exclusively(folder / name, pixels)
                write_exclusively(folder / f"{number:06d}.json", added.to_json().encode())
            except FileExistsError:  # a writer on a file system where locks do not reach
                continue
            self._labels.mirror(draft.case_id, [*stored, added])
            return added

    def _draft(
        self, case: Case, reader: str, kind: str, base: int | None, classes: Classes | None = None
    ) -> Annotation:
        """A version that has no number yet."""
        return Annotation(
            case_id=case.case_id,
            version=0,
            reader=reader,
            at=utc_text(datetime.now(UTC)),
            software=__version__,
            kind=kind,
            base=base,
            document=case,
            label_map=None,
            label_map_sha256=None,
            classes=classes or self.classes,
        )

    def _taken_in(self, case_id: str, folder: Path) -> list[Annotation]:
        """The versions of a case, after a label that none of them holds has become one; needs the lock."""
        stored = whole_versions(folder)
        label = self._labels.path(case_id)
        if not label.is_file() or self._labels.shows(case_id, stored):
            return stored
        case = self._labels.document(case_id)
        if case is None:
            content = label.read_bytes()
            aside = folder / f"unreadable-{hashlib.sha256(content).hexdigest()[:8]}.json"
            replace_durably(aside, content)
            logger.warning("a label is no valid document; it is kept as %s", aside.name)
            return stored
        if any(case == version.document for version in stored):
            return stored  # a crash left it one or more versions behind
        return [*stored, self._add(folder, stored, self._labels.as_import(case, 0), None)]


def _check_base(case_id: str, stored: Sequence[Annotation], reader: str, base: int) -> None:
    newest = max((version.version for version in stored), default=0)
    if not 0 <= base <= newest:
        raise CaseError(f"base must be a version of case {case_id}, 0 to {newest}, not {base}")
    others = [version for version in stored if version.version > base and version.reader != reader]
    if others:
        raise ConflictError(others[-1], base)


def _numbered(case_id: str, versions: Sequence[Annotation], number: int) -> Annotation:
    found = next((version for version in versions if version.version == number), None)
    if found is None:
        there = ", ".join(str(version.version) for version in versions) or "none"
        raise NoVersionError(f"case {case_id} has no version {number}; there are: {there}")
    return found


def _ending(label_map: Path) -> str:
    ending = split_name(label_map.name)[1].lower()
    if ending not in VOLUME_ENDINGS:
        raise CaseError(f"field label_map must end in {', '.join(VOLUME_ENDINGS)}")
    return ending
