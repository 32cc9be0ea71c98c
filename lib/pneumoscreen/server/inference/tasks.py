"""What the infer tasks have in common, and the one of every method: screening."""

import os
import tempfile
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from ... import RESEARCH_USE_ONLY
from ...active_learning.epistemic import DRAWS
from ...active_learning.scores import CaseScore
from ...case import Case
from ...images.inputs import Modality
from ...images.volume import Masks
from ...method import Method, Progress
from .engine import Engine
from .jobs import Job
from .parameters import InferParameters


@dataclass(frozen=True)
class TaskRequest:
    """One checked request.

    Attributes:
        path: file or folder of the scan.
        parameters: what the client asked for.
        progress: told of each stage; raises ``Cancelled`` to stop.
        report: where the report goes, None for a scan that is not of the studies.
        masks: where the lung and infection masks go, likewise.
        note: what the document says of how the image was chosen; may be empty.
        marked: where what the screening marks goes that results are made of, None where none are.
    """

    path: Path
    parameters: InferParameters
    progress: Progress
    report: Path | None = None
    masks: Path | None = None
    note: str = ""
    marked: Path | None = None


@dataclass(frozen=True)
class TaskResult:
    """A case and, where the task makes them, the temporary file of its label map, its score and its masks."""

    case: Case
    label_map: Path | None = None
    score: CaseScore | None = None
    masks: Masks | None = None


_TOLD_AGAIN_S = 1.0
"""Ours: how old the versions in ``/info/`` may be."""


class CaseTask(InferTask):
    """What the tasks have in common: the engine, and that they are called through ``run``."""

    is_screening = False
    """Whether its document, report and masks are kept as those of the image's last screening."""

    def __init__(
        self, engine: Engine, method: Method, description: str, labels: Sequence[str], kind: InferType
    ) -> None:
        super().__init__(kind, list(labels), method.kind.dimensions, f"{description} {RESEARCH_USE_ONLY}")
        self.engine, self.method = engine, method
        self._told: tuple[float, dict[str, int | None]] | None = None

    @property
    def modality(self) -> Modality:
        """Of the images that it takes."""
        return self.method.modality

    @property
    def has_label_map(self) -> bool:
        """Whether its result has a label map beside the document."""
        return bool(self.type is InferType.SEGMENTATION)

    @abstractmethod
    def run(self, request: TaskRequest) -> TaskResult:
        """Do the work; the caller holds ``engine.turn``."""

    def diagnoses(self) -> tuple[str, ...]:
        """Clinical diagnoses that a case of its kind can have."""
        return self.method.case_labels(self.engine.classes())

    def versions(self) -> dict[str, int | None]:
        """Versions of the networks of its method."""
        return self.engine.versions(self.method)

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

    ``reader`` is who asked for it: the inference's own thread does not know the speaker of the request. ``as_dicom``
    is whether the answer is a DICOM Segmentation.
    """

    task: CaseTask
    path: Path
    image_id: str | None
    parameters: InferParameters
    job: Job
    reader: str
    as_dicom: bool = False


class ScreeningTask(CaseTask):
    """The whole method: document, report, masks, label map and score."""

    is_screening = True

    def __init__(self, engine: Engine, method: Method) -> None:
        labels = method.segments or method.case_labels(engine.classes())
        kind = InferType.SEGMENTATION if method.segments else InferType.CLASSIFICATION
        super().__init__(engine, method, method.description, labels, kind)

    def run(self, request: TaskRequest) -> TaskResult:
        """Screen an image and write its report.

        Raises:
            PneumoScreenError: if it cannot be screened.
        """
        request.progress("read", 0.0)
        method, screener = self.method, self.engine.screener(self.method)
        read, read_s = self.engine.read(method, request.path, lambda: request.progress("read", 0.0))
        image = replace(read, notes=(*read.notes, request.note)) if request.note else read
        screening = screener.screen(image, request.progress, request.parameters.diagnosis, read_s, DRAWS)
        for name, found in method.found_in(screening, screener).items():
            self.engine.keep(read, name, found)
        if request.report is not None:
            with staged(request.report) as part:
                method.write_report(image, screening, screener, part)
        overlay = None if request.masks is None else method.overlay(image, screening)
        if request.masks is not None and overlay is not None:
            with staged(request.masks) as part:
                sitk.WriteImage(overlay, part, useCompression=True, compressionLevel=1)
        if request.marked is not None:
            request.marked.parent.mkdir(parents=True, exist_ok=True)
            with staged(request.marked) as part:
                np.savez_compressed(part, **method.kept(screening))
        score = method.score(image.case_id, screening, screener)
        label_map = method.label_map(image, screening)
        file = written(label_map, request.parameters) if label_map else None
        return TaskResult(screening.case, file, score, method.masks(image, screening))


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


def written(label_map: sitk.Image, parameters: InferParameters) -> Path:
    """A temporary file with a label map, as the client wants it."""
    handle, name = tempfile.mkstemp(prefix="pneumoscreen-", suffix=parameters.result_extension)
    os.close(handle)
    sitk.WriteImage(label_map, name, useCompression=parameters.result_compress, compressionLevel=1)
    return Path(name)
