"""When a trained network takes the place of the one in use: if enough patients show that it is hardly worse at most.

Ours. Every trained network is first kept as a candidate. It is judged as it lies on the disk, on validation patients
whom the studies folder's split fixed (``studies.folder_split``), and beside it the network in use. ``gate`` says what
it must show; a refused one is kept with the reason and can be published by hand.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from ..errors import ModelError
from ..metrics.bootstrap import Interval
from ..models.candidates import PUBLICATION
from ..models.store import ModelStore, Weights
from .comparison import Comparison
from .gate import DEFAULT_GATE, GateSettings

ModelT = TypeVar("ModelT")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """What became of a trained network.

    Attributes:
        task: name of the model.
        candidate_id: under which it was kept.
        published: whether it is in use now.
        version: its number; None where it was not published.
        metric: what was compared, in words; higher is better.
        candidate: the figure of the trained network; None where nothing could be measured.
        current: that of the network that was in use.
        difference: the first less the second, over the same draws of patients.
        patients: validation patients.
        reason: a sentence without its subject and its end: why it was published or kept.
        compared_with: version of the network that was in use.
        also: further figures that did not decide, by name: of the trained network and of the one in use.
    """

    task: str
    candidate_id: str
    published: bool
    version: int | None
    metric: str
    candidate: Interval | None
    current: Interval | None
    difference: Interval | None
    patients: int
    reason: str
    compared_with: int | None = None
    also: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The outcome for a reader."""
        if self.published:
            return f"{self.task} version {self.version} published: {self.reason}"
        return (
            f"{self.task} candidate {self.candidate_id} kept, not published: {self.reason}; "
            f"to publish it by hand: pneumoscreen models publish {self.task} {self.candidate_id}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        intervals = ("candidate", "current", "difference")
        values = {name: value.to_dict() if (value := getattr(self, name)) else None for name in intervals}
        also = {name: list(pair) for name, pair in self.also.items()}
        return {**vars(self), **values, "also": also, "sentence": self.sentence}


def publish_by_hand(
    store: ModelStore, name: str, candidate_id: str, by: str, load: Callable[[Weights], object] | None = None
) -> int:
    """Publish a kept candidate whatever its comparison said; returns the new version's number.

    Args:
        store: where it lies.
        name: of the model.
        candidate_id: as the store lists it.
        by: who decided so; stands in the card.
        load: makes the network of the weights; None for a model that is no network of this program.

    Raises:
        ModelError: if there is no such candidate, it is damaged or does not fit the program.
    """
    weights = store.load_candidate(name, candidate_id)
    if load is not None:
        load(weights)
    earlier = weights.card.get(PUBLICATION)
    publication = {**(earlier if isinstance(earlier, dict) else {}), "published": True, "by_hand": by}
    version = store.promote(name, candidate_id, {PUBLICATION: publication})
    _prune(store, name)
    return version


@dataclass(frozen=True)
class Contest(Generic[ModelT]):
    """One kind of network: how it is loaded, what forbids a comparison, and the comparison."""

    name: str
    load: Callable[[Weights], ModelT]
    obstacle: Callable[[ModelT, ModelT], str | None]
    compare: Callable[[ModelT, ModelT | None], Comparison]

    def hold(
        self, store: ModelStore, candidate_id: str, patients: int, gate: GateSettings = DEFAULT_GATE
    ) -> Publication:
        """Judge a staged candidate and publish or keep it."""
        candidate = self.load(store.load_candidate(self.name, candidate_id))
        kept = Publication(self.name, candidate_id, False, None, "", None, None, None, patients, "")
        if not patients:
            return self._keep(store, replace(kept, reason="there is no validation patient to compare it on"))
        current, in_use, note = self._current(store)
        kept = replace(kept, compared_with=in_use)
        obstacle = self.obstacle(candidate, current) if current is not None else None
        if obstacle:
            return self._keep(store, replace(kept, reason=f"it cannot be compared with version {in_use}: {obstacle}"))
        found = self.compare(candidate, current)
        figures = {name: getattr(found, name) for name in ("metric", "candidate", "current", "difference", "also")}
        judged = replace(kept, **figures, reason=_reason(found, in_use, note, gate))
        if gate.objection(found) or not found.is_defined:
            return self._keep(store, judged)
        published = replace(judged, published=True)
        version = store.promote(self.name, candidate_id, {PUBLICATION: _for_card(published)})
        _prune(store, self.name)
        return replace(published, version=version)

    def _current(self, store: ModelStore) -> tuple[ModelT | None, int | None, str]:
        """The network in use, its version, and why there is none."""
        if store.current(self.name) is None:
            return None, None, "no version was in use to compare with"
        try:
            weights = store.load(self.name)
            return self.load(weights), weights.version, ""
        except ModelError as error:
            return None, None, f"the one in use counts as none: {error}"

    @staticmethod
    def _keep(store: ModelStore, publication: Publication) -> Publication:
        store.annotate(publication.task, publication.candidate_id, {PUBLICATION: _for_card(publication)})
        return publication


def _reason(found: Comparison, in_use: int | None, note: str, gate: GateSettings) -> str:
    is_few = found.difference is None and found.patients < gate.least_patients
    few = ", too few for the interval to tell much" if is_few else ""
    patients = f"{found.patients} validation patient{'s' if found.patients != 1 else ''}{few}"
    if found.difference is None:
        return f"{note}; {found.metric} {found.candidate} over {patients}"
    if not found.is_defined:
        return f"{patients}: nothing in them to compare version {in_use} and this one on ({found.metric})"
    outcome = gate.objection(found) or f"not worse by more than the margin of {gate.margin:g}"
    also = "".join(f"; {name.upper()} {_figure(a)} against {_figure(b)}" for name, (a, b) in found.also.items())
    return (
        f"{outcome}: {found.metric} {found.candidate} against {found.current} of version {in_use}, "
        f"difference {found.difference} over {patients}{also}"
    )


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _for_card(publication: Publication) -> dict[str, Any]:
    """What the card tells: all but what stands in it anyway."""
    told = publication.to_dict()
    return {key: value for key, value in told.items() if key not in ("task", "candidate_id", "version", "sentence")}


def _prune(store: ModelStore, name: str) -> None:
    try:
        store.prune(name)
    except ModelError as error:
        logger.warning("old versions of %s could not be deleted: %s", name, error)
