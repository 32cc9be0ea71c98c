"""Which studies lie with a worker that fetches each while it screens the one before."""

from .jobs import Job
from .manifest import WAITING, Row


class Coming:
    """Told what each job ended with: a worker answers a study with what became of the one that it got before."""

    def __init__(self) -> None:
        self._coming: dict[str, Job] = {}
        self._early: set[str] = set()

    def is_result(self, job: Job, row: Row) -> bool:
        """Whether a row says what became of an image; else the job of that is to be waited for."""
        if row.key != job.key:
            # It comes with what its worker was given later, and that may be heard of first.
            self._begins(job)
        if row.state == WAITING:
            self._begins(job)
            return False
        if self._coming.pop(row.key, None) is None and row.key != job.key:
            self._early.add(row.key)
        return True

    def _begins(self, job: Job) -> None:
        if job.key in self._early:
            self._early.remove(job.key)
        else:
            self._coming[job.key] = job

    def left(self) -> list[Job]:
        """The studies that no further one followed, or whose worker died; each is to be done at once."""
        left, self._coming = [job.at_once() for job in self._coming.values()], {}
        return left
