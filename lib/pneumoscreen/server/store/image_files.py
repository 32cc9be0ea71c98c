"""Which files and folders of a studies folder are images, and by which ids.

- A volume or a radiograph in the folder itself; its id is its name without the ending.
- A folder in it that holds DICOM files; its id is the folder's name.
- A folder further down (patient/study/series) that holds DICOM files; its id is ``layout.nested_id`` of its path.
- A volume in a folder further down, and a picture where neither DICOM files nor a volume lie beside it; likewise.
- An image whose own name no label could have (too long, with characters that do not show) has such an id as well.
- A series that lies in several folders is one image, that of its first folder.

Hidden files, the folders of labels and annotations, loose CT slices (a line in the log says so) and DICOM objects
without an image are no images. What ``AllowedFiles`` does not admit is passed over. Where two have the same id, the CT
goes before a picture of it. While ``waits_for_copies``, an image that was put there or grew only now is no image yet:
somebody is copying it.
"""

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...images.dicom_start import looks_like_dicom
from ...models.atomic_files import changed_ns, fsync_path
from ...studies.layout import ANNOTATIONS, AUDIT, PICTURE_ENDINGS, RADIOGRAPH_ENDINGS, VOLUME_ENDINGS, image_id
from ..failures import RequestError
from .allowed_files import FOREIGN, LEADS_OUT, AllowedFiles
from .images import Images
from .reading import Reading
from .split_series import SplitSeries

_NOT_SEARCHED = {"labels", ANNOTATIONS.name, AUDIT.name}
_FILES_PROBED = 8
_QUIET_FILE_S, _QUIET_FOLDER_S = 2.0, 6.0
"""Ours: an image whose files have not changed for so long is complete. Between two slices a copy can take a while."""
_DEEPEST = 8
_LOOSE = (
    "DICOM files that lie in the studies folder itself are not offered, but for X-rays whose name ends in .dcm: "
    "put each series into a folder of its own"
)
_IMAGE_ENDINGS = (*VOLUME_ENDINGS, *RADIOGRAPH_ENDINGS)

logger = logging.getLogger(__name__)


def is_image_name(name: str) -> bool:
    """Whether a file is taken for an image by its name."""
    return not name.startswith(".") and name.lower().endswith(_IMAGE_ENDINGS)


def require_single_image(path: Path, reading: Reading) -> None:
    """Refuse a DICOM file that is no whole image.

    Raises:
        RequestError: if it is a slice, or shows nothing.
    """
    if not reading.is_single_image(path):
        raise RequestError("a DICOM file is an image by itself only if it is a radiograph; upload a series as NRRD")


