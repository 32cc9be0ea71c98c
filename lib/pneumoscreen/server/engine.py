"""The networks and the scan that the tasks share: loaded once, used by one inference at a time.

Thread contract: ``turn`` is the only lock; whoever calls another method holds it. A screening takes all cores,
so two at once would only make both late and double the memory.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from ..ct.classifier import ClassifierSettings
from ..ct.lungs import Lungs, segment_lungs
from ..ct.screening import Screener
from ..errors import ModelError
from ..images import read_volume
from ..images.volume import Volume
from ..models.store import ModelStore
from ..verdict import DEFAULT_CLASSES, Classes

CANDIDATES, CLASSIFIER = "ct_candidates", "ct_classifier"

Fingerprint = tuple[tuple[str, int, int], ...]


class Engine:
    """Networks from a store, reloaded when a newer version is published, and the scan read last."""

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self.turn = threading.Lock()
        self._screener: Screener | None = None
        self._loaded: dict[str, int | None] = {}
        self._scan: tuple[Path, Fingerprint, Volume] | None = None
        self._lungs: tuple[Volume, Lungs] | None = None

    def newest_versions(self) -> dict[str, int | None]:
        """Newest version of each network, None where there is none. Needs no lock and reads no weights."""
        return {name: max(self.store.versions(name), default=None) for name in (CANDIDATES, CLASSIFIER)}

    def classes(self) -> Classes:
        """Class list of the current classifier, read from its card. Needs no lock."""
        for version in reversed(self.store.versions(CLASSIFIER)):
            try:
                network = self.store.card(CLASSIFIER, version)["network"]
                return ClassifierSettings.model_validate(network).classes.classes
            except (ModelError, ValidationError):
                continue
        return DEFAULT_CLASSES

    def screener(self) -> Screener:
        """The current networks.

        Raises:
            ModelError: if there are none, or they do not fit the program.
        """
        newest = self.newest_versions()
        if self._screener is None or newest != self._loaded:
            self._screener = Screener.from_store(self.store)
            self._loaded = newest
        return self._screener

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
