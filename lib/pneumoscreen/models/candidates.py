"""Candidates: trained networks that are not published, each whole in ``<model>/.candidates/<id>/``.

An id is the UTC time of the training's end and six random digits, so that the order of ids is that of the trainings.
"""

import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .atomic_files import LEFTOVER_S, age_s, fsync_path, remove_leftovers, replace_durably, write_durably
from .versions import CANDIDATES_FOLDER
from .weights import CARD_FILE, WEIGHTS_FILE, format_card, read_card

PUBLICATION = "publication"
"""Field of a card: how the comparison with the model in use went, and its reason."""

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")


class UnknownModelError(ModelError):
    """A model, version or candidate that is not in the store."""


@dataclass(frozen=True)
class Candidate:
    """A candidate and its card; the card is empty where it is damaged."""

    id: str
    card: dict[str, Any]

    @property
    def reason(self) -> str | None:
        """Why it was not published; None where it was never compared."""
        publication = self.card.get(PUBLICATION)
        return str(publication.get("reason")) if isinstance(publication, dict) else None


class CandidateFolder:
    """The candidates of one model.

    Args:
        model: folder of the model; the candidates' own is made by the first one.
    """

    def __init__(self, model: Path) -> None:
        self.model = model
        self.folder = model / CANDIDATES_FOLDER

    def ids(self) -> list[str]:
        """Ids, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if _ID.fullmatch(p.name) and p.is_dir())

    def path(self, candidate_id: str) -> Path:
        """The folder of a candidate.

        Raises:
            UnknownModelError: if there is no such candidate.
        """
        if candidate_id not in self.ids():
            known = ", ".join(self.ids()) or "none"
            raise UnknownModelError(
                f"{self.model.name} has no candidate {candidate_id[:60]} (there: {known}); "
                "pneumoscreen models list shows what is kept"
            )
        return self.folder / candidate_id

    def listing(self) -> list[Candidate]:
        """All candidates, oldest first."""
        return [Candidate(candidate_id, _card_or_nothing(self.folder / candidate_id)) for candidate_id in self.ids()]

    def add(self, content: bytes, card: Mapping[str, Any]) -> str:
        """Keep a network; a reader sees all of it or nothing.

        Args:
            content: the weights file.
            card: complete but for what a publication adds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        candidate_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        staging = Path(tempfile.mkdtemp(prefix=".stage-", dir=self.folder))
        try:
            write_durably(staging / WEIGHTS_FILE, content)
            write_durably(staging / CARD_FILE, format_card(self.model.name, card))
            staging.chmod(0o755)  # mkdtemp gives 0700: a server may run as another user
            fsync_path(staging)
            staging.rename(self.folder / candidate_id)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        for folder in (self.folder, self.model, self.model.parent):
            fsync_path(folder)
        return candidate_id

    def annotate(self, candidate_id: str, notes: Mapping[str, Any]) -> dict[str, Any]:
        """Write notes into the card of a candidate and return the whole card.

        Raises:
            ModelError: if there is no such candidate, its card is damaged or the notes are not plain JSON.
        """
        path = self.path(candidate_id)
        card = {**read_card(path), **notes}
        replace_durably(path / CARD_FILE, format_card(self.model.name, card))
        return card

    def prune(self, keep: int) -> None:
        """Delete all but the last ``keep`` and those of the last day: one of them may be about to be published."""
        for candidate_id in self.ids()[:-keep]:
            if age_s(self.folder / candidate_id) > LEFTOVER_S:
                shutil.rmtree(self.folder / candidate_id)
        remove_leftovers(self.folder)


def _card_or_nothing(folder: Path) -> dict[str, Any]:
    try:
        return read_card(folder)
    except ModelError:
        return {}
