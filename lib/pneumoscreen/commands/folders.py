"""Folders and files that a command writes: checked before the work, and never left half-written."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import PneumoScreenError


class OutputError(PneumoScreenError):
    """A folder or file that cannot be written."""


def prepare_folder(folder: Path) -> Path:
    """Make a folder where missing and see that files can be written into it.

    Raises:
        OutputError: if it is a file, cannot be made or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{folder}: a file stands where the output folder should be; name another folder") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to ({error.strerror}); name another folder") from None
    return folder


def require_folder(folder: Path, what: str) -> Path:
    """See that a folder that is to be read is there.

    Raises:
        PneumoScreenError: if it is absent or no folder.
    """
    if not folder.is_dir():
        reason = "is a file, not a folder" if folder.exists() else "does not exist"
        raise PneumoScreenError(f"{folder}: {what} {reason}; name an existing folder")
    return folder


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a path to write to; it takes the target's place at the end, or vanishes if the work fails.

    A reader of the target sees the old file or the new one, never a part.

    Raises:
        OutputError: if the file cannot be written.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)


def write_evaluation(out: Path, figures: Mapping[str, Any], text: str, page: str | None = None) -> None:
    """Write ``evaluation.json``, ``.txt`` and, where there is a page, ``.html`` into a folder.

    Raises:
        OutputError: if one cannot be written.
    """
    files = {
        "evaluation.json": json.dumps(figures, indent=1, allow_nan=False) + "\n",
        "evaluation.txt": text,
    }
    if page is not None:
        files["evaluation.html"] = page
    for name, content in files.items():
        with replacing(out / name) as part:
            part.write_text(content, encoding="utf-8")
