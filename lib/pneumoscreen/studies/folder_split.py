"""The split of a studies folder: its shares are written once and hold for every training, evaluation and calibration.

Ours. Were each program to take the shares that it is given, a training under a smaller test share would learn from
patients whom an evaluation under the usual one then counts as test patients.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from ..errors import ConfigError
from .audit import utc_text
from .layout import AUDIT
from .split import DEFAULT_SPLIT, SALT, Side, SplitSettings
from .versions import write_exclusively

SPLIT_FILE = AUDIT / "split.json"
"""Below the studies folder. Beside the log, because it must outlast all that can be made again."""

_SCHEMA = "pneumoscreen.split/1"


def folder_split(studies: Path, asked: SplitSettings | None = None) -> SplitSettings:
    """The shares that hold for a folder: those it keeps, else those asked for, else the usual ones; writes nothing.

    Args:
        studies: the studies folder.
        asked: what a configuration names; None where it names none.

    Raises:
        ConfigError: if the folder keeps other shares than those asked for, or the file is damaged.
    """
    kept = _read(studies)
    if kept is None:
        return asked or DEFAULT_SPLIT
    if asked is not None and asked != kept:
        raise ConfigError(
            f"{studies}: the configuration asks for {_keys(asked)}, but the folder is divided by {_keys(kept)} "
            f"({SPLIT_FILE}); patients would change sides. Leave split out of the configuration; only if no model in "
            f"use was trained on this folder may {SPLIT_FILE} be deleted instead"
        )
    return kept


def keep_split(studies: Path, shares: SplitSettings, say: Callable[[str], None] | None = None) -> None:
    """Write the shares of a folder at their first use; later nothing is written.

    Args:
        studies: the studies folder.
        shares: as ``folder_split`` gave them.
        say: takes the note on a folder that cannot be written and has the usual shares.

    Raises:
        ConfigError: if another program has kept other shares meanwhile, or other shares than the usual ones cannot
            be kept: the next program would take the usual ones.
    """
    if _read(studies) is None:
        content = {"schema": _SCHEMA, **shares.model_dump(), "salt": SALT, "written": utc_text(datetime.now(UTC))}
        path = studies / SPLIT_FILE
        try:
            path.parent.mkdir(exist_ok=True)
            write_exclusively(path, (json.dumps(content, indent=1) + "\n").encode())
        except FileExistsError:
            pass  # by another program, just now: its shares are looked at below
        except OSError as error:
            _not_kept(studies, shares, error.strerror or str(error), say)
            return
    folder_split(studies, shares)


def source_in_words(studies: Path, side: str) -> str:
    """Where the cases of an evaluation come from, for its page.

    Args:
        studies: the studies folder.
        side: of its split; anything but a side stands for all patients.
    """
    name = f"studies folder {studies.resolve().name}"
    return f"{name} ({folder_split(studies).in_words})" if side in set(Side) else name


def _not_kept(studies: Path, shares: SplitSettings, reason: str, say: Callable[[str], None] | None) -> None:
    if shares != DEFAULT_SPLIT:
        raise ConfigError(
            f"{studies / SPLIT_FILE} cannot be written ({reason}), so that an evaluation would not know of "
            f"{_keys(shares)}; make the folder writable, or leave split out of the configuration"
        )
    if say is not None:
        say(f"{studies / SPLIT_FILE} cannot be written ({reason}); the usual split holds: {shares.in_words}")


def _read(studies: Path) -> SplitSettings | None:
    path = studies / SPLIT_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != _SCHEMA or content["salt"] != SALT:
            raise ValueError("written by another version of the program")
        return SplitSettings(validation=content["validation"], test=content["test"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{path} is damaged ({reason}); restore it from a backup: the cards of models that were trained on this "
            "folder say its shares"
        ) from None


def _keys(shares: SplitSettings) -> str:
    return f"split.validation {shares.validation:g}, split.test {shares.test:g}"
