"""Where the project's networks lie: ``root/<name>/<version>/{model.safetensors, card.json}``.

A trained network is first a candidate (``candidates``) and becomes a version (``versions``) by one rename, so that a
reader sees all of it or nothing; then the pointer names it. Everything is flushed to the disk before the call
returns. A number is given once. Whatever changes a model holds its lock (``.lock``), so that processes that publish
at the same time come one after the other; reading needs no lock and writes nothing.
"""

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import ModelError
from .atomic_files import fsync_path
from .candidates import Candidate, CandidateFolder, UnknownModelError
from .lock import changing, writing
from .places import app_folder
from .versions import REPLACES, VersionFolder
from .weights import CARD_FIELDS, CARD_FILE, WEIGHTS_FILE, Weights, format_card, format_weights, read_weights

__all__ = [
    "CARD_FIELDS",
    "CARD_FILE",
    "WEIGHTS_FILE",
    "ModelStore",
    "NothingBeforeError",
    "UnknownModelError",
    "Weights",
]

DEFAULT_ROOT = app_folder() / "model"

KEEP = 5
"""Ours: versions, and candidates, that stay when a model is pruned."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")

logger = logging.getLogger(__name__)


class NothingBeforeError(ModelError):
    """A rollback that has no version to go back to."""


class ModelStore:
    """The project's networks under one folder.

    Args:
        root: the folder; made by the first publication. Default: ``PNEUMOSCREEN_MODELS``, else ``DEFAULT_ROOT``.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = Path(root or os.environ.get("PNEUMOSCREEN_MODELS") or DEFAULT_ROOT)

    def names(self) -> list[str]:
        """Models that have a version or a candidate, in alphabetical order."""
        if not self.root.is_dir():
            return []
        names = sorted(p.name for p in self.root.iterdir() if _NAME.fullmatch(p.name))
        return [name for name in names if self.versions(name) or self._candidates(name).ids()]

    def versions(self, name: str) -> list[int]:
        """Version numbers of a model, oldest first, damaged ones included.

        Raises:
            ModelError: if the name is not a model's name.
        """
        return self._versions(name).numbers()

    def current(self, name: str) -> int | None:
        """The version in use; None where there is none. Reads no weights: it may turn out damaged."""
        return self.in_use(name)[0]

    def in_use(self, name: str) -> tuple[int | None, str | None]:
        """The version in use, and what is wrong with the file that names it."""
        return self._versions(name).current()

    def before(self, name: str, version: int) -> int | None:
        """The version that this one replaced, or the next older one; None where there is none."""
        return self._versions(name).before(version)

    def fingerprint(self, name: str) -> tuple[Any, ...]:
        """Changes when another version comes into use, or a file of any version changes. Reads no weights."""
        return self._versions(name).fingerprint()

    def folder(self, name: str, version: int) -> Path:
        """The folder of a version.

        Raises:
            UnknownModelError: if there is no such version.
        """
        known = self.versions(name)
        if version not in known:
            there = ", ".join(map(str, known)) or "none"
            raise UnknownModelError(f"{name} has no version {version} in {self.root} (there: {there})")
        return self._versions(name).path(version)

    def card(self, name: str, version: int) -> dict[str, Any]:
        """The card of one version, read without its weights.

        Raises:
            ModelError: if the version does not exist or its card cannot be read.
        """
        self.folder(name, version)
        return self._versions(name).card(version)

    def load(self, name: str, version: int | None = None) -> Weights:
        """Read one version, or the one in use.

        Where the one in use is damaged, the ones before it are tried in turn, with a warning in the log and in
        ``Weights.notes``. A newer one is never taken: it was taken out of use.

        Raises:
            ModelError: if there is no such version, or no whole one; the message names file and reason.
        """
        if version is not None:
            return read_weights(self.folder(name, version), name, version)
        versions = self._versions(name)
        _, wrong = versions.current()
        notes = [f"{name}: {wrong}"] if wrong else []
        tried = []
        for number in versions.succession():
            tried.append(number)
            try:
                weights = read_weights(versions.path(number), name, number)
            except ModelError as error:
                notes.append(f"{name} version {number} was passed over: {error}")
                continue
            for note in notes:
                logger.warning(note)
            return replace(weights, notes=tuple(notes))
        reason = "; ".join(notes) or "nothing has been published there"
        others = [number for number in versions.numbers() if number not in tried]
        remedy = f"put another into use (pneumoscreen models rollback {name} --to {others[-1]})" if others else "train"
        raise ModelError(f"no usable weights of {name} in {self.root} ({reason}); {remedy} or copy them there")

    def weights_file(self, name: str) -> Path:
        """The file that ``load`` reads of a model: whole, and of the version that an inference would take.

        Raises:
            ModelError: as ``load`` does.
        """
        return self.folder(name, self.load(name).version) / WEIGHTS_FILE

    def candidates(self, name: str) -> list[Candidate]:
        """The candidates of a model, oldest first."""
        return self._candidates(name).listing()

    def candidate_folder(self, name: str, candidate_id: str) -> Path:
        """The folder of a candidate.

        Raises:
            UnknownModelError: if there is no such candidate.
        """
        return self._candidates(name).path(candidate_id)

    def load_candidate(self, name: str, candidate_id: str) -> Weights:
        """Read a candidate, as it would be published.

        Raises:
            ModelError: if there is no such candidate or it is damaged.
        """
        return read_weights(self.candidate_folder(name, candidate_id), name)

    def stage(self, name: str, state: Mapping[str, Tensor], card: Mapping[str, Any]) -> str:
        """Keep a trained network as a candidate; returns its id.

        Args:
            name: of the model, lower-case letters, digits and underscores.
            state: a state dict; floating tensors are stored as fp16 (fp32 where a value would overflow).
            card: JSON values, at least ``CARD_FIELDS``.

        Raises:
            ModelError: if the name, the state or the card cannot be published.
        """
        folder = self._folder(name)
        missing = [field for field in CARD_FIELDS if field not in card]
        if missing:
            raise ModelError(f"the card of {name} lacks {', '.join(missing)}; a model is published with its origin")
        content = format_weights(name, state)
        sha256 = hashlib.sha256(content).hexdigest()
        full_card = {**card, "name": name, "sha256": sha256, "created": _now()}
        format_card(name, full_card)  # a card that cannot be written is refused before a folder is made
        with writing(folder):
            return self._candidates(name).add(content, full_card)

    def annotate(self, name: str, candidate_id: str, notes: Mapping[str, Any]) -> None:
        """Write notes, such as the outcome of a comparison, into the card of a candidate.

        Raises:
            ModelError: if there is no such candidate or its card is damaged.
        """
        self.candidate_folder(name, candidate_id)
        with changing(self._folder(name)):
            self._candidates(name).annotate(candidate_id, notes)

    def promote(self, name: str, candidate_id: str, notes: Mapping[str, Any] | None = None) -> int:
        """Publish a candidate: it becomes the next version and comes into use; returns its number.

        Args:
            name: of the model.
            candidate_id: as ``stage`` returned it.
            notes: further fields of the card.

        Raises:
            ModelError: if there is no such candidate or it is damaged.
        """
        self.candidate_folder(name, candidate_id)
        with changing(self._folder(name)):
            self.load_candidate(name, candidate_id)
            versions, candidates = self._versions(name), self._candidates(name)
            replaced, version = self.current(name), versions.take_number()
            publication = {"version": version, "published": _now(), REPLACES: replaced}
            candidates.annotate(candidate_id, {**(notes or {}), **publication})
            candidates.path(candidate_id).rename(versions.path(version))
            fsync_path(candidates.folder)
            fsync_path(versions.folder)
            versions.put_in_use(version)
        logger.info("published %s version %d", name, version)
        return version

    def publish(self, name: str, state: Mapping[str, Tensor], card: Mapping[str, Any]) -> int:
        """``stage`` and ``promote`` in one, without a comparison; returns the new version's number.

        Raises:
            ModelError: if the name, the state or the card cannot be published.
        """
        return self.promote(name, self.stage(name, state, card))

    def rollback(self, name: str, to: int | None = None) -> int:
        """Put the version before the one in use, or the version ``to``, into use; returns its number.

        Without ``to`` damaged versions are passed over. ``to`` may also be newer than the one in use: the way back
        from a rollback.

        Raises:
            UnknownModelError: if there is no such model or version.
            NothingBeforeError: if there is no whole version before the one in use.
            ModelError: if ``to`` is damaged.
        """
        self._require(name)
        with changing(self._folder(name)):
            target = self._whole_before(name) if to is None else self.load(name, to).version
            self._versions(name).put_in_use(target)
        logger.info("%s version %d is in use", name, target)
        return target

    def prune(self, name: str, keep: int = KEEP) -> list[int]:
        """Delete old versions and return their numbers.

        The last ``keep`` stay, and always the one in use and the one before it. Of the candidates the last ``keep``
        stay, and those of the last day.

        Raises:
            ValueError: if ``keep`` is not at least 1.
        """
        if keep < 1:
            raise ValueError("at least one version must stay")
        self._require(name)
        with changing(self._folder(name)):
            versions = self._versions(name)
            current = self.current(name)
            kept = {current, self.before(name, current) if current is not None else None, *versions.numbers()[-keep:]}
            removed = [number for number in versions.numbers() if number not in kept]
            for number in removed:
                versions.remove(number)
            versions.sweep()
            self._candidates(name).prune(keep)
        return removed

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UnknownModelError(
                f"{name[:60]!r} is not a model's name: lower-case letters, digits and underscores only"
            )
        return self.root / name

    def _versions(self, name: str) -> VersionFolder:
        return VersionFolder(self._folder(name))

    def _candidates(self, name: str) -> CandidateFolder:
        return CandidateFolder(self._folder(name))

    def _require(self, name: str) -> None:
        """Raise ``UnknownModelError`` for a model without versions."""
        if not self.versions(name):
            known = ", ".join(self.names()) or "none"
            raise UnknownModelError(f"{name} has no version in {self.root} (models there: {known})")

    def _whole_before(self, name: str) -> int:
        for number in list(self._versions(name).succession())[1:]:
            try:
                return self.load(name, number).version
            except ModelError as error:
                logger.warning("%s version %d was passed over: %s", name, number, error)
        raise NothingBeforeError(
            f"{name} version {self.current(name)} is in use and no whole version came before it; "
            f"name the version to put into use (there: {', '.join(map(str, self.versions(name)))})"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
