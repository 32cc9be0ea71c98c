"""The networks and the scan that the tasks share: loaded once, used by one inference at a time.

Thread contract: ``turn`` is the only lock; whoever calls another method holds it. A screening takes all cores,
so two at once would only make both late and double the memory.
"""

import hashlib
import logging
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import ImageError, ModelError
from ...images.inputs import Modality, modality_of
from ...method import Method
from ...methods import METHODS, class_list, method_for
from ...models.store import ModelStore
from ...studies.layout import ELSEWHERE
from ...verdict import Classes
from ..store.reading import Check, Reading

Fingerprint = tuple[tuple[str, int, int], ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Loaded:
    """Networks in memory, the state of the store that they stand for, and why they are not what it asks for."""

    state: tuple[Any, ...]
    screener: Any
    problem: str | None = None


DEVICE_VARIABLE = "PNEUMOSCREEN_DEVICE"
"""Where the networks run; ``auto`` or nothing takes a GPU where there is one."""


def chosen_device() -> str | None:
    """The device that the environment names; None for auto."""
    name = os.environ.get(DEVICE_VARIABLE, "")
    return None if name in ("", "auto") else name


class _Networks:
    """The networks of one method, loaded when first needed and again when another version comes into use."""

    def __init__(self, store: ModelStore, method: Method) -> None:
        self._store, self._method = store, method
        self._names = tuple(network.name for network in method.networks)
        self._loaded: _Loaded | None = None

    def versions(self) -> dict[str, int | None]:
        """Version of each network in use, None where there is none. Reads no weights."""
        loaded = self._loaded
        if loaded is not None and loaded.state == self._state():
            return {name: loaded.screener.models[name].version for name in self._names}
        return {name: self._store.current(name) for name in self._names}

    def loaded(self) -> dict[str, Any]:
        """The networks in memory and what is to be said of them, as JSON values."""
        loaded = self._loaded
        if loaded is None:
            return {"loaded": {}, "notes": []}
        models = {name: asdict(info) for name, info in loaded.screener.models.items()}
        return {"loaded": models, "notes": list(_with_problem(loaded).notes)}

    def screener(self) -> Any:
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
            return _Loaded(state, self._method.screener(self._store, chosen_device()))
        except ModelError as error:
            if before is None:
                raise
            problem = f"the networks loaded before stay in use until the server ends: {error}"
            logger.warning(problem)
            return _Loaded(state, before.screener, problem)

    def _state(self) -> tuple[Any, ...]:
        return tuple(self._store.fingerprint(name) for name in self._names)


class Engine:
    """Networks from a store, reloaded when another version comes into use, and the scan read last.

    Args:
        store: of the models.
        studies: the folder below which documents say where their image lies; None: they have its name only.
        reading: how scans are read; default: in this process.
    """

    def __init__(self, store: ModelStore, studies: Path | None = None, reading: Reading | None = None) -> None:
        self.store = store
        self.reading = reading or Reading()
        self._studies = None if studies is None else Path(os.path.realpath(studies))
        self.turn = threading.Lock()
        self._networks = {method.modality: _Networks(store, method) for method in METHODS}
        self._scan: tuple[Path, Fingerprint, Any] | None = None
        self._kept: dict[str, object] = {}

    def versions(self, method: Method) -> dict[str, int | None]:
        """Version of each network of a method in use, None where there is none. Needs no lock, reads no weights."""
        return self._networks[method.modality].versions()

    def all_versions(self) -> dict[str, int | None]:
        """The same of all methods."""
        return {name: version for found in self._networks.values() for name, version in found.versions().items()}

    def loaded(self) -> dict[str, Any]:
        """The networks in memory and what is to be said of them, as JSON values. Needs no lock."""
        found = [networks.loaded() for networks in self._networks.values()]
        models = {name: info for each in found for name, info in each["loaded"].items()}
        return {"loaded": models, "notes": [note for each in found for note in each["notes"]]}

    def classes(self) -> Classes:
        """The site's class list, of the networks in use. Needs no lock."""
        return class_list(self.store)

    def screener(self, method: Method) -> Any:
        """The networks of a method in use.

        Raises:
            ModelError: if there are none, or they do not fit the program.
        """
        return self._networks[method.modality].screener()

    def read(self, method: Method, path: Path, check: Check = bool) -> tuple[Any, float]:
        """An image and the seconds that reading it took; one that takes long is kept while its file stays the same.

        Args:
            method: that reads it.
            path: its file or folder.
            check: asked while it is read; raises to stop.

        Raises:
            ImageError: if it cannot be read.
        """
        start = time.perf_counter()
        if not method.reads_ahead:
            image = self.reading.image(method, path, self._studies, check)
            return image, time.perf_counter() - start
        state = fingerprint(path, *self.reading.more_of(path))
        if self._scan is None or self._scan[:2] != (path, state):
            self._scan, self._kept = None, {}  # frees the memory before the next scan takes it
            self._scan = (path, state, self.reading.image(method, path, self._studies, check))
        return self._scan[2], time.perf_counter() - start

    def is_of_kind(self, path: Path, modality: Modality) -> bool:
        """Whether an image is of a task's kind, as far as it can be told: the wrong task says nothing of the image."""
        try:
            return self.reading.modality(path) == modality
        except ImageError:
            return True

    def keep(self, image: Any, name: str, found: object) -> None:
        """Keep what was found in an image as long as the image is kept."""
        if self._scan is not None and self._scan[2] is image:
            self._kept[name] = found

    def kept(self, image: Any, name: str) -> object | None:
        """What was found in an image; None where it is not there any more."""
        return self._kept.get(name) if self._scan is not None and self._scan[2] is image else None


def method_of_file(path: Path) -> Method:
    """The method for an image of the studies; where its header cannot be read, one whose reading says what is wrong."""
    try:
        return method_for(modality_of(path))
    except ImageError:
        return METHODS[0]


def fingerprint(*paths: Path) -> Fingerprint:
    """Name, size and time of every file of a scan, which lies in a file or in one or more folders.

    Of a scan whose files come from elsewhere, of what stands for them.
    """
    files = [file for path in paths for file in _files_of(path)]
    stats = [(str(file), file.stat()) for file in files if file.exists()]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _files_of(path: Path) -> list[Path]:
    if (path / ELSEWHERE).is_file():
        return [path / ELSEWHERE]
    return sorted(filter(Path.is_file, path.rglob("*"))) or [path]


def scan_state(path: Path) -> str:
    """A short name for the present state of a scan's files, wherever the studies folder lies."""
    return named_state(path, fingerprint(path))


def named_state(path: Path, files: Fingerprint) -> str:
    """``scan_state`` of a scan whose fingerprint is known."""
    state = [(os.path.relpath(name, path), size, changed_ns) for name, size, changed_ns in files]
    return hashlib.sha256(repr(state).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _with_problem(loaded: _Loaded) -> Any:
    """The networks with a note on what is wrong, for the documents."""
    return loaded.screener if loaded.problem is None else loaded.screener.noting(loaded.problem)
