"""What has been done of a simulation, on the disk: a killed run goes on where it was.

``<out>/rounds/seed-<seed>/<strategy>-<round>.json`` with the labelled cases and the figures of the weights they gave,
and ``.npz`` beside it with the scores that these weights give the pool. The start is round 0 of no strategy.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..active_learning.scores import CaseScore
from ..errors import ConfigError
from ..models.atomic_files import replace_durably, write_arrays
from .settings import Plan, SimulationSettings

START = "start"
_VERSION = 1


@dataclass(frozen=True, order=True)
class Turn:
    """One training of a simulation: the start of a seed, or a round of a strategy."""

    seed: int
    strategy: str
    round: int

    @classmethod
    def start(cls, seed: int) -> "Turn":
        """The training on the start cases, which all strategies share."""
        return cls(seed, START, 0)

    @property
    def before(self) -> "Turn":
        """The training whose weights choose the cases of this one."""
        return Turn(self.seed, self.strategy, self.round - 1) if self.round > 1 else Turn.start(self.seed)


@dataclass(frozen=True)
class Record:
    """What came of a turn.

    Attributes:
        labelled: cases, in the order in which they were labelled.
        figures: of the weights trained on them.
        seconds: that the turn took.
    """

    labelled: tuple[str, ...]
    figures: dict[str, float]
    seconds: float


class Ledger:
    """The turns that are done.

    Args:
        out: folder of the simulation.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self.folder = out / "rounds"

    def open(self, settings: SimulationSettings, plan: Plan, network_sha256: str, resume: bool) -> None:
        """Begin, or go on with what is there.

        A simulation may go on with more strategies, seeds or rounds; everything else must be as it was.

        Raises:
            ConfigError: if there is something to go on with and ``resume`` is not asked for, or it is another
                simulation.
        """
        fixed = {"pool": plan.pool, "test": plan.test, "start": plan.start, "per_round": plan.per_round}
        text = json.dumps([_VERSION, settings.model_dump(mode="json"), fixed, network_sha256], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()
        path = self.folder / "simulation.key"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_durably(path, key.encode())
            return
        if not resume:
            raise ConfigError(f"{self._out}: holds results of an earlier run; add --resume or name another folder")
        if path.read_text(encoding="utf-8") != key:
            raise ConfigError(
                f"{self._out}: holds results of a simulation with other settings, cases or weights that prepare them; "
                "name another folder"
            )

    def holds(self, turn: Turn) -> bool:
        """Whether a turn is done."""
        return self._path(turn).is_file()

    def record(self, turn: Turn) -> Record:
        """What came of a turn that is done."""
        document: dict[str, Any] = json.loads(self._path(turn).read_text(encoding="utf-8"))
        return Record(tuple(document["labelled"]), document["figures"], document["seconds"])

    def scores(self, turn: Turn) -> list[CaseScore]:
        """The scores of the pool under the weights of a turn that is done."""
        with np.load(self._path(turn).with_suffix(".npz"), allow_pickle=False) as stored:
            columns = [stored[name] for name in ("case_id", "uncertainty", "epistemic", "embedding")]
        return [CaseScore(str(name), float(a), float(b), row) for name, a, b, row in zip(*columns, strict=True)]

    def keep(self, turn: Turn, record: Record, scores: list[CaseScore]) -> None:
        """Write down that a turn is done; the document comes last and says that all is there."""
        path = self._path(turn)
        arrays = {
            "case_id": np.array([score.case_id for score in scores]),
            "uncertainty": np.array([score.uncertainty for score in scores]),
            "epistemic": np.array([score.epistemic for score in scores]),
            "embedding": np.stack([score.embedding for score in scores]),
        }
        write_arrays(path.with_suffix(".npz"), arrays, is_compressed=True)
        replace_durably(path, json.dumps({**asdict(turn), **asdict(record)}).encode())

    def _path(self, turn: Turn) -> Path:
        return self.folder / f"seed-{turn.seed:04d}" / f"{turn.strategy}-{turn.round}.json"
