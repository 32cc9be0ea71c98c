"""What a method is asked for when it is to be judged, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models.store import ModelStore
from ..workers.asked import UNASKED, Workers
from ..workers.pool import JobT, Pool, ResultT, Work
from .site_cases import Condition, SiteCase

ALL_SIDES = "all"

Say = Callable[[str], None]
Counting = Callable[[int, str], Callable[[int, str], None]]
"""Called with how many cases there are and of what kind; gives what takes how many are done and a line on the last."""


@dataclass(frozen=True)
class EvaluationRequest:
    """What an evaluation works with.

    Attributes:
        out: folder for all that it keeps; it is there.
        store: of the models.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        say: takes a sentence for the user.
        counting: tells the user how far it has come.
        workers: who does the work.
    """

    out: Path
    store: ModelStore
    device: str
    say: Say
    counting: Counting
    workers: Workers = field(default=UNASKED, kw_only=True)

    @property
    def device_here(self) -> str:
        """Where the networks of the command's own process run: not beside those of its workers."""
        return "cpu" if self.workers.are_elsewhere else self.device

    def pool(self, work: Work[JobT, ResultT]) -> Pool[JobT, ResultT]:
        """Who does a work."""
        return self.workers.pool(work, self.out, self.device)


@dataclass(frozen=True)
class CohortRequest(EvaluationRequest):
    """An evaluation on the labelled cases of a studies folder, or on synthetic ones.

    Attributes:
        studies: studies folder with labels; None takes synthetic cases.
        side: of the split by patient, or ``ALL_SIDES``.
        calibrate: fit on the validation side what the method calibrates, and publish it.
        cases: number of synthetic cases; None leaves it to the method.
        seed: of the first synthetic case; None leaves it to the method.
        readers: CSV of what readers said.
    """

    studies: Path | None
    side: str
    calibrate: bool
    cases: int | None
    seed: int | None
    readers: Path | None


@dataclass(frozen=True)
class TableRequest(EvaluationRequest):
    """An evaluation on a site's own images.

    Attributes:
        table: CSV of the images.
        conditions: on its rows.
        rows: all of them, and which meet the conditions.
    """

    table: Path
    conditions: Sequence[Condition]
    rows: Sequence[SiteCase]


@dataclass(frozen=True)
class CrossRequest(EvaluationRequest):
    """A cross-validation; its folder is made once all else is in order.

    Attributes:
        studies: studies folder with labelled images.
        set_up: the options of the one set-up by name, such as ``task`` and ``by``; without those that were not given.
        audit: run the set-ups of the shortcut audit.
        ablations: run the method without one of its parts at a time.
        folds: their number.
        widths: channels of the stages, with commas; None takes the product's own.
        size: side of the square that is looked at; None takes the product's own.
        epochs: at most; None: as published.
        seed: of division, weights and order.
        trunk: of the network that names the class.
        initial: weights file from which every fold of a single set-up begins.
    """

    studies: Path
    set_up: Mapping[str, Any]
    audit: bool = False
    ablations: bool = False
    folds: int = 5
    widths: str | None = None
    size: int | None = None
    epochs: int | None = None
    seed: int = 0
    trunk: str | None = None
    initial: Path | None = None


@dataclass(frozen=True)
class Evaluation:
    """The figures of a method.

    Attributes:
        document: JSON values.
        text: the same in tables.
        page: the same as HTML; None where there is none.
        faults: cases on which the program failed.
    """

    document: Mapping[str, Any]
    text: str
    page: str | None = None
    faults: int = 0
