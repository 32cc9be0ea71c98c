"""Scores on the disk: one JSON file a case, ``<folder>/<case>.json``, replaced atomically.

A score says which models made it and from which state of the scan, so that an old one is told from a fresh one.
A case that could not be screened has a file too, with the reason: it is not tried again until scan or models change.

Thread contract: one lock guards what is remembered of the files; several processes may write, each file is whole.
"""

import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..case import ModelInfo
from ..models.atomic_files import replace_durably
from ..studies.audit import utc_text
from ..studies.layout import is_plain_name, require_plain_name
from .scores import CaseScore

SCHEMA = "pneumoscreen.score/1"
_DIGITS = 7
_SLACK = 1e-3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """What a screening found, in short, so that a list of cases needs no other file.

    Attributes:
        modality: of the image.
        label: of the verdict.
        confidence: what its rule exports.
        regions: how many.
        decided: whether the type could be told; None in a score that was written before there was such a word.
        infection: probability of an infection of any type; None where it is not known.
    """

    modality: str
    label: str
    confidence: float
    regions: int
    decided: bool | None = None
    infection: float | None = None


@dataclass(frozen=True)
class StoredScore:
    """The score of a case, or why there is none.

    Attributes:
        case_id: the case.
        score: None for a case that could not be screened.
        models: version and SHA-256 of the networks that were asked.
        scan: names the state of the scan's files.
        finding: of the screening that the score is from; None for a case that could not be screened.
        error: one sentence where the case could not be screened.
        at: when, UTC.
    """

    case_id: str
    score: CaseScore | None
    models: Mapping[str, ModelInfo]
    scan: str
    finding: Finding | None = None
    error: str | None = None
    at: str = field(default_factory=lambda: utc_text(datetime.now(UTC)))

    def is_fresh(self, models: Mapping[str, ModelInfo], scan: str | None = None) -> bool:
        """Whether it is of these models and, where it is given, of this state of the scan.

        Args:
            models: those in use, also those for images of another kind.
            scan: its present state.
        """
        own = {name: info for name, info in models.items() if name in self.models}
        return bool(own) and own == dict(self.models) and scan in (None, self.scan)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "case_id": self.case_id,
            "at": self.at,
            "scan": self.scan,
            "models": {name: asdict(info) for name, info in self.models.items()},
            "finding": None if self.finding is None else asdict(self.finding),
            "error": self.error,
        }
        if self.score is not None:
            document |= {
                "uncertainty": self.score.uncertainty,
                "epistemic": self.score.epistemic,
                "parts": dict(self.score.parts),
                "embedding": [round(value, _DIGITS) for value in self.score.embedding.tolist()],
            }
        return document

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "StoredScore":
        """Read JSON values.

        Raises:
            ValueError, KeyError, TypeError: if they are not those of a score.
        """
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']!r} is not {SCHEMA}")
        score = None
        if document["error"] is None:
            embedding = np.array(document["embedding"], dtype=np.float64)
            parts = {str(name): float(value) for name, value in document["parts"].items()}
            values = float(document["uncertainty"]), float(document["epistemic"])
            is_unit = embedding.ndim == 1 and bool((np.abs(embedding) <= 1.0 + _SLACK).all())
            if not is_unit or not all(0.0 <= value <= 1.0 for value in values):
                raise ValueError("embedding, uncertainty or epistemic is out of range")
            score = CaseScore(str(document["case_id"]), *values, embedding.astype(np.float32), parts)
        models = {name: ModelInfo(int(m["version"]), str(m["sha256"])) for name, m in document["models"].items()}
        finding = None
        if document["finding"] is not None:
            finding = _finding(document["finding"])
        error = None if document["error"] is None else str(document["error"])
        return cls(str(document["case_id"]), score, models, str(document["scan"]), finding, error, str(document["at"]))


class ScoreStore:
    """The scores of a studies folder.

    Args:
        folder: made by the first score.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[int, int], StoredScore | None]] = {}

    def put(self, stored: StoredScore) -> None:
        """Keep a score in the place of the case's old one.

        Raises:
            CaseError: if the case's name is no plain name.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(stored.to_dict(), allow_nan=False)
        replace_durably(self._file(stored.case_id), content.encode())

    def drop(self, case_id: str) -> None:
        """Forget the score of a case."""
        if is_plain_name(case_id):
            self._file(case_id).unlink(missing_ok=True)

    def get(self, case_id: str) -> StoredScore | None:
        """The score of a case; None where there is none or its file is damaged."""
        try:
            state = self._file(case_id).stat()
        except OSError:
            return None
        with self._lock:
            return self._read(case_id, (state.st_mtime_ns, state.st_size))

    def all(self) -> dict[str, StoredScore]:
        """All scores by case; only files that changed since the last call are read."""
        try:
            entries = [entry for entry in os.scandir(self.folder) if _is_score(entry.name)]
        except OSError:  # it is not there, or it is no folder
            return {}
        found: dict[str, StoredScore] = {}
        with self._lock:
            for entry in entries:
                try:
                    state = entry.stat()
                except FileNotFoundError:
                    continue
                case_id = entry.name.removesuffix(".json")
                stored = self._read(case_id, (state.st_mtime_ns, state.st_size))
                if stored is not None:
                    found[case_id] = stored
        return found

    def _file(self, case_id: str) -> Path:
        require_plain_name("case id", case_id)
        return self.folder / f"{case_id}.json"

    def _read(self, case_id: str, state: tuple[int, int]) -> StoredScore | None:
        known = self._known.get(case_id)
        if known is not None and known[0] == state:
            return known[1]
        try:
            stored = StoredScore.from_dict(json.loads(self._file(case_id).read_bytes()))
            if stored.case_id != case_id:
                raise ValueError(f"it is of case {stored.case_id!r}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            logger.warning("a score is damaged and passed over; score the case again (%s)", type(error).__name__)
            stored = None
        self._known[case_id] = (state, stored)
        return stored


def _finding(found: dict[str, Any]) -> Finding:
    """A finding from JSON values; older ones do not say whether the type was decided, nor the infection.

    Raises:
        ValueError, KeyError, TypeError: if they are not those of a finding.
    """
    decided, infection = found.get("decided"), found.get("infection")
    if decided not in (True, False, None) or (infection is not None and not 0.0 <= float(infection) <= 1.0):
        raise ValueError("decided or infection is out of range")
    return Finding(
        str(found["modality"]),
        str(found["label"]),
        float(found["confidence"]),
        int(found["regions"]),
        None if decided is None else bool(decided),
        None if infection is None else float(infection),
    )


def _is_score(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")
