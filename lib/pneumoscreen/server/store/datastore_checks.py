"""What the datastore takes: names, values, documents and an index that can be kept and read back."""

import json
import logging
from pathlib import Path
from typing import Any

from monailabel.datastore.local import DataModel, LocalDatastoreModel

from ...limits import MEBIBYTE, Limits, variable_of
from ...studies.layout import VOLUME_ENDINGS, is_plain_name, plain_name_rule
from ..failures import RequestError, TooLargeError

logger = logging.getLogger(__name__)


def require_safe(what: str, value: str) -> None:
    """Refuse a name that could lead out of its folder.

    Raises:
        RequestError: naming ``what`` it is.
    """
    if not is_plain_name(value):
        raise RequestError(plain_name_rule(what, value))


def require_storable(info: dict[str, Any]) -> None:
    """Refuse what the index could not be read back with: no number, half a character, or nested too deeply.

    Raises:
        RequestError: if it is such.
    """
    try:
        DataModel.model_validate_json(json.dumps({"info": info or {}}, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        raise RequestError("what is said of the label or image is no plain JSON object; check params") from None


def document_text(file: Path) -> bytes:
    """The text of a case document, refused before it fills the memory: parsed, it takes thirty times its size.

    Raises:
        TooLargeError: if it is too large.
    """
    most = Limits.of_environment().max_document_mb
    if file.stat().st_size > most * MEBIBYTE:
        raise TooLargeError(
            f"a case document has at most {most} MB; send less, or raise {variable_of('max_document_mb')}"
        )
    return file.read_bytes()


def read_index(index: Path) -> LocalDatastoreModel | None:
    """The index of a studies folder; None if it is none."""
    try:
        return LocalDatastoreModel.model_validate_json(index.read_bytes())
    except (OSError, ValueError):
        return None


def set_aside_if_damaged(index: Path) -> None:
    """Keep a damaged index under another name, so that it is made anew from the files."""
    if index.exists() and read_index(index) is None:
        aside = index.with_name(f"{index.name}.damaged-{int(index.stat().st_mtime)}")
        index.rename(aside)
        logger.warning("%s was damaged; it lies now at %s and is rebuilt from the files", index, aside)


def is_label_map(name: str) -> bool:
    """Whether a file is taken for a label map by its name."""
    return not name.startswith(".") and name.lower().endswith(VOLUME_ENDINGS)
