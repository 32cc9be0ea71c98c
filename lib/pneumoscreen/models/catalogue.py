"""What a store holds, as plain values: the content of ``pneumoscreen models list`` and of the server's answer."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ModelError
from .candidates import PUBLICATION, Candidate
from .store import ModelStore, UnknownModelError
from .versions import REPLACES, stamps
from .weights import read_weights

EntryT = TypeVar("EntryT")


def catalogue(store: ModelStore) -> list[dict[str, Any]]:
    """Every model with its versions, newest first, and its candidates, newest first; all files are verified."""
    return [_model(store, name) for name in store.names()]


def _model(store: ModelStore, name: str) -> dict[str, Any]:
    current, problem = store.in_use(name)
    return {
        "name": name,
        "current": current,
        "problem": problem,
        "versions": _entries(lambda number: _version(store, name, number, current), store.versions(name)),
        "candidates": _entries(lambda candidate: _candidate(store, name, candidate), store.candidates(name)),
    }


def _entries(describe: Callable[[EntryT], dict[str, Any]], oldest_first: Sequence[EntryT]) -> list[dict[str, Any]]:
    entries = []
    for entry in reversed(oldest_first):
        with suppress(UnknownModelError):  # pruned or published since it was listed
            entries.append(describe(entry))
    return entries


def _version(store: ModelStore, name: str, number: int, current: int | None) -> dict[str, Any]:
    entry = {"version": number, "current": number == current, "damage": damage(store.folder(name, number), name)}
    try:
        card = store.card(name, number)
    except ModelError:
        return entry
    told = {key: card.get(key) for key in ("created", "published", REPLACES, "sha256", "figures", PUBLICATION)}
    return {**entry, **told}


def _candidate(store: ModelStore, name: str, candidate: Candidate) -> dict[str, Any]:
    told = {key: candidate.card.get(key) for key in ("created", "sha256", "figures", PUBLICATION)}
    problem = damage(store.candidate_folder(name, candidate.id), name)
    return {"id": candidate.id, "reason": candidate.reason, "damage": problem, **told}


def damage(folder: Path, name: str) -> str | None:
    """What is wrong with the weights in a folder; None where they are whole."""
    return _damage(folder, name, stamps(folder))


@lru_cache(maxsize=256)
def _damage(folder: Path, name: str, _stamps: tuple[Any, ...]) -> str | None:
    # Files that have not changed since they were verified are not read again: clients may ask every few seconds.
    try:
        read_weights(folder, name)
    except ModelError as error:
        return str(error)
    return None
