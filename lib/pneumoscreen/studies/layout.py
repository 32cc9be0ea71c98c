"""Names in a studies folder: which folder holds what, and which names may stand in it.

Nothing here reads an image, so that whoever only keeps annotations starts fast.
"""

import hashlib
import re
from pathlib import Path, PurePath

from ..errors import CaseError

ANNOTATIONS = Path("annotations")
"""One folder a case, one file a version; the truth about what readers said."""
AUDIT = Path("audit")
FINAL_LABELS = Path("labels") / "final"
"""The document of each case that counts for training, where MONAI Label and ``find_studies`` look for it."""

VOLUME_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
RADIOGRAPH_ENDINGS = (".dcm", *PICTURE_ENDINGS)
_ENDINGS = (".json", *VOLUME_ENDINGS, *RADIOGRAPH_ENDINGS)

ELSEWHERE = ".images"
"""A file in the folder of an image whose files come from elsewhere when they are needed: it stands for them, and is
written anew when they become others."""

FOLLOW_VARIABLE = "PNEUMOSCREEN_FOLLOW_LINKS"
"""Folders outside of the studies that links in them may lead to, separated as in ``PATH``."""

LONGEST_NAME = 200
_LONGEST_PATIENT = 100


def is_plain_name(name: str) -> bool:
    """Whether a name is one entry of a folder and nothing else, on any file system.

    Ours: no slash or backslash, no leading dot, no control or other unprintable characters, and at most 200 bytes,
    which leaves room for endings.
    """
    return (
        bool(name)
        and name.isprintable()  # also leaves out half surrogate pairs, which cannot be encoded
        and len(name.encode()) <= LONGEST_NAME
        and not name.startswith(".")
        and not any(sign in name for sign in "/\\")
    )


def plain_name_rule(field: str, name: str) -> str:
    """The sentence that refuses a name."""
    return (
        f"{field} {name[:80]!r} is not a plain name: no slashes, no leading dot, no control characters, "
        f"at most {LONGEST_NAME} bytes"
    )


def require_plain_name(field: str, name: str) -> None:
    """Refuse a name that could lead out of its folder.

    Raises:
        CaseError: naming the field.
    """
    if not is_plain_name(name):
        raise CaseError(plain_name_rule(field, name))


def is_reader_name(name: str) -> bool:
    """Whether a name can stand in records and log lines: one line that shows, no spaces around it."""
    return 0 < len(name) <= LONGEST_NAME and name == name.strip() and name.isprintable()


def split_name(name: str) -> tuple[str, str]:
    """Id and ending of a file's name; devices write endings in capitals too."""
    for ending in _ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)], name[-len(ending) :]
    return name, ""


def image_id(studies: Path, image: PurePath) -> str:
    """The id by which an image goes, and so the name of its label and of its annotations' folder.

    It is a plain name whatever the image's own name is: whatever is offered can be stored.

    Args:
        studies: the studies folder.
        image: file or DICOM folder, relative to it.
    """
    if len(image.parts) > 1:
        return nested_id(image)
    name = image.name if (studies / image).is_dir() else split_name(image.name)[0]
    return name if is_plain_name(name) else nested_id(image)


def nested_id(path: PurePath) -> str:
    """The image id of a series in a folder below the first one, or of an image whose own name is no plain name.

    Ours: the first folder is taken for the patient, and a number that follows from the whole path tells the
    patient's series apart. So an id stays the same whatever folders are added, and all of a patient's series
    stay on one side of the split, which takes ``_t<number>`` for a visit.

    Args:
        path: of the file or folder, relative to the studies folder.
    """
    first = path.parts[0] if len(path.parts) > 1 else split_name(path.name)[0]
    patient = re.sub(r"[^\w-]+", "_", first)[:_LONGEST_PATIENT].strip("_") or "patient"
    while len(patient.encode()) > _LONGEST_PATIENT:
        patient = patient[:-1]
    digest = hashlib.sha256(path.as_posix().encode("utf-8", "surrogateescape")).digest()
    return f"{patient}_t{int.from_bytes(digest[:4], 'big'):010d}"


LESION_MASKS = Path("labels") / "lesions"


LUNG_MASKS = Path("labels") / "lungs"
