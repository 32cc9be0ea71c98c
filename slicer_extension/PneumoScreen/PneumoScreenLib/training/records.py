"""What the server's ``GET /train/`` and list of models mean: epoch, curve, time left, and what became of it."""

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

from ..client.sentences import in_words
from ..translation import _
from ..wording import display_name, time_left

RUNNING = ("SUBMITTED", "RUNNING")
_STATES = {
    "preparing": _("Preparing the cases"),
    "training": _("Training"),
    "validating": _("Validating"),
    "comparing": _("Comparing with the version in use"),
    "done": _("Finished"),
    "failed": _("Failed"),
    "cancelled": _("Stopped"),
}


@dataclass(frozen=True)
class Training:
    """A training at a moment.

    Attributes:
        task: name of the network.
        is_running: whether it waits or runs.
        headline: state, epoch and time left, or how it ended.
        fraction: done of all steps, 0 to 1; None where nothing is known of it.
        points: (epoch, figure on held-out cases), by epoch.
        metric_name: what the figure is.
        in_use: the same figure of the version in use, where it was measured.
        outcome: what was published or refused, and why; empty before the end.
    """

    task: str
    is_running: bool
    headline: str
    fraction: Optional[float] = None
    points: Tuple[Tuple[float, float], ...] = ()
    metric_name: str = ""
    in_use: Optional[float] = None
    outcome: str = ""

    @classmethod
    def of(cls, status: Optional[Mapping[str, Any]]) -> Optional["Training"]:
        """The training of an answer; None where nothing was trained yet."""
        if not status:
            return None
        progress = _mapping(status.get("progress"))
        publication = _mapping(progress.get("publication"))
        task, is_running = str(status.get("model") or progress.get("task") or ""), status.get("status") in RUNNING
        step, steps = progress.get("step") or 0, progress.get("steps") or 0
        metric_name = str(progress.get("metric_name") or "")
        comparable = publication.get("metric") == metric_name
        return cls(
            task=task,
            is_running=is_running,
            headline=_headline(task, is_running, progress),
            fraction=min(max(step / steps, 0.0), 1.0) if steps else None,
            points=_points(progress.get("metrics")),
            metric_name=metric_name,
            in_use=_mapping(publication.get("current")).get("estimate") if comparable else None,
            outcome=_outcome(publication),
        )


@dataclass(frozen=True)
class Version:
    """A published version of a network; ``texts`` are its cells: version, in use, figure, date."""

    number: int
    is_current: bool
    texts: Tuple[str, str, str, str]


def versions_of(models: Mapping[str, Any], task: str) -> List[Version]:
    """The published versions of a network, newest first, from ``Server.models()["models"]``."""
    found = []
    for entry in _mapping(models.get(task)).get("versions") or ():
        is_current = bool(entry.get("current"))
        state = _("damaged") if entry.get("damage") else _("in use") if is_current else ""
        date = str(entry.get("published") or entry.get("created") or "")[:10]
        estimate = _mapping(_mapping(entry.get("publication")).get("candidate")).get("estimate")
        figure = f"{estimate:.3f}" if isinstance(estimate, (int, float)) else "–"
        found.append(Version(int(entry["version"]), is_current, (str(entry["version"]), state, figure, date)))
    return found


def _headline(task: str, is_running: bool, progress: Mapping[str, Any]) -> str:
    state = str(progress.get("state") or "")
    parts = [f"{display_name(task)}: {_STATES.get(state, state or _('about to start')).lower()}"]
    epoch, epochs = progress.get("epoch") or 0, progress.get("epochs") or 0
    if epochs:
        parts.append(_("epoch {epoch} of {epochs}").format(epoch=epoch, epochs=epochs))
    left = time_left(progress.get("time_left_s")) if is_running else ""
    if left:
        parts.append(left)
    says_more = not epochs if is_running else state in ("failed", "cancelled")
    if says_more and progress.get("message"):
        parts.append(in_words(progress["message"]))
    return ", ".join(parts)


def _points(metrics: Any) -> Tuple[Tuple[float, float], ...]:
    pairs = [(float(epoch), float(value)) for epoch, value in _mapping(metrics).items() if value is not None]
    return tuple(sorted(pairs))


def _outcome(publication: Mapping[str, Any]) -> str:
    if not publication:
        return ""
    reason = publication.get("reason") or _("no reason was given")
    if publication.get("published"):
        return _("Published as version {version}: {reason}.").format(version=publication.get("version"), reason=reason)
    return _("Not published, kept as candidate {number}: {reason}.").format(
        number=publication.get("candidate_id"), reason=reason
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
