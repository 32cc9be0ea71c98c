"""Folders and files that a command writes: checked before the work, and never left half-written."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .case import Case
from .errors import PneumoScreenError

STAGES = ("read", "lungs", "candidates", "classify", "report", "total")


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


def remove_unfinished(folder: Path) -> None:
    """Delete what processes that were killed while they were ``replacing`` left in a folder.

    Only for who knows that no process writes into it now.
    """
    for path in folder.glob(".*.*.part"):
        if path.is_file() and path.suffixes[-2][1:].isdecimal():
            path.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write into; it takes the target's name at the end, or vanishes if the work fails.

    Nothing that is there already is written over.

    Raises:
        OutputError: if the target holds something, or cannot be made.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise OutputError(f"{target}: exists already, and nothing in it is written over; name a new folder")
    target = target.resolve()
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        # A folder without content gives way to a rename, one that was filled meanwhile does not.
        os.replace(part, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error}); name another folder") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


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


def write_results(screened: Case, write: Callable[[Path], None], out: Path, start: float) -> Case:
    """Write report and document of a screened case, and return it with all its times.

    Args:
        screened: the case with the times up to here.
        write: writes the report to a file.
        out: folder of the two.
        start: of the whole screening, on the clock of ``time.perf_counter``.

    Raises:
        OutputError: if the files cannot be written.
    """
    report_start = time.perf_counter()
    with replacing(out / f"{screened.case_id}.html") as part:
        write(part)
    end = time.perf_counter()
    # The report shows the times up to itself; the document holds them all.
    times = {**screened.timings_s, "report": end - report_start, "total": end - start}
    case = replace(screened, timings_s={name: round(times[name], 3) for name in STAGES if name in times})
    with replacing(out / f"{case.case_id}.json") as part:
        part.write_text(case.to_json(), encoding="utf-8")
    return case
