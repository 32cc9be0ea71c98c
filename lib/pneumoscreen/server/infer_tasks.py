"""The infer tasks by name: the screening of every method, and what its networks do by themselves."""

from ..methods import METHODS
from . import ct_tasks
from .engine import Engine
from .tasks import CaseTask, ScreeningTask


def infer_tasks(engine: Engine) -> dict[str, CaseTask]:
    """All tasks, under the names that clients rely on."""
    tasks: dict[str, CaseTask] = {}
    for method in METHODS:
        tasks[method.screening_task] = ScreeningTask(engine, method)
        for network in method.networks:
            if network.name in ct_tasks.OF_NETWORKS:
                tasks[network.name] = ct_tasks.OF_NETWORKS[network.name](engine)
    return tasks
