"""The infer tasks: those of the CT method here, under the names that clients rely on."""

import os
import tempfile
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from .. import RESEARCH_USE_ONLY
from ..active_learning.epistemic import DRAWS
from ..active_learning.scores import CaseScore
from ..case import Case, ModelInfo, Region
from ..ct.candidates.finding import find_candidates
from ..ct.candidates.infected import lung_infos, measured
from ..ct.lungs.segmentation import Lungs
from ..ct.networks import CANDIDATES
from ..ct.report.case_report import write_report
from ..ct.scoring import score_screening
from ..ct.screening import Screener, Screening
from ..images.inputs import Modality
from ..images.volume import Volume
from ..method import Progress
from .engine import Engine
from .failures import RequestError
from .jobs import Job
from .parameters import InferParameters, parse_regions

MOST_REGIONS = 20
"""What a screening proposes at most: a stock client names this many segments."""


@dataclass(frozen=True)
class TaskRequest:
    """One checked request.

    Attributes:
        path: file or folder of the scan.
        parameters: what the client asked for.
        progress: told of each stage; raises ``Cancelled`` to stop.
        report: where the report goes, None for a scan that is not of the studies.
        masks: where the lung and infection masks go, likewise.
    """

    path: Path
    parameters: InferParameters
    progress: Progress
    report: Path | None = None
    masks: Path | None = None


@dataclass(frozen=True)
class TaskResult:
    """A case and, where the task makes them, the temporary file of its label map and its score."""

    case: Case
    label_map: Path | None = None
    score: CaseScore | None = None


_TOLD_AGAIN_S = 1.0
"""Ours: how old the versions in ``/info/`` may be."""


class CaseTask(InferTask):
    """What the tasks have in common: the engine, and that they are called through ``run``."""

    description = ""
    kind = InferType.SEGMENTATION
    dimension = 3
    modality: Modality = "CT"
    is_screening = False
    """Whether its document, report and masks are kept as those of the image's last screening."""

    def __init__(self, engine: Engine, labels: list[str]) -> None:
        super().__init__(self.kind, labels, self.dimension, f"{self.description} {RESEARCH_USE_ONLY}")
        self.engine = engine
        self._told: tuple[float, dict[str, int | None]] | None = None

    @abstractmethod
    def run(self, request: TaskRequest) -> TaskResult:
        """Do the work; the caller holds ``engine.turn``."""

    @abstractmethod
    def diagnoses(self) -> tuple[str, ...]:
        """Clinical diagnoses that a case of its kind can have."""

    @abstractmethod
    def versions(self) -> dict[str, int | None]:
        """Versions of the networks that it uses."""

    def is_valid(self) -> bool:
        """Always offered: without weights a request is answered with a sentence, not with an absent task."""
        return True

    def info(self) -> dict[str, Any]:
        """MONAI Label's description of a task, and the versions of the networks.

        ``/info/`` is answered by the event loop. Each question to the disk gives other threads a turn, and under load
        fifty of them took most of the time of an answer.
        """
        now = time.monotonic()
        if self._told is None or now - self._told[0] > _TOLD_AGAIN_S:
            self._told = now, self.versions()
        return {**super().info(), "versions": self._told[1]}

    def __call__(self, request: Any) -> tuple[str | None, dict[str, Any]]:
        """MONAI Label's own way to call a task; this app calls ``run``."""
        raise NotImplementedError("infer tasks are called through the app")


@dataclass(frozen=True)
class Inference:
    """A checked inference that waits for its turn. ``image_id`` is None for an upload or a session.

    ``reader`` is who asked for it: the inference's own thread does not know the speaker of the request.
    """

    task: CaseTask
    path: Path
    image_id: str | None
    parameters: InferParameters
    job: Job
    reader: str


