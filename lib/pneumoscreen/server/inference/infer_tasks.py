"""The infer tasks by name: the screening of every method, and those on the regions of a CT, which readers correct."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from monailabel.interfaces.tasks.infer_v2 import InferType
from numpy.typing import NDArray

from ...case import Case, ModelInfo, Region
from ...ct.candidates.finding import find_candidates
from ...ct.candidates.infected import lung_infos, measured
from ...ct.lungs.segmentation import Lungs, segment_lungs
from ...ct.method import LUNGS, infection_by
from ...ct.method import METHOD as CT
from ...ct.networks import CANDIDATES, CLASSIFIER
from ...ct.screening import Screener, Screening
from ...images.volume import Volume
from ...method import Progress
from ...methods import METHODS
from ..failures import RequestError
from .engine import Engine
from .parameters import parse_regions
from .tasks import CaseTask, ScreeningTask, TaskRequest, TaskResult, written


class CtTask(CaseTask):
    """What the tasks on regions of a CT have in common."""

    def _lungs(self, volume: Volume, progress: Progress) -> Lungs:
        """The lungs of a scan, kept with it.

        Raises:
            NoLungsError: if it shows none.
        """
        found = self.engine.kept(volume, LUNGS)
        if found is None:
            progress("lungs", 0.05)
            found = segment_lungs(volume)
            self.engine.keep(volume, LUNGS, found)
        assert isinstance(found, Lungs)
        return found

    def _infection(self, volume: Volume, lungs: Lungs, screener: Screener, progress: Progress) -> NDArray[np.bool_]:
        """The infection mask of a scan, bool [z, y, x]: that of its screening, else the candidate network's now."""
        name = infection_by(screener.models.get(CANDIDATES))
        found = self.engine.kept(volume, name)
        if found is None:
            found = find_candidates(volume, lungs, screener.candidates, progress).infection
            self.engine.keep(volume, name, found)
        assert isinstance(found, np.ndarray)
        return found

    def _scan(self, request: TaskRequest, timings: dict[str, float]) -> tuple[Volume, Lungs]:
        """The scan and its lungs; what reading and segmenting took goes into ``timings``."""
        volume, timings["read"] = self.engine.read(self.method, request.path, lambda: request.progress("read", 0.0))
        start = time.perf_counter()
        lungs = self._lungs(volume, request.progress)
        timings["lungs"] = time.perf_counter() - start
        return volume, lungs


class CandidatesTask(CtTask):
    """Candidate regions only: boxes, scores and label map, no labels and no verdict."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            engine,
            CT,
            "Marks candidate regions of infection in a chest CT, without labelling them.",
            CT.segments,
            InferType.SEGMENTATION,
        )

    def run(self, request: TaskRequest) -> TaskResult:
        """Find the candidate regions of a scan.

        Raises:
            PneumoScreenError: if the scan cannot be screened.
        """
        request.progress("read", 0.0)
        screener = self.engine.screener(self.method)
        timings: dict[str, float] = {}
        volume, lungs = self._scan(request, timings)
        start = time.perf_counter()
        found = find_candidates(
            volume, lungs, screener.candidates, lambda stage, share: request.progress("candidates", 0.25 + 0.75 * share)
        )
        self.engine.keep(volume, infection_by(screener.models.get(CANDIDATES)), found.infection)
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
        label_map = written(volume.to_sitk(screening.label_map()), request.parameters)
        return TaskResult(case, label_map, masks=CT.masks(volume, screening))


class ClassifierTask(CtTask):
    """Regions in, regions with patches, infected volumes, labels and the verdict out: for what a reader drew or moved.

    The infection mask is that of the scan's last screening, else the candidate network is asked.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            engine,
            CT,
            "Labels given regions of a chest CT: three patches each, vote and verdict.",
            engine.classes().patch_labels,
            InferType.CLASSIFICATION,
        )

    def run(self, request: TaskRequest) -> TaskResult:
        """Label the regions of the request.

        Raises:
            PneumoScreenError: if there are none, one is wrong or lies outside the lungs, or the scan is unusable.
        """
        if request.parameters.regions is None:
            raise RequestError("parameter regions is missing; ct_classifier labels the regions that it is given")
        regions = parse_regions(request.parameters.regions, self.engine.classes())
        request.progress("read", 0.0)
        screener = self.engine.screener(self.method)
        timings: dict[str, float] = {}
        volume, lungs = self._scan(request, timings)
        start = time.perf_counter()
        infection = self._infection(
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


OF_NETWORKS: dict[str, Callable[[Engine], CaseTask]] = {CANDIDATES: CandidatesTask, CLASSIFIER: ClassifierTask}
"""Tasks that ask one network, by its name."""


def infer_tasks(engine: Engine) -> dict[str, CaseTask]:
    """All tasks, under the names that clients rely on."""
    tasks: dict[str, CaseTask] = {}
    for method in METHODS:
        tasks[method.screening_task] = ScreeningTask(engine, method)
        for network in method.networks:
            if network.name in OF_NETWORKS:
                tasks[network.name] = OF_NETWORKS[network.name](engine)
    return tasks
