"""What the server did and does, as figures for Prometheus.

No figure has the name of a patient, case, file or reader for a label; the values of every label come from the program.

Thread contract: the library's counters have locks of their own; what is asked at a scrape is asked in its thread.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector, Summary
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from ... import __version__
from ...monitoring.readings import HELP
from ..access.request_record import RequestRecord
from ..inference.jobs import Job, State
from ..services import Services
from ..work.monitoring import Monitored

CONTENT_TYPE = CONTENT_TYPE_LATEST
WAIT = "wait"
"""Stage before the first one of the document: until the inference had its turn."""

_NAMESPACE = "pneumoscreen"
_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_REFUSED_FROM, _FAULTS_FROM = 400, 500
_OUTCOMES = {State.DONE: "done", State.CANCELLED: "cancelled"}


class Figures:
    """The figures of one server.

    Args:
        app: whose present state is told.

    Attributes:
        monitored: the model in use; None where the studies are no folder.
    """

    def __init__(self, app: Services) -> None:
        self.monitored = Monitored.of(Path(app.studies), app.engine, app.worklist) if app.studies_are_folder else None
        self._registry = CollectorRegistry()
        counter = partial(Counter, namespace=_NAMESPACE, registry=self._registry)
        self._ended = counter("inferences", "Inferences that ended, by how", ["task", "outcome"])
        self._screened = counter("cases_screened", "Screenings that came to their end", ["task"])
        self._stages = Histogram(
            "stage_seconds",
            "Seconds of each stage of an inference",
            ["task", "stage"],
            buckets=_BUCKETS_S,
            namespace=_NAMESPACE,
            registry=self._registry,
        )
        self._requests = counter("requests", "Requests that were answered", ["method", "route", "status"])
        self._seconds = Summary(
            "request_seconds",
            "Seconds until a request was answered",
            ["route"],
            namespace=_NAMESPACE,
            registry=self._registry,
        )
        self._refusals = counter("refusals", "Requests that were refused, by kind", ["kind"])
        self._faults = counter("faults", "Requests at which the server failed")
        self._screening_tasks = {name for name, task in app._infers.items() if task.is_screening}
        for name in app._infers:  # a counter that is missing before its first event cannot be seen to rise
            for outcome in ("done", "refused", "failed", "cancelled"):
                self._ended.labels(name, outcome)
        for name in self._screening_tasks:
            self._screened.labels(name)
        self._registry.register(_Present(app, self.monitored))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)

    def job_ended(self, job: Job) -> None:
        """Count an inference."""
        outcome = _OUTCOMES.get(job.state) or ("refused" if job.is_refused else "failed")
        self._ended.labels(job.task, outcome).inc()
        if job.started_at is not None:
            self._stages.labels(job.task, WAIT).observe(job.started_at - job.queued_at)
        for stage, seconds in job.timings.items():
            self._stages.labels(job.task, stage).observe(seconds)
        if job.state is State.DONE and job.task in self._screening_tasks:
            self._screened.labels(job.task).inc()

    def request_ended(self, record: RequestRecord) -> None:
        """Count a request."""
        self._requests.labels(record.method, record.route, str(record.status)).inc()
        self._seconds.labels(record.route).observe(record.seconds)
        if _REFUSED_FROM <= record.status < _FAULTS_FROM:
            self._refusals.labels(record.refusal or "other").inc()
        if record.status >= _FAULTS_FROM:
            self._faults.inc()


class _Present(Collector):
    """What is asked of the server at each scrape."""

    def __init__(self, app: Services, monitored: Monitored | None) -> None:
        self._app = app
        self._monitored = monitored

    def describe(self) -> list[Metric]:
        """Nothing: the names are known when they are asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now."""
        yield InfoMetricFamily("pneumoscreen_build", "Version of the program", {"version": __version__})
        jobs = GaugeMetricFamily("pneumoscreen_jobs", "Inferences that wait (queued) or run", labels=["state"])
        states = [view["state"] for view in self._app.board.listing()]
        for state in (State.QUEUED.value, State.RUNNING.value):
            jobs.add_metric([state], states.count(state))
        yield jobs
        models = GaugeMetricFamily(
            "pneumoscreen_model_info", "1 for the version of each network in use", labels=["network", "version"]
        )
        for network, version in self._app.engine.all_versions().items():
            if version is not None:
                models.add_metric([network, str(version)], 1)
        yield models
        trainings = GaugeMetricFamily("pneumoscreen_trainings", "Trainings since the start, by state", labels=["state"])
        known = self._app.trainings.listing() if self._app.trainings is not None else []
        statuses = [training["status"] for training in known]
        for status in ("SUBMITTED", "RUNNING", "DONE", "ERROR", "STOPPED"):
            trainings.add_metric([status.lower()], statuses.count(status))
        yield trainings
        yield from _model_in_use(self._monitored)
        yield from _gpu_memory()


def _model_in_use(monitored: Monitored | None) -> Iterator[Metric]:
    """What monitoring told last; nothing before it has."""
    families: dict[str, GaugeMetricFamily] = {}
    for reading in monitored.figures() if monitored is not None else ():
        name = f"{_NAMESPACE}_{reading.name}"
        family = families.setdefault(name, GaugeMetricFamily(name, HELP[reading.name], labels=sorted(reading.labels)))
        family.add_metric([reading.labels[label] for label in sorted(reading.labels)], reading.value)
    yield from families.values()


def _gpu_memory() -> Iterator[Metric]:
    """Memory of each GPU; nothing where there is none."""
    import torch

    if not torch.cuda.is_available():
        return
    memory = GaugeMetricFamily("pneumoscreen_gpu_memory_bytes", "Memory of a GPU", labels=["gpu", "kind"])
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        memory.add_metric([str(number), "total"], total)
        memory.add_metric([str(number), "used"], total - free)
        memory.add_metric([str(number), "allocated"], torch.cuda.memory_allocated(number))
    yield memory