def place_file(source: str, target: Path) -> None:
    """Copy a file to its place so that it is there as a whole or not at all."""
    handle, staged = tempfile.mkstemp(prefix=".part-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as copy, open(source, "rb") as original:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
        os.chmod(staged, 0o644)  # mkstemp gives 0600: another user of the folder must be able to read it
        os.replace(staged, target)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise
    fsync_path(target.parent)


class ImageFiles(Images):
    """The images of one studies folder. What was found out about a file holds until it changes.

    Args:
        studies: the folder.
        reading: looks into DICOM files; default: in this process.
        now: the clock, in seconds since 1970.

    Thread contract: ``search`` is done by one thread at a time.
    """

    def __init__(self, studies: Path, reading: Reading | None = None, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._reading = reading or Reading()
        self._studies = studies
        self.allowed = AllowedFiles(studies)
        self._split = SplitSeries(self._reading.folders_of_series)
        self._known: dict[str, tuple[int, bool]] = {}
        self._complained: set[str] = set()
        self._not_dicom: dict[str, int] = {}
        self._searching = threading.Lock()
        self._whole: dict[str, tuple[int, int]] = {}
        self._folders: dict[str, int] = {}
        self._names: frozenset[str] = frozenset()
        self._is_unsure = False

    def search(self) -> dict[str, str]:
        """See ``Images``."""
        with self._searching:
            self._folders, self._is_unsure = {}, False
            self._names = _names(self._studies)
            found = self._by_id()
            growing = {name for name, place in found.items() if not self._are_whole(self._studies / place)}
            self.being_copied = frozenset(growing)
        return {name: place for name, place in found.items() if name not in growing}

    def has_changed(self) -> bool:
        """Whether something was put into a folder or taken out of it since the last search, or is being copied."""
        if self.being_copied or self._is_unsure or _names(self._studies) != self._names:
            return True
        return any(changed_ns(folder) != then for folder, then in self._folders.items())

    def is_whole(self, path: Path) -> None:
        """See ``Images``."""
        state = _state(path)
        if state is not None:
            self._whole[str(path)] = state

    def _are_whole(self, path: Path) -> bool:
        """Whether nobody writes an image, nor the further folders of its series, any more."""
        return all(self._is_whole(part) for part in (path, *self._reading.more_of(path)))

    def _is_whole(self, path: Path) -> bool:
        """Whether nobody writes a file or folder any more; once so, it stays until its files are others."""
        state = _state(path)
        if state is None or self._whole.get(str(path)) == state:
            return True
        if self.waits_for_copies and _is_young(path, self._now()):
            return False
        self._whole[str(path)] = state
        return True

    def _by_id(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in sorted(self._one_a_series(list(self._candidates())), key=_rank):
            if (
                found.setdefault(image_id(self._studies, path), str(path)) != str(path)
                and str(path) not in self._complained
            ):
                self._complained.add(str(path))
                logger.warning("an image is left out: another one has its name without the ending; rename one of them")
        return dict(sorted(found.items()))

    def _one_a_series(self, found: Sequence[Path]) -> list[Path]:
        """The images without the folders that go on with a series that begins in another one."""
        folders = [self._studies / path for path in found if (self._studies / path).is_dir()]
        joined = self._split.among(folders)
        self._reading.join(joined)
        more = {folder for folders in joined for folder in folders[1:]}
        return [path for path in found if self._studies / path not in more]

    def _candidates(self) -> Iterator[Path]:
        for entry in _visible(self._studies):
            if entry.name in _NOT_SEARCHED:
                continue
            if not (_is_folder(entry) or is_image_name(entry.name)):
                self._name_if_loose(Path(entry.path))
                continue
            if not self.allowed.admits(entry.path):
                continue
            if _is_folder(entry):
                yield from self._series(Path(entry.name), 1)
            elif self._is_offered(Path(entry.path)):
                yield Path(entry.name)
            else:
                self._name_if_loose(Path(entry.path))

    def _name_if_loose(self, path: Path) -> None:
        """Say once, for all of them, that a DICOM file in the studies folder itself is not offered."""
        changed = changed_ns(path)
        if _LOOSE in self._complained or self._not_dicom.get(str(path)) == changed:
            return
        if self.waits_for_copies and _is_young(path, self._now()):
            return  # an X-ray of which the rest is still to come looks like a slice
        if self.allowed.problem_of(path) is None and _looks_like_dicom(path):
            self._complained.add(_LOOSE)
            logger.warning(_LOOSE)
        self._not_dicom[str(path)] = changed

    def _series(self, folder: Path, depth: int) -> Iterator[Path]:
        """The folders that hold DICOM files, this one and those in it; links inside are not followed."""
        self._folders[str(self._studies / folder)] = changed_ns(str(self._studies / folder))  # before its list is read
        try:
            entries = _visible(self._studies / folder)
        except OSError as error:
            self.allowed.pass_over(self._studies / folder, f"it cannot be opened ({error.strerror})")
            return
        files = [entry for entry in entries if not _is_folder(entry)]
        holds_dicom = self._holds_dicom(folder, files)
        if holds_dicom:
            yield folder
        yield from self._files_below(folder, files, holds_dicom)
        if depth < _DEEPEST:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and self.allowed.admits(entry.path):
                    yield from self._series(folder / entry.name, depth + 1)

    def _files_below(self, folder: Path, files: "list[os.DirEntry[str]]", holds_dicom: bool) -> Iterator[Path]:
        """The volumes of a folder below the studies folder, or its pictures where it holds no CT."""
        volumes = [entry for entry in files if entry.name.lower().endswith(VOLUME_ENDINGS)]
        pictures = [entry for entry in files if entry.name.lower().endswith(PICTURE_ENDINGS)]
        if pictures and (holds_dicom or volumes):
            self.allowed.pass_over(self._studies / folder, "its pictures are not offered, since they lie beside a CT")
            pictures = []
        yield from (folder / entry.name for entry in (*volumes, *pictures) if self.allowed.admits(entry.path))

    def _holds_dicom(self, folder: Path, files: "list[os.DirEntry[str]]") -> bool:
        """Whether one of the first files of a folder starts as DICOM files do, and none of them is another's."""
        paths = [Path(entry.path) for entry in files if entry.name.lower() != "dicomdir"]

        def answer() -> bool:
            problems = {path: self.allowed.problem_of(path) for path in paths}
            plain = [path for path, problem in problems.items() if problem is None]
            if not any(map(_looks_like_dicom, plain[:_FILES_PROBED])):
                return False
            # A series is read as a whole: without some of its files it would be another one.
            foreign = [problem for problem in problems.values() if problem in (LEADS_OUT, FOREIGN)]
            if foreign:
                self.allowed.pass_over(self._studies / folder, f"of one of its files: {foreign[0]}")
            return not foreign

        return self._remembered(self._studies / folder, answer)

    def _is_offered(self, path: Path) -> bool:
        return not path.name.lower().endswith(".dcm") or self._remembered(
            path, lambda: self._reading.is_single_image(path)
        )

    def _remembered(self, path: Path, answer: Callable[[], bool]) -> bool:
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return False
        known = self._known.get(str(path))
        if known is None or known[0] != changed:
            known = changed, answer()
            if not known[1] and self.waits_for_copies and _is_young(path, self._now()):
                self._is_unsure = True  # it may be half of what it is going to be
                return False
            self._known[str(path)] = known
        return known[1]


def _names(folder: Path) -> frozenset[str]:
    """The entries of a folder but the hidden ones, which the server itself makes."""
    try:
        return frozenset(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return frozenset()


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when a file, or the list of files in a folder, does; None where it cannot be told."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, 0 if path.is_dir() else status.st_size


def _is_young(path: Path, now: float) -> bool:
    """Whether a file or, of a folder, one of the files in it was written or renamed only now.

    The time of the change of status counts: copying can set the other times back.
    """
    is_folder = path.is_dir()
    try:
        paths = [entry.path for entry in os.scandir(path)] if is_folder else [str(path)]
    except OSError:
        return False
    newest = 0.0
    for name in paths:
        try:
            newest = max(newest, os.lstat(name).st_ctime)
        except OSError:
            return True  # a temporary name that the copy has just given up
    # A clock that is ahead, as another machine's can be, says nothing.
    return 0.0 <= now - newest < (_QUIET_FOLDER_S if is_folder else _QUIET_FILE_S)


def _visible(folder: Path) -> "list[os.DirEntry[str]]":
    """What lies in a folder, in order of names, without hidden entries."""
    return sorted((entry for entry in os.scandir(folder) if not entry.name.startswith(".")), key=lambda e: e.name)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link in a circle


def _rank(path: Path) -> tuple[int, str]:
    name = path.name.lower()
    if len(path.parts) == 1 and name.endswith(VOLUME_ENDINGS):
        return 0, str(path)
    return (2 if name.endswith(_IMAGE_ENDINGS) else 1), str(path)


def _looks_like_dicom(path: Path) -> bool:
    try:
        return looks_like_dicom(path)
    except OSError:
        return False
