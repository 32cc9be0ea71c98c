"""The folds that are done, on the disk: a killed cross-validation goes on where it was.

``<out>/<set-up>/fold-<number>.json`` with what the network said of every test picture. A fold is kept and not
repeated; one of other settings or X-rays is refused rather than mixed in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...models.atomic_files import replace_durably
from ..figures.outcome import RadiographOutcome


@dataclass(frozen=True)
class FoldRecord:
    """What came of a fold.

    Attributes:
        number: from 1.
        outcomes: of the test pictures.
        facts: pictures and patients of each part, epochs, temperature, seconds.
    """

    number: int
    outcomes: tuple[RadiographOutcome, ...]
    facts: Mapping[str, Any]


class Ledger:
    """The folds of one set-up.

    Args:
        folder: of the set-up.
        key: follows from everything that the results depend on.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self._key = folder, key

    def find(self, number: int) -> FoldRecord | None:
        """A fold that is done.

        Raises:
            ConfigError: if it was done with other settings or X-rays, or its file is damaged.
        """
        path = self._path(number)
        if not path.is_file():
            return None
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            key, facts = document["key"], dict(document["facts"])
            outcomes = tuple(RadiographOutcome.from_dict(each) for each in document["outcomes"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError(f"{path} is damaged; remove it and start again") from None
        if key != self._key:
            raise ConfigError(
                f"{path} holds a fold of a cross-validation with other settings or X-rays; name another folder"
            )
        return FoldRecord(number, outcomes, facts)

    def keep(self, record: FoldRecord) -> None:
        """Keep a fold that is done.

        Raises:
            OSError: if the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        document = {
            "key": self._key,
            "facts": dict(record.facts),
            "outcomes": [outcome.to_dict() for outcome in record.outcomes],
        }
        replace_durably(self._path(record.number), json.dumps(document, allow_nan=False).encode())

    def checkpoints(self, number: int) -> Path:
        """Where the training of a fold keeps its checkpoints."""
        return self.folder / f"fold-{number}"

    def _path(self, number: int) -> Path:
        return self.folder / f"fold-{number}.json"
