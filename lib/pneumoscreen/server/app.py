"""The MONAI Label app: which tasks there are, and the one door through which an inference passes."""

import logging
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monailabel.config import settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random

from .. import RESEARCH_USE_ONLY, __version__
from ..models.store import ModelStore
from .datastore import StudiesDatastore
from .engine import CANDIDATES, CLASSIFIER, Engine
from .failures import RequestError, UnknownError
from .jobs import Job, JobBoard
from .parameters import InferParameters
from .sessions import CheckedSessions
from .settings import apply_defaults
from .tasks import CandidatesTask, ClassifierTask, CtTask, ScreeningTask, TaskRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inference:
    """A checked inference that waits for its turn. ``image_id`` is None for an upload or a session."""

    task: CtTask
    path: Path
    image_id: str | None
    parameters: InferParameters
    job: Job


class PneumoScreenApp(MONAILabelApp):
    """The app that MONAI Label finds in ``apps/pneumoscreen/main.py``."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        apply_defaults()
        self.board = JobBoard()
        root = os.environ.get("PNEUMOSCREEN_MODELS")
        self.engine = Engine(ModelStore(Path(root) if root else Path(app_dir) / "model"))
        super().__init__(
            app_dir,
            studies,
            conf,
            name="PneumoScreen",
            description=f"Screening of chest CT for pneumonia. {RESEARCH_USE_ONLY}",
            version=__version__,
        )

    def _load_sessions(self, load: bool = False) -> CheckedSessions | None:
        if not load:
            return None
        return CheckedSessions(settings.MONAI_LABEL_SESSION_PATH, settings.MONAI_LABEL_SESSION_EXPIRY)

    def init_infers(self) -> dict[str, InferTask]:
        """The infer tasks by name."""
        return {
            "ct_screening": ScreeningTask(self.engine),
            CANDIDATES: CandidatesTask(self.engine),
            CLASSIFIER: ClassifierTask(self.engine),
        }

    def init_strategies(self) -> dict[str, Strategy]:
        """How the next image is chosen."""
        return {"random": Random(), "first": First()}

    def init_datastore(self) -> Datastore:
        """The studies folder; another kind of address is left to MONAI Label."""
        if self.studies.startswith(("http://", "https://")):
            return super().init_datastore()
        return StudiesDatastore(
            self.studies, settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD, settings.MONAI_LABEL_DATASTORE_READ_ONLY
        )

    def on_init_complete(self) -> None:
        """Called once the server stands: from here on this project's HTTP answers."""
        super().on_init_complete()
        stock = sys.modules.get("monailabel.app")
        if stock is not None:
            from .web import take_over

            take_over(stock.app, self)

    def prepare(self, request: dict[str, Any]) -> Inference:
        """Check an inference and enter it on the board; reads no image.

        Args:
            request: ``model``, ``image`` (an id, or the path of an image of the studies), the parameters, and
                for scans that the server itself has stored ``upload``, a ``Path`` (JSON cannot bring one).

        Raises:
            RequestError: if task, image or a parameter is unknown or wrong.
        """
        name = str(request.get("model"))
        task = self._infers.get(name)
        if task is None:
            raise UnknownError(f"there is no infer task {name!r}; there are {', '.join(self._infers)}")
        parameters = InferParameters.of(request)
        upload = request.get("upload")
        if isinstance(upload, Path):
            path, image_id, shown = upload, None, upload.name
        else:
            image_id, path = self._locate(request.get("image"))
            shown = image_id
        diagnoses = self.engine.classes().case_labels
        if parameters.diagnosis is not None and parameters.diagnosis not in diagnoses:
            raise RequestError(f"parameter diagnosis: {parameters.diagnosis!r} is none of {', '.join(diagnoses)}")
        if parameters.save_label and image_id is None:
            raise RequestError("parameter save_label: only an image of the studies folder can have a label")
        return Inference(task, path, image_id, parameters, self.board.add(name, shown))

    def run(self, inference: Inference) -> dict[str, Any]:
        """Do a prepared inference when its turn comes.

        Returns:
            MONAI Label's result: ``params`` is the case document, ``file`` the temporary label map or None.

        Raises:
            PneumoScreenError: if the scan cannot be screened.
            Cancelled: if the job was cancelled.
        """
        job = inference.job
        with self.engine.turn, self.board.running(job):
            request = TaskRequest(
                inference.path, inference.parameters, job.report, self.report_path(inference.image_id)
            )
            result = inference.task.run(request)
        logger.info("%s of image %s: %.1f s", job.task, job.image, result.case.timings_s.get("total", 0.0))
        case = result.case if inference.image_id is None else replace(result.case, case_id=inference.image_id)
        document = case.to_dict()
        file = str(result.label_map) if result.label_map else None
        tag = inference.parameters.label_tag
        label = self._save(inference, case.to_json(), tag) if inference.parameters.save_label else file
        return {"label": label, "tag": tag, "file": file, "params": document}

    def infer(self, request: dict[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """MONAI Label's entry for batch inference: prepare and run."""
        return self.run(self.prepare(request))

    def report_path(self, image_id: str | None) -> Path | None:
        """Where the report of the last screening of an image lies; None where reports are not kept."""
        datastore = self._datastore
        if image_id is None or not isinstance(datastore, StudiesDatastore):
            return None
        return datastore.work_folder / "reports" / f"{image_id}.html"

    def session_image(self, session_id: str) -> Path:
        """The scan that a session holds.

        Raises:
            UnknownError: if there is no such session.
        """
        known = re.fullmatch(r"[0-9a-f-]{36}", session_id)
        session = self._sessions.get_session(session_id) if self._sessions is not None and known else None
        if session is None:
            raise UnknownError(f"there is no session {session_id}; it may have expired, create it again")
        return Path(session.image)

    def model_file(self, model: str, validate: bool = True) -> str | None:
        """Weights file of a network, for ``GET /model/{model}``."""
        versions = self.engine.newest_versions()
        if versions.get(model) is None:
            return None
        return str(self.engine.store.root / model / str(versions[model]) / "model.safetensors")

    def _locate(self, image: object) -> tuple[str, Path]:
        """Id and path of an image of the studies."""
        if not isinstance(image, str) or not image:
            raise RequestError("no image is named; give image=<id>, session_id=<id> or a file")
        if "\x00" in image:
            raise RequestError("the image id holds a null character")
        datastore = self._datastore
        if not isinstance(datastore, StudiesDatastore):
            path = datastore.get_image_uri(image)
            if not path:
                raise UnknownError(f"image {image} is not among the studies")
            return image, Path(path)
        image_id = datastore.id_of(image)
        if image_id is None:
            datastore.refresh()  # a DICOM folder that was copied in after the start
            image_id = datastore.id_of(image)
        if image_id is None:
            raise UnknownError(f"image {image[:200]} is not in the studies folder; GET /datastore/ lists what is there")
        return image_id, Path(datastore.get_image_uri(image_id))

    def _save(self, inference: Inference, document: str, tag: str) -> str:
        """Save a case document as the label of its image."""
        assert inference.image_id is not None
        folder = tempfile.mkdtemp(prefix="pneumoscreen-")
        try:
            file = Path(folder) / f"{inference.image_id}.json"
            file.write_text(document, encoding="utf-8")
            info = {"model": inference.job.task}
            return str(self._datastore.save_label(inference.image_id, str(file), tag, info))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
