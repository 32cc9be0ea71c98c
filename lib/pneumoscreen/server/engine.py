"""The networks and the scan that the tasks share: loaded once, used by one inference at a time.

Thread contract: ``turn`` is the only lock; whoever calls another method holds it. A screening takes all cores,
so two at once would only make both late and double the memory.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..ct.classifier import ClassifierSettings
from ..ct.lungs import Lungs, segment_lungs
from ..ct.screening import Screener
from ..errors import ModelError
from ..images import read_volume
from ..images.volume import Volume
from ..models.store import ModelStore
from ..verdict import DEFAULT_CLASSES, Classes

CANDIDATES, CLASSIFIER = NETWORKS = ("ct_candidates", "ct_classifier")

Fingerprint = tuple[tuple[str, int, int], ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Loaded:
    """Networks in memory, the state of the store that they stand for, and why they are not what it asks for."""

    state: tuple[Any, ...]
    screener: Screener
    problem: str | None = None


class Engine:
    """Networks from a store, reloaded when another version comes into use, and the scan read last."""

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self.turn = threading.Lock()
        self._loaded: _Loaded | None = None
        self._scan: tuple[Path, Fingerprint, Volume] | None = None
        self._lungs: tuple[Volume, Lungs] | None = None

    def versions(self) -> dict[str, int | None]:
        """Version of each network in use, None where there is none. Needs no lock and reads no weights."""
        loaded = self._loaded
        if loaded is not None and loaded.state == self._state():
            return {name: loaded.screener.models[name].version for name in NETWORKS}
        return {name: self.store.current(name) for name in NETWORKS}

    def loaded(self) -> dict[str, Any]:
        """The networks in memory and what is to be said of them, as JSON values. Needs no lock."""
        loaded = self._loaded
        if loaded is None:
            return {"loaded": {}, "notes": []}
        models = {name: asdict(info) for name, info in loaded.screener.models.items()}
        return {"loaded": models, "notes": list(_with_problem(loaded).notes)}

    def classes(self) -> Classes:
        """Class list of the classifier in use, read from its card. Needs no lock."""
        version = self.store.current(CLASSIFIER)
        while version is not None:
            try:
                network = self.store.card(CLASSIFIER, version)["network"]
                return ClassifierSettings.model_validate(network).classes.classes
            except (ModelError, ValidationError):
                version = self.store.before(CLASSIFIER, version)
        return DEFAULT_CLASSES

    def screener(self) -> Screener:
        """The networks in use.

        Where the store has none that can be loaded any more, those in memory stay, and their notes say so.

        Raises:
            ModelError: if there are none, or they do not fit the program.
        """
        state = self._state()
        if self._loaded is None or self._loaded.state != state:
            self._loaded = self._load(state, self._loaded)
        return _with_problem(self._loaded)

    def _load(self, state: tuple[Any, ...], before: _Loaded | None) -> _Loaded:
        try:
            return _Loaded(state, Screener.from_store(self.store))
        except ModelError as error:
            if before is None:
                raise
            problem = f"the networks loaded before stay in use until the server ends: {error}"
            logger.warning(problem)
            return _Loaded(state, before.screener, problem)

    def _state(self) -> tuple[Any, ...]:
        return tuple(self.store.fingerprint(name) for name in NETWORKS)

    def read(self, path: Path) -> tuple[Volume, float]:
        """A scan and the seconds that reading it took; the last one is kept while its file stays the same.

        Raises:
            ImageError: if it cannot be read.
        """
        start = time.perf_counter()
        state = fingerprint(path)
        if self._scan is None or self._scan[:2] != (path, state):
            self._scan = self._lungs = None  # frees the memory before the next scan takes it
            self._scan = (path, state, read_volume(path))
        return self._scan[2], time.perf_counter() - start

    def lungs(self, volume: Volume, progress: Callable[[str, float], None]) -> Lungs:
        """The lungs of a scan, kept with it.

        Raises:
            NoLungsError: if it shows none.
        """
        if self._lungs is None or self._lungs[0] is not volume:
            progress("lungs", 0.05)
            self._lungs = (volume, segment_lungs(volume))
        return self._lungs[1]

    def keep_lungs(self, volume: Volume, lungs: Lungs) -> None:
        """Keep lungs that a screening found, for a reader who corrects its regions next."""
        self._lungs = (volume, lungs)


def fingerprint(path: Path) -> Fingerprint:
    """Name, size and time of every file of a scan."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    stats = [(str(file), file.stat()) for file in files if file.exists()]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _with_problem(loaded: _Loaded) -> Screener:
    """The networks with a note on what is wrong, for the documents."""
    if loaded.problem is None:
        return loaded.screener
    old = loaded.screener
    return Screener(old.candidates, old.classifier, old.models, (*old.notes, loaded.problem), old.head)
