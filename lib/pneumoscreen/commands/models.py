"""``pneumoscreen models``: what the store holds, publishing by hand, and the way back."""

import getpass
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import methods
from ..models.catalogue import catalogue
from ..models.store import ModelStore
from ..models.weights import read_card
from ..output import require_folder
from ..studies.audit import AuditLog, Detail

WIDE = 150
"""Columns where no terminal says how many there are."""

BY = "command line"


def list_models(*, model_dir: Path | None, as_json: bool) -> None:
    """Print every model with its versions and candidates; damaged ones are marked.

    Raises:
        PneumoScreenError: if a folder was named that does not exist.
    """
    store = _store(model_dir)
    models = catalogue(store)
    if as_json:
        print(json.dumps({"models": models}, indent=2, ensure_ascii=False))
        return
    if not models:
        print(f"no models in {store.root}; train them or copy them there")
        return
    console = Console(width=shutil.get_terminal_size((WIDE, 24)).columns, highlight=False)
    for model in models:
        console.print(_table(model))
        if model["problem"]:
            console.print(Text(model["problem"]))


def show_model(name: str, version: str, *, model_dir: Path | None) -> None:
    """Print the card of a version or of a candidate.

    Raises:
        ModelError: if there is none, or its card is damaged.
    """
    store = _store(model_dir)
    if version.isascii() and version.isdigit():
        card = store.card(name, int(version))
    else:
        card = read_card(store.candidate_folder(name, version))
    print(json.dumps(card, indent=2, ensure_ascii=False))


def publish_candidate(name: str, candidate_id: str, *, model_dir: Path | None, studies: Path | None = None) -> None:
    """Publish a kept candidate, say what that did, and enter it into the audit log.

    Args:
        name: the model.
        candidate_id: the candidate.
        model_dir: the folder of models, which keeps an audit log of its own.
        studies: a studies folder whose log takes it too.

    Raises:
        ModelError: if there is no such candidate, it is damaged or does not fit the program.
    """
    store, logs = _store(model_dir), _audit_logs(model_dir, studies)
    before = store.current(name)
    reason = next((kept.reason for kept in store.candidates(name) if kept.id == candidate_id), None)
    version = methods.publish_by_hand(store, name, candidate_id, BY)
    _record(logs, "publish", model=name, version=version, before=before, candidate=candidate_id)
    history = f"; it had been kept because: {reason}" if reason else "; it had never been compared"
    print(f"{_changed(name, before, version)}: candidate {candidate_id} was published by hand{history}")


def roll_back(name: str, to: int | None, *, model_dir: Path | None, studies: Path | None = None) -> None:
    """Put an earlier version into use, say which, and enter it into the audit log; see ``publish_candidate``.

    Raises:
        ModelError: if there is none to go back to, or it is damaged.
    """
    store, logs = _store(model_dir), _audit_logs(model_dir, studies)
    before = store.current(name)
    version = store.rollback(name, to)
    _record(logs, "rollback", model=name, version=version, before=before)
    print(f"{_changed(name, before, version)}; a running server takes it at its next inference")


def _store(model_dir: Path | None) -> ModelStore:
    if model_dir is not None:
        require_folder(model_dir, "the folder of models")
    return ModelStore(model_dir)


def _audit_logs(model_dir: Path | None, studies: Path | None) -> list[AuditLog]:
    """The logs that a change of models is entered into."""
    if studies is not None:
        require_folder(studies, "the studies folder")
    return [AuditLog(folder) for folder in (_store(model_dir).root, studies) if folder is not None]


def _record(logs: Iterable[AuditLog], action: str, **details: Detail) -> None:
    """Enter a change that was made; one that cannot be entered is said, since it holds all the same."""
    for log in logs:
        try:
            log.record(f"{_user()} ({BY})", action, None, **details)
        except OSError as error:
            print(f"not entered into the audit log {log.folder}: {error.strerror}", file=sys.stderr)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"  # an account without a name, as containers have


def _changed(name: str, before: int | None, version: int) -> str:
    return f"{name} version {version} is in use (before: {before if before is not None else 'none'})"


def _table(model: dict[str, Any]) -> Table:
    table = Table("version", "state", "published", "figures", title=model["name"], title_justify="left", expand=False)
    for entry in model["versions"]:
        state = "in use" if entry["current"] else ""
        table.add_row(str(entry["version"]), *_cells(entry, state))
    for entry in model["candidates"]:
        table.add_row(entry["id"], *_cells(entry, "candidate"))
    return table


def _cells(entry: dict[str, Any], state: str) -> tuple[str, str, Text]:
    if entry["damage"]:
        state = f"{state}, damaged" if state else "damaged"
    told = entry["damage"] or entry.get("reason") or ", ".join(_figures(entry.get("figures"))) or "-"
    # Text, because messages hold brackets, which would be taken for markup.
    return state, str(entry.get("published") or entry.get("created") or "-")[:16].replace("T", " "), Text(told)


def _figures(figures: Any, name: str = "") -> Iterator[str]:
    """The fractions among a card's figures, by name; counts and tables stay in the card."""
    if isinstance(figures, dict):
        for key, value in figures.items():
            yield from _figures(value, f"{name} {key}".strip())
    elif isinstance(figures, float):
        yield f"{name} {figures:.3f}"
