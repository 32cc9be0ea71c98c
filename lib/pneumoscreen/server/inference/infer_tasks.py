"""The infer tasks by name: the screening of every method, and what else it answers on request."""

from functools import partial

from monailabel.interfaces.tasks.infer_v2 import InferType

from ...method import Method
from ...methods import METHODS
from ...screener import Asked, Task
from ..failures import RequestError
from .engine import Engine
from .parameters import parse_regions
from .tasks import CaseTask, ScreeningTask, TaskRequest, TaskResult, written


class MethodTask(CaseTask):
    """One of the further tasks of a method."""

    def __init__(self, engine: Engine, method: Method, task: Task) -> None:
        labels = method.segments if task.labels is None else task.labels(engine.classes())
        kind = InferType.SEGMENTATION if task.labels is None else InferType.CLASSIFICATION
        super().__init__(engine, method, task.description, labels, kind)
        self._task = task

    def run(self, request: TaskRequest) -> TaskResult:
        """Do the task.

        Raises:
            PneumoScreenError: if the regions that it needs are missing or wrong, or the image cannot be used.
        """
        given, task = request.parameters.regions, self._task
        if task.needs_regions and given is None:
            raise RequestError(f"parameter regions is missing; {task.name} labels the regions that it is given")
        regions = parse_regions(given, self.engine.classes()) if task.needs_regions and given is not None else ()
        request.progress("read", 0.0)
        screener = self.engine.screener(self.method)
        image, read_s = self.engine.read(self.method, request.path, lambda: request.progress("read", 0.0))
        keeping = partial(self.engine.kept, image), partial(self.engine.keep, image)
        asked = Asked(image, screener, request.progress, read_s, request.parameters.diagnosis, regions, *keeping)
        answer = task.answer(asked)
        label_map = None if answer.label_map is None else written(answer.label_map, request.parameters)
        return TaskResult(answer.case, label_map, masks=answer.masks)


def infer_tasks(engine: Engine) -> dict[str, CaseTask]:
    """All tasks, under the names that clients rely on."""
    tasks: dict[str, CaseTask] = {}
    for method in METHODS:
        tasks[method.screening_task] = ScreeningTask(engine, method)
        tasks |= {task.name: MethodTask(engine, method, task) for task in method.tasks}
    return tasks