class CtTask(CaseTask):
    """What the tasks on CTs have in common."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, [f"region {number}" for number in range(1, MOST_REGIONS + 1)])

    def diagnoses(self) -> tuple[str, ...]:
        """The case labels of the classifier in use."""
        return self.engine.classes().case_labels

    def versions(self) -> dict[str, int | None]:
        """Versions of candidate network and classifier."""
        return self.engine.versions()

    def _scan(self, request: TaskRequest, timings: dict[str, float]) -> tuple[Volume, Lungs]:
        """The scan and its lungs; what reading and segmenting took goes into ``timings``."""
        volume, timings["read"] = self.engine.read(request.path, lambda: request.progress("read", 0.0))
        start = time.perf_counter()
        lungs = self.engine.lungs(volume, request.progress)
        timings["lungs"] = time.perf_counter() - start
        return volume, lungs


class ScreeningTask(CtTask):
    """The whole method: lungs, candidates, patches, labels, verdict, report."""

    description = "Screens a chest CT for pneumonia and says which kind: verdict, regions and label map."
    is_screening = True

    def run(self, request: TaskRequest) -> TaskResult:
        """Screen a scan and write its report.

        Raises:
            PneumoScreenError: if the scan cannot be screened.
        """
        request.progress("read", 0.0)
        screener = self.engine.screener()
        volume, read_s = self.engine.read(request.path, lambda: request.progress("read", 0.0))
        screening = screener.screen(volume, request.progress, request.parameters.diagnosis, read_s, DRAWS)
        self.engine.keep_lungs(volume, screening.lungs)
        self.engine.keep_infection(volume, screener, screening.infection)
        if request.report is not None:
            with staged(request.report) as part:
                write_report(volume, screening, part, screener.classes)
        if request.masks is not None:
            with staged(request.masks) as part:
                sitk.WriteImage(volume.to_sitk(screening.anatomy_map()), part, useCompression=True, compressionLevel=1)
        score = score_screening(volume.case_id, screening, screener.classes)
        return TaskResult(screening.case, _write_label_map(volume, screening, request.parameters), score)


class CandidatesTask(CtTask):
    """Candidate regions only: boxes, scores and label map, no labels and no verdict."""

    description = "Marks candidate regions of infection in a chest CT, without labelling them."

    def run(self, request: TaskRequest) -> TaskResult:
        """Find the candidate regions of a scan.

        Raises:
            PneumoScreenError: if the scan cannot be screened.
        """
        request.progress("read", 0.0)
        screener = self.engine.screener()
        timings: dict[str, float] = {}
        volume, lungs = self._scan(request, timings)
        start = time.perf_counter()
        found = find_candidates(
            volume, lungs, screener.candidates, lambda stage, share: request.progress("candidates", 0.25 + 0.75 * share)
        )
        self.engine.keep_infection(volume, screener, found.infection)
        timings["candidates"] = time.perf_counter() - start
        timings["total"] = sum(timings.values())
        regions = []
        for number, (box, score) in enumerate(zip(found.boxes, found.scores, strict=True), start=1):
            center, size = volume.box_to_mm(box)
            place = tuple(center.tolist()), tuple(size.tolist())
            regions.append(Region(f"r{number}", "model", *place, float(score), lungs.side_of(box)))
        case = Case(
            case_id=volume.case_id,
            modality="CT",
            image=volume.image_info(),
            diagnosis=request.parameters.diagnosis,
            lungs=lung_infos(volume, lungs),
            regions=measured(volume, lungs, found.infection, regions),
            models=_only(screener, CANDIDATES),
            timings_s=timings,
            notes=(*volume.notes, *lungs.notes, *screener.notes),
        )
        screening = Screening(case, lungs, found.infection, found.boxes)
        return TaskResult(case, _write_label_map(volume, screening, request.parameters))


class ClassifierTask(CtTask):
    """Regions in, regions with patches, infected volumes, labels and the verdict out: for what a reader drew or moved.

    The infection mask is that of the scan's last screening, else the candidate network is asked.
    """

    description = "Labels given regions of a chest CT: three patches each, vote and verdict."
    kind = InferType.CLASSIFICATION

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.labels = list(engine.classes().patch_labels)

    def run(self, request: TaskRequest) -> TaskResult:
        """Label the regions of the request.

        Raises:
            PneumoScreenError: if there are none, one is wrong or lies outside the lungs, or the scan is unusable.
        """
        if request.parameters.regions is None:
            raise RequestError("parameter regions is missing; ct_classifier labels the regions that it is given")
        regions = parse_regions(request.parameters.regions, self.engine.classes())
        request.progress("read", 0.0)
        screener = self.engine.screener()
        timings: dict[str, float] = {}
        volume, lungs = self._scan(request, timings)
        start = time.perf_counter()
        infection = self.engine.infection(
            volume, lungs, screener, lambda stage, share: request.progress("candidates", 0.25 + 0.35 * share)
        )
        timings["candidates"] = time.perf_counter() - start
        start = time.perf_counter()
        request.progress("classify", 0.6)
        labelled = screener.screen_regions(volume, lungs, [_sided(region, volume, lungs) for region in regions])
        timings["classify"] = time.perf_counter() - start
        timings["total"] = sum(timings.values())
        case = Case(
            case_id=volume.case_id,
            modality="CT",
            image=volume.image_info(),
            diagnosis=request.parameters.diagnosis,
            regions=measured(volume, lungs, infection, labelled),
            models=screener.models,
            timings_s=timings,
            notes=(*volume.notes, *lungs.notes, *screener.notes),
        ).with_verdict(screener.classes, screener.calibration)
        return TaskResult(case)


def _only(screener: Screener, name: str) -> dict[str, ModelInfo]:
    return {key: info for key, info in screener.models.items() if key == name}


def _sided(region: Region, volume: Volume, lungs: Lungs) -> Region:
    box = volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
    return replace(region, side=lungs.side_of(box))


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A file beside the target, of the same ending, that takes its place when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _write_label_map(volume: Volume, screening: Screening, parameters: InferParameters) -> Path:
    """The label map in the geometry and orientation of the image as stored."""
    handle, name = tempfile.mkstemp(prefix="pneumoscreen-", suffix=parameters.result_extension)
    os.close(handle)
    compress = parameters.result_compress
    sitk.WriteImage(volume.to_sitk(screening.label_map()), name, useCompression=compress, compressionLevel=1)
    return Path(name)
