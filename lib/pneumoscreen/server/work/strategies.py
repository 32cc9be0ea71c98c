"""MONAI Label's strategies, which hand out the next case: ``POST /activelearning/{strategy}``.

What a client may send, all of it optional: ``client_id`` (the reader's name on a server without tokens),
``skip`` (another case instead of the one that the reader has), ``include_done`` (finished cases too) and ``include``
(choose among these cases only; whoever names a case also gets it when it is finished or could not be screened).

Ours: a reader who has not submitted the last case gets it again, so that a crashed client finds its case; only
``skip`` leads on. A case that could not be downloaded or screened is not offered until its files change. Cases that
have no comparable score come after those that have; where no case has one, a case is drawn at random and a note says
so. Cases given to others count as read: the next one is to be unlike them too.
"""

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.strategy import Strategy
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...active_learning.score_file import ScoreStore, StoredScore
from ...active_learning.scores import CaseScore
from ...active_learning.strategies import STRATEGIES, choose
from ...case import ModelInfo
from ...methods import METHODS
from ...studies.layout import LONGEST_NAME, is_reader_name
from ..access.identity import speaker
from ..failures import RequestError, UnknownError
from ..inference.engine import Engine, scan_state
from ..inference.parameters import in_words
from .leases import HeldError, Lease, Leases
from .scoring import METHOD
from .worklist import Worklist

NEEDS_NO_SCORES = ("random", "first")
_NOTHING = np.zeros(0, dtype=np.float32)

_choosing = threading.Lock()
"""One choice at a time: the next one already sees what the last one gave away."""


