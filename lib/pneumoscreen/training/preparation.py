"""The cases of a training, prepared once and kept in the folder of the run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import PneumoScreenError
from ..studies.cases import Study
from ..studies.layout import FINAL_LABELS
from ..workers.asked import Workers
from ..workers.pool import Ask, Work, work_off
from .device import Workplace
from .plan import PlannedCase
from .recipes import Recipe


class CaseJob(NamedTuple):
    """A case to prepare; ``study`` is None where its scan is gone."""

    case: PlannedCase
    study: Study | None


class CaseWork(Work[CaseJob, str | None]):
    """Prepares cases into the folder of the run; says of one that cannot be used why.

    Args:
        recipe: of this process; another one makes the same.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.shared = recipe.folder
        self._recipe = recipe
        self._made_of = type(recipe), (recipe.plan, recipe.settings, recipe.folder, recipe.store)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_recipe"}

    def begin(self, device: str, ask: Ask | None) -> None:
        """Make the recipe where another process has it."""
        del ask
        if "_recipe" not in vars(self):
            kind, parts = self._made_of
            self._recipe = kind(*parts, Workplace(torch.device(device)))

    def name(self, job: CaseJob) -> str:
        """The case's name."""
        return job.case.case_id

    def __call__(self, job: CaseJob, out: Path) -> str | None:
        """Why a case cannot be used; None where it can."""
        del out
        case, study = job
        if study is None:
            return "its scan is not in the studies folder any more"
        if study.origin() != case.origin:
            return "its scan or masks have changed since the training began"
        try:
            self._recipe.prepare(study, case)
        except PneumoScreenError as error:
            # The copy that the run keeps says nothing to whoever is to mend the label.
            return str(error).replace(str(study.document), str(FINAL_LABELS / f"{case.case_id}.json"))
        return None


def prepare_cases(
    recipe: Recipe,
    cases: Sequence[PlannedCase],
    studies: Mapping[str, Study],
    workers: Workers,
    tell: Callable[[int, PlannedCase, str | None], None],
) -> None:
    """Prepare cases.

    Args:
        recipe: of the training.
        cases: those that are not prepared yet.
        studies: by name.
        workers: who prepares.
        tell: takes how many are done, the last one, and why it cannot be used; may raise ``Cancelled``.
    """
    count = 0

    def done(job: CaseJob, reason: str | None) -> Sequence[CaseJob]:
        nonlocal count
        count += 1
        tell(count, job.case, reason)
        return ()

    pool = workers.pool(CaseWork(recipe), recipe.folder, str(recipe.workplace.device))
    work_off(pool, [CaseJob(case, studies.get(case.case_id)) for case in cases], done)
