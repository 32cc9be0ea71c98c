"""Which files and folders of a studies folder are images, and by which ids.

- A volume or a radiograph in the folder itself; its id is its name without the ending.
- A folder in it that holds DICOM files; its id is the folder's name.
- A folder further down (patient/study/series) that holds DICOM files; its id is ``layout.nested_id`` of its path.
- So is that of an image whose own name no label could have: too long, or with characters that do not show.

Hidden files, the folders of labels and annotations, loose CT slices and DICOM objects without an image are no images.
What ``Fence`` does not admit is passed over. Where two have the same id, the CT goes before a picture of it.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ..images.dicom_header import looks_like_dicom
from ..models.durable import fsync_folder
from ..studies.layout import ANNOTATIONS, AUDIT, RADIOGRAPH_ENDINGS, VOLUME_ENDINGS, image_id
from .failures import RequestError
from .fence import FOREIGN, LEADS_OUT, Fence
from .reading import Reading

_NOT_SEARCHED = {"labels", ANNOTATIONS.name, AUDIT.name}
_FILES_PROBED = 8
_DEEPEST = 8
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
    fsync_folder(target.parent)


class ImageFiles:
    """The images of one studies folder. What was found out about a file holds until it changes.

    Attributes:
        fence: says what is passed over, and why.
    """

    def __init__(self, studies: Path, reading: Reading | None = None) -> None:
        self._reading = reading or Reading()
        self._studies = studies
        self.fence = Fence(studies)
        self._known: dict[str, tuple[int, bool]] = {}
        self._complained: set[str] = set()

    def search(self) -> dict[str, str]:
        """Path of every image relative to the studies folder, by its id."""
        found: dict[str, str] = {}
        for path in sorted(self._candidates(), key=_rank):
            if (
                found.setdefault(image_id(self._studies, path), str(path)) != str(path)
                and str(path) not in self._complained
            ):
                self._complained.add(str(path))
                logger.warning("an image is left out: another one has its name without the ending; rename one of them")
        return dict(sorted(found.items()))

    def _candidates(self) -> Iterator[Path]:
        for entry in _visible(self._studies):
            if entry.name in _NOT_SEARCHED or not (_is_folder(entry) or is_image_name(entry.name)):
                continue
            if not self.fence.admits(entry.path):
                continue
            if _is_folder(entry):
                yield from self._series(Path(entry.name), 1)
            elif self._is_offered(Path(entry.path)):
                yield Path(entry.name)

    def _series(self, folder: Path, depth: int) -> Iterator[Path]:
        """The folders that hold DICOM files, this one and those in it; links inside are not followed."""
        try:
            entries = _visible(self._studies / folder)
        except OSError as error:
            self.fence.pass_over(self._studies / folder, f"it cannot be opened ({error.strerror})")
            return
        if self._holds_dicom(folder, [entry for entry in entries if not _is_folder(entry)]):
            yield folder
        if depth < _DEEPEST:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and self.fence.admits(entry.path):
                    yield from self._series(folder / entry.name, depth + 1)

    def _holds_dicom(self, folder: Path, files: "list[os.DirEntry[str]]") -> bool:
        """Whether one of the first files of a folder starts as DICOM files do, and none of them is another's."""
        paths = [Path(entry.path) for entry in files if entry.name.lower() != "dicomdir"]

        def answer() -> bool:
            problems = {path: self.fence.problem_of(path) for path in paths}
            plain = [path for path, problem in problems.items() if problem is None]
            if not any(map(_looks_like_dicom, plain[:_FILES_PROBED])):
                return False
            # A series is read as a whole: without some of its files it would be another one.
            foreign = [problem for problem in problems.values() if problem in (LEADS_OUT, FOREIGN)]
            if foreign:
                self.fence.pass_over(self._studies / folder, f"of one of its files: {foreign[0]}")
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
            known = self._known[str(path)] = changed, answer()
        return known[1]


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
