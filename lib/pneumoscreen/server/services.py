"""The services of one server: which tasks there are, and the one way by which an inference is done.

No HTTP: the routes (``http``) ask what stands here, and ``app`` puts both together.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from monailabel.config import settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.batch_infer import BatchInferTask
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask

from .. import RESEARCH_USE_ONLY, __version__
from ..active_learning.score_file import ScoreStore
from ..errors import ImageError, NoLungsError, PneumoScreenError
from ..limits import Limits
from ..models.store import ModelStore
from . import WORK_FOLDER
from .access.identity import speaker
from .failures import RequestError, UnknownError
from .inference.batch import BatchInference
from .inference.dicom_seg import require_dicom, segmentation_files
from .inference.engine import Engine, scan_state
from .inference.fetching import Fetching, with_note
from .inference.infer_tasks import infer_tasks
from .inference.jobs import JobBoard
from .inference.parameters import InferParameters, Output
from .inference.tasks import Inference
from .monailabel_settings import apply_defaults
from .store.datastore import StudiesDatastore
from .store.hand_labels import HandLabels
from .store.migration import bring_up_to_date
from .store.reading import LimitedReading
from .store.screenings import keep_screening, masks_file, report_file
from .store.studies_source import is_address
from .store.temporary import clear_leftovers
from .store.upload_sessions import CheckedSessions, image_of
from .work.background_scoring import BackgroundScoring, CaseScoring
from .work.folder_watch import FolderWatch
from .work.leases import Leases, known_reader
from .work.named_images import id_of, located
from .work.scoring import METHOD, PROGRESS_FILE, keep_failure, keep_score, models_in_use, score_store
from .work.strategies import reading_strategies
from .work.train_tasks import train_tasks
from .work.trainings import Trainings
from .work.worklist import Worklist


class Services(MONAILabelApp):
    """What a server does, as MONAI Label's app."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        began = time.time()
        apply_defaults()
        limits = Limits.of_environment()
        self.board = JobBoard(limits.max_jobs, limits.max_jobs_per_reader)
        root = os.environ.get("PNEUMOSCREEN_MODELS")
        folder = None if is_address(studies) else Path(studies)
        if folder is not None:
            bring_up_to_date(folder)
        self.engine = Engine(ModelStore(Path(root) if root else Path(app_dir) / "model"), folder, LimitedReading())
        super().__init__(
            app_dir,
            studies,
            conf,
            name="PneumoScreen",
            description=f"Screening of chest CT and X-ray for pneumonia. {RESEARCH_USE_ONLY}",
            version=__version__,
        )
        if self.studies_are_folder:
            clear_leftovers(Path(studies), began)
        self.trainings = (
            Trainings(Path(self.studies), self.engine.store.root, self.on_training_finished)
            if self.studies_are_folder
            else None
        )
        datastore = self._datastore
        self.fetching = Fetching(datastore, self.engine, self.board, self.remember_failure)
        if isinstance(datastore, StudiesDatastore):
            datastore.submissions.when_stored = lambda stored: self.leases.release(stored.case_id, known_reader())
            datastore.submissions.when_counting = datastore.images.submitted

    @property
    def studies_are_folder(self) -> bool:
        """Whether the studies lie on this machine, not on a DICOMweb server."""
        return not is_address(self.studies)

    @property
    def work_folder(self) -> Path:
        """Where the server keeps what it knows of the cases; beside the app where the studies are no folder."""
        datastore = self._datastore
        return datastore.work_folder if isinstance(datastore, StudiesDatastore) else Path(self.app_dir) / WORK_FOLDER

    # MONAI Label asks for strategies and scoring methods while its part of the app is being made; they need these.

    @cached_property
    def scores(self) -> ScoreStore:
        """The score of each case."""
        return score_store(self.work_folder)

    @cached_property
    def leases(self) -> Leases:
        """Who reads which case."""
        return Leases(self.work_folder / "leases.json")

    @cached_property
    def hand_labels(self) -> HandLabels | None:
        """What was put into the folder of labels by hand."""
        return HandLabels(self._datastore) if isinstance(self._datastore, StudiesDatastore) else None

    @cached_property
    def worklist(self) -> Worklist:
        """What is known of every case."""
        studies, work = Path(self.studies), self.work_folder
        return Worklist(studies, work, self._datastore, self.engine, self.scores, self.leases, self.hand_labels)

    @cached_property
    def scoring_process(self) -> BackgroundScoring:
        """The scoring in the background."""
        return BackgroundScoring(Path(self.studies), self.engine.store.root, self.work_folder / PROGRESS_FILE)

    def _load_sessions(self, load: bool = False) -> CheckedSessions | None:
        if not load:
            return None
        return CheckedSessions(
            settings.MONAI_LABEL_SESSION_PATH, settings.MONAI_LABEL_SESSION_EXPIRY, reading=self.engine.reading
        )

    def init_infers(self) -> dict[str, InferTask]:
        """The infer tasks by name."""
        return {**infer_tasks(self.engine)}

    def makes_label_map(self, model: str) -> bool:
        """Whether a task's result has a label map; of an unknown task it is not denied."""
        task = self._infers.get(model)
        return task is None or bool(task.has_label_map)

    def init_trainers(self) -> dict[str, TrainTask]:
        """The train tasks by name; they need a folder of studies."""
        return train_tasks(Path(self.studies), self.engine.store) if self.studies_are_folder else {}

    def init_batch_infer(self) -> BatchInferTask:
        """How all images are screened in one go."""
        return BatchInference()

    def init_strategies(self) -> dict[str, Strategy]:
        """How the next image is chosen, the default strategy first."""
        return reading_strategies(self.worklist, self.leases, self.scores, self.engine)

    def init_scoring_methods(self) -> dict[str, ScoringMethod]:
        """What the strategies choose by."""
        work = self.work_folder if self.studies_are_folder else None
        return {METHOD: CaseScoring(self.engine, self.scores, self.worklist, self.work_folder / PROGRESS_FILE, work)}

    def init_datastore(self) -> Datastore:
        """The studies folder; another kind of address is left to MONAI Label."""
        if is_address(self.studies):
            return super().init_datastore()
        return StudiesDatastore(
            self.studies,
            settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD,
            settings.MONAI_LABEL_DATASTORE_READ_ONLY,
            self.engine.classes,
            self.engine.reading,
        )

    def begin(self) -> None:
        """Called once the server stands: what is done beside the requests begins."""
        self.engine.reading.warm_up()
        self.worklist.warm_up()
        datastore = self._datastore
        if isinstance(datastore, StudiesDatastore) and self.hand_labels is not None:
            if datastore.is_watched:
                FolderWatch(datastore, self.hand_labels, self.scores).start()
            datastore.images.begin()

    def prepare(self, request: dict[str, Any]) -> Inference:
        """Check an inference and enter it on the board; reads no image.

        Args:
            request: ``model``, ``image`` (an id, or the path of an image of the studies), the parameters, and what
                JSON cannot bring: ``upload``, the ``Path`` of a scan that the server has stored, and ``output``.

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
            path, image_id = upload, None
        else:
            image_id, path = located(self._datastore, self.worklist, request.get("image"))
            self.leases.touch(image_id, known_reader())
        diagnoses = task.diagnoses()
        if parameters.diagnosis is not None and parameters.diagnosis not in diagnoses:
            raise RequestError(f"parameter diagnosis: {parameters.diagnosis!r} is none of {', '.join(diagnoses)}")
        if parameters.save_label and image_id is None:
            raise RequestError("parameter save_label: only an image of the studies folder can have a label")
        shown, as_dicom = image_id or path.name, request.get("output") is Output.DICOM_SEG
        if as_dicom:
            require_dicom(path, shown)
        who = speaker()
        job = self.board.add(name, shown, who.reader if who.is_known else "")
        return Inference(task, path, image_id, parameters, job, who.reader, as_dicom)

    def run(self, inference: Inference) -> dict[str, Any]:
        """Do a prepared inference when its turn comes.

        Returns:
            MONAI Label's result: ``params`` is the case document, ``file`` the temporary label map or None.

        Raises:
            PneumoScreenError: if the scan cannot be screened.
            Cancelled: if the job was cancelled.
        """
        job = inference.job
        with self.engine.turn, self.board.running(job), self.fetching.held(inference):
            image, scan = inference.image_id, scan_state(inference.path)
            request = self.fetching.request(inference, self.report_path(image), self.masks_path(image))
            try:
                result = inference.task.run(request)
                job.timings = result.case.timings_s
            except (ImageError, NoLungsError) as error:
                if image is not None and self.engine.is_of_kind(inference.path, inference.task.modality):
                    self.remember_failure(image, inference.path, error, job.reader or None)
                raise
            files = segmentation_files(result, inference.path, self.engine) if inference.as_dicom else []
        case = result.case if inference.image_id is None else replace(result.case, case_id=inference.image_id)
        case = with_note(case, request.note)
        if inference.image_id is not None and result.score is not None:
            keep_score(self.scores, inference.image_id, scan, result.score, case)
        if inference.image_id is not None and inference.task.is_screening:
            keep_screening(self.work_folder, case, result.label_map)
            self.fetching.screened(inference, case)
        file = str(result.label_map) if result.label_map else None
        tag = inference.parameters.label_tag
        try:
            label = self._save(inference, case.to_json(), tag) if inference.parameters.save_label else file
        except BaseException:
            if result.label_map is not None:
                result.label_map.unlink(missing_ok=True)
            raise
        return {"label": label, "tag": tag, "file": file, "params": case.to_dict(), "dicom_seg": files}

    def infer(self, request: dict[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """MONAI Label's entry for batch inference: prepare, fetch and run."""
        inference = self.prepare(request)
        self.fetching.fetch(inference)
        return self.run(inference)

    def remember_failure(self, image_id: str, path: Path, error: PneumoScreenError, reader: str | None) -> None:
        """Offer an image to nobody until its files or the models change, and say in the worklist why.

        Args:
            image_id: the image.
            path: its file or folder.
            error: why it cannot be downloaded or screened.
            reader: whose lease ends; None: whoever has it.
        """
        keep_failure(self.scores, image_id, path, models_in_use(self.engine), error)
        self.leases.release(image_id, reader)

    def on_save_label(self, image_id: str, label_id: str) -> dict[str, Any]:
        """What ``PUT /datastore/label`` answers beside the ids: the version that a final label became."""
        datastore = self._datastore
        stored = datastore.stored_version() if isinstance(datastore, StudiesDatastore) else None
        return {} if stored is None else stored.answer()

    def report_path(self, image_id: str | None) -> Path | None:
        """Where the report of the last screening of an image lies; None where reports are not kept."""
        return self._kept(report_file, image_id)

    def masks_path(self, image_id: str | None) -> Path | None:
        """Where the masks of the last screening of an image lie; None where they are not kept."""
        return self._kept(masks_file, image_id)

    def session_image(self, session_id: str) -> Path:
        """The scan that a session holds.

        Raises:
            UnknownError: if there is no such session.
        """
        return image_of(self._sessions, session_id)

    def start_scoring(self) -> None:
        """Score in the background every case that has no fresh score: under other models, or after a training."""
        if self.studies_are_folder:
            self.scoring_process.start(again=True)

    def async_scoring(self, method: str | None, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """MONAI Label's own wish to score, where a site's settings have it do so after each request."""
        self.start_scoring()
        return {}

    def on_training_finished(self, publication: object) -> None:
        """Called in the server's process after a training: under other models every score is stale.

        Where nothing was published the scoring finds nothing to do.
        """
        self.start_scoring()

    def model_file(self, model: str, validate: bool = True) -> str | None:
        """Weights file of a network, for ``GET /model/{model}``: of the version that an inference would take.

        Raises:
            ModelError: if every version that it could be is damaged.
        """
        versions = self.engine.all_versions()
        return str(self.engine.store.weights_file(model)) if versions.get(model) is not None else None

    def _kept(self, place: Callable[[Path, str], Path], image_id: str | None) -> Path | None:
        """Where a screening of an image keeps something; None where it keeps nothing."""
        datastore = self._datastore
        if image_id is None or not isinstance(datastore, StudiesDatastore):
            return None
        return place(datastore.work_folder, image_id)

    def image_id(self, image: str) -> str | None:
        """The id of an image that is named by its id, its path, or as OHIF does, by the UID of its series."""
        return id_of(self._datastore, self.worklist, image)

    def _save(self, inference: Inference, document: str, tag: str) -> str:
        """Save a case document as the label of its image."""
        assert inference.image_id is not None
        folder = tempfile.mkdtemp(prefix="pneumoscreen-")
        try:
            file = Path(folder) / f"{inference.image_id}.json"
            file.write_text(document, encoding="utf-8")
            info = {"model": inference.job.task, "reader": inference.reader}
            return str(self._datastore.save_label(inference.image_id, str(file), tag, info))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
