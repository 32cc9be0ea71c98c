"""The last screening of each image, kept beside its report: what a reader's label map and the worklist refer to.

``.pneumoscreen/screenings/<image>.json`` is the case document; the label map that went with it lies beside it. The last
document by each earlier set of models stays in ``.pneumoscreen/screened_before/<image>/``: what readers changed can be
told only beside what they were shown.
"""

import hashlib
import json
import logging
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...case import Case
from ...errors import CaseError
from ...models.atomic_files import replace_durably
from ...studies.audit import utc_text
from ...studies.layout import is_plain_name
from ...verdict import Classes

REPORTS = "reports"
_FOLDER = "screenings"
_EARLIER = "screened_before"
_MAP_ENDINGS = (".nrrd", ".nii.gz", ".nii")

logger = logging.getLogger(__name__)


def keep_screening(work_folder: Path, case: Case, label_map: Path | None) -> None:
    """Keep the document and label map of a screening in the place of the last one of this image.

    A disk that cannot be written costs the reader no result: it is noted in the log.

    Args:
        work_folder: the server's folder among the studies.
        case: the document; its case id is the image's id.
        label_map: the file that is returned to the client; copied.
    """
    if not is_plain_name(case.case_id):
        return
    folder = work_folder / _FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _set_aside(work_folder, folder / f"{case.case_id}.json", case)
        for ending in _MAP_ENDINGS:
            target = folder / f"{case.case_id}{ending}"
            if label_map is not None and label_map.name.endswith(ending):
                replace_durably(target, label_map.read_bytes())
                label_map = None
            else:
                target.unlink(missing_ok=True)
        replace_durably(folder / f"{case.case_id}.json", case.to_json().encode())
    except OSError as error:
        logger.warning("a screening could not be kept in %s: %s", folder, error)


def report_file(work_folder: Path, image_id: str) -> Path:
    """Where the report of the last screening of an image lies."""
    return work_folder / REPORTS / f"{image_id}.html"


def masks_file(work_folder: Path, image_id: str) -> Path:
    """Where the masks of the last screening of an image lie."""
    return work_folder / "masks" / f"{image_id}.nrrd"


def drop_screening(work_folder: Path, image_id: str) -> None:
    """Forget the last screening of an image: its document, label map, report and masks.

    Args:
        work_folder: the server's folder among the studies.
        image_id: the image.
    """
    if not is_plain_name(image_id):
        return
    kept = [work_folder / _FOLDER / f"{image_id}{ending}" for ending in (".json", *_MAP_ENDINGS)]
    for path in (*kept, report_file(work_folder, image_id), masks_file(work_folder, image_id)):
        path.unlink(missing_ok=True)
    shutil.rmtree(work_folder / _EARLIER / image_id, ignore_errors=True)


def last_screening(work_folder: Path, image_id: str, classes: Classes) -> Case | None:
    """The document of the last screening of an image; None if there is none that the class list fits."""
    path = work_folder / _FOLDER / f"{image_id}.json"
    if not is_plain_name(image_id):
        return None
    try:
        return Case.from_json(path.read_text(encoding="utf-8"), classes)
    except (OSError, UnicodeDecodeError, CaseError):
        return None


def screened_images(work_folder: Path) -> set[str]:
    """The images of which a screening may be kept."""
    return {path.stem for path in (work_folder / _FOLDER).glob("*.json") if is_plain_name(path.stem)}


def all_screenings(work_folder: Path, image_id: str, classes: Classes) -> list[tuple[Case, str]]:
    """The documents that are kept of an image and when each was kept, the last screening first.

    Of each set of models there is one; those that the class list does not fit are left out.
    """
    if not is_plain_name(image_id):
        return []
    last = work_folder / _FOLDER / f"{image_id}.json"
    earlier = (work_folder / _EARLIER / image_id).glob("*.json")
    found = [_kept(path, classes) for path in (last, *earlier)]
    first, *others = found
    rest = sorted((kept for kept in others if kept is not None), key=lambda kept: kept[1], reverse=True)
    return rest if first is None else [first, *rest]


def _kept(path: Path, classes: Classes) -> tuple[Case, str] | None:
    try:
        return Case.from_json(path.read_text(encoding="utf-8"), classes), _kept_at(path)
    except (OSError, UnicodeDecodeError, CaseError):
        return None


def _set_aside(work_folder: Path, last: Path, case: Case) -> None:
    """Keep the last document of an image where another set of models has made the new one.

    Raises:
        OSError: if the folder cannot be written.
    """
    try:
        content = last.read_bytes()
        models = json.loads(content)["models"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return  # there is none, or none that says anything
    if not models or models == case.to_dict()["models"]:
        return
    digest = hashlib.sha256(json.dumps(models, sort_keys=True).encode()).hexdigest()[:16]
    target = work_folder / _EARLIER / case.case_id / f"{digest}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    stat = last.stat()
    replace_durably(target, content)
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _kept_at(path: Path) -> str:
    return utc_text(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def screened_at(work_folder: Path, image_id: str) -> str | None:
    """When the last screening of an image was kept: UTC, ISO 8601; None if there is none."""
    path = work_folder / _FOLDER / f"{image_id}.json"
    try:
        return utc_text(datetime.fromtimestamp(path.stat().st_mtime, UTC)) if is_plain_name(image_id) else None
    except OSError:
        return None


def shown_regions(work_folder: Path, image_id: str) -> set[int] | None:
    """Numbers of the regions that the label map of the last screening shows; None if no map was kept.

    A region can lie wholly behind others; a reader who works on the label map never saw it.
    """
    if not is_plain_name(image_id):
        return None
    for ending in _MAP_ENDINGS:
        path = work_folder / _FOLDER / f"{image_id}{ending}"
        if path.is_file():
            try:
                values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
            except RuntimeError:
                return None
            return set(np.unique(values).tolist()) - {0}
    return None