class SampleRequest(BaseModel):
    """What a client may send; other names are ignored, as stock clients send many."""

    model_config = ConfigDict(extra="ignore", strict=True)

    client_id: str | None = None
    skip: bool = False
    include_done: bool = False
    include: list[str] | None = Field(None, max_length=100_000)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SampleRequest":
        """Check a request.

        Raises:
            RequestError: if a value is of the wrong type; the message names it.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise RequestError(in_words(error.errors()[0], "parameter")) from None


def reader_of(client_id: str | None) -> str:
    """The reader behind a request: whom the token names, else the client's own word for itself.

    Raises:
        RequestError: if the client's word cannot be a name.
    """
    who = speaker()
    if who.is_known or client_id is None:
        return who.reader
    if not is_reader_name(client_id):
        raise RequestError(f"parameter client_id must be a name: one line of at most {LONGEST_NAME} characters")
    return client_id


def reading_strategies(worklist: Worklist, leases: Leases, scores: ScoreStore, engine: Engine) -> dict[str, Strategy]:
    """All strategies by name, the default one first."""
    return {name: ReadingStrategy(name, worklist, leases, scores, engine) for name in STRATEGIES}


class ReadingStrategy(Strategy):
    """Chooses a case and gives it to the reader in one step."""

    def __init__(self, name: str, worklist: Worklist, leases: Leases, scores: ScoreStore, engine: Engine) -> None:
        super().__init__(STRATEGIES[name][0])
        self._name = name
        self._worklist, self._leases, self._scores, self._engine = worklist, leases, scores, engine

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """The next case of a reader; None where there is none.

        Raises:
            RequestError: if the request is wrong or names a case that is not there.
        """
        wanted = SampleRequest.of(request)
        answer = self._chosen(wanted, reader_of(wanted.client_id), datastore)
        return None if answer is None else {**answer, **self._worklist.uids(answer["id"])}

    def _chosen(self, wanted: SampleRequest, reader: str, datastore: Datastore) -> dict[str, Any] | None:
        leases, scores = self._leases, self._scores.all()
        with _choosing:
            offered, finished = self._offered(wanted, datastore, scores)
            own = next((lease for lease in leases.of_reader(reader) if lease.case_id in offered), None)
            if own is not None and not wanted.skip:
                return _answer(
                    leases.take(own.case_id, reader), scores, "this is the case that you have not submitted yet"
                )
            if own is not None:
                leases.skip(own.case_id, reader)
            while True:
                held = leases.current()
                free = offered - held.keys()
                free = free - leases.skipped_by(reader) or free
                if not free:
                    return None
                case_id, note = self._pick(free, finished | held.keys(), scores)
                try:
                    return _answer(leases.take(case_id, reader), scores, note)
                except HeldError:  # taken from the worklist this very moment
                    continue

    def _offered(
        self, wanted: SampleRequest, datastore: Datastore, scores: Mapping[str, StoredScore]
    ) -> tuple[set[str], set[str]]:
        """The cases that may be given, leases aside, and the finished ones."""
        images, finished = set(datastore.list_images()), self._worklist.finished()
        if wanted.include is not None:
            unknown = sorted(set(wanted.include) - images)
            if unknown:
                raise UnknownError(f"parameter include: case {unknown[0][:200]!r} is not in the studies folder")
            return set(wanted.include), finished
        failed = {name for name in images & scores.keys() if _still_fails(scores[name], datastore)}
        return images - failed - (set() if wanted.include_done else finished), finished

    def _pick(
        self, free: AbstractSet[str], read: AbstractSet[str], scores: Mapping[str, StoredScore]
    ) -> tuple[str, str | None]:
        """One of the free cases, and what is to be said about the choice."""
        rng = np.random.default_rng()
        if self._name in NEEDS_NO_SCORES:
            return choose(self._name, _unscored(free), [], 1, rng)[0], None
        comparable = comparable_scores(scores, free)
        candidates = [score for case_id, score in comparable.items() if case_id in free]
        if candidates:
            known = [score for case_id, score in comparable.items() if case_id in read]
            return choose(self._name, candidates, known, 1, rng)[0], None
        note = f"none of these cases has a score, so this one was drawn at random; POST /scoring/{METHOD} scores them"
        return choose("random", _unscored(free), [], 1, rng)[0], note


def comparable_scores(scores: Mapping[str, StoredScore], free: Collection[str]) -> dict[str, CaseScore]:
    """The scores that can be compared with each other: those by one classifier, and so of one kind of image.

    Ours: while the cases are scored anew after a training, two classifiers' scores stand side by side. The one that
    scored more of the free cases is heard; where both have as many, the newer one.
    """
    groups: Counter[tuple[int, str]] = Counter()
    for case_id in free:
        stored = scores.get(case_id)
        if stored is not None and stored.score is not None:
            groups[_classifier(stored)] += 1
    if not groups:
        return {}
    heard = max(groups, key=lambda group: (groups[group], group))
    return {
        case_id: stored.score
        for case_id, stored in scores.items()
        if stored.score is not None and _classifier(stored) == heard
    }


def _still_fails(stored: StoredScore, datastore: Datastore) -> bool:
    """Whether a case could not be screened and its files are still those that could not."""
    return stored.error is not None and stored.scan == scan_state(Path(datastore.get_image_uri(stored.case_id)))


def _classifier(stored: StoredScore) -> tuple[int, str]:
    found = (stored.models.get(method.scored_by) for method in METHODS)
    info = next((info for info in found if info is not None), ModelInfo(0, ""))
    return info.version, info.sha256


def _unscored(case_ids: Collection[str]) -> Sequence[CaseScore]:
    return [CaseScore(case_id, 0.0, 0.0, _NOTHING) for case_id in case_ids]


def _answer(lease: Lease, scores: Mapping[str, StoredScore], note: str | None) -> dict[str, Any]:
    stored = scores.get(lease.case_id)
    answer: dict[str, Any] = {"id": lease.case_id, "lease": lease.to_dict()}
    if stored is not None and stored.score is not None:
        answer |= {"weight": stored.score.uncertainty, "uncertainty": stored.score.uncertainty}
    return answer if note is None else {**answer, "note": note}
