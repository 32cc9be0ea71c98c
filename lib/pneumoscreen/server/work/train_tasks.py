"""The train tasks of all methods as MONAI Label knows them.

They are ``BasicTrainTask``s: what a client is offered (``config``), how the device and several GPUs are found, a
process spawned for each of them (``main_worker`` calls ``train``), and where TensorBoard and MLflow logs lie are MONAI
Label's. The loop of Ignite below it is not used, because it cannot do what a hospital's training must:

- Resume: after a kill it begins its epoch counter, optimiser, schedule and random numbers anew. Here every sample is a
  function of seed and step, so that an interrupted training ends with the weights of an uninterrupted one.
- Split: it divides the list of labels by position, so that cases change sides as labels arrive. Here a hash of the
  patient decides, and test patients are never opened.
- Publication: it copies each better state of a run over the model in use. Here the result is a candidate until it has
  been compared with the model in use.
- Memory: it keeps what it can in memory and ends when a batch does not fit. Here patches are mapped from a file, crops
  are read from disk, and a batch that does not fit is done in parts.
- Status: it tells nothing of epoch, loss or time left but in lines of its log.

So ``train`` hands over to ``training.runs.run_training``, which the command line uses as well.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from monailabel.config import settings as stock_settings
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.train import TrainTask
from monailabel.tasks.train.basic_train import BasicTrainTask
from monailabel.utils.others.generic import device_map

from ... import RESEARCH_USE_ONLY
from ...method import Network
from ...methods import networks, recipe_for
from ...models.atomic_files import replace_durably
from ...models.store import ModelStore
from ...training.plan import clear_run
from ...training.publishing import Publication
from ...training.runs import can_resume, run_training
from ...training.status import read_status
from .. import WORK_FOLDER
from .train_logs import TrackingSettings, TrainLogs
from .train_parameters import TrainParameters, check

STATS_FILE = "train_stats.json"


class StudyTrainTask(BasicTrainTask):
    """The training of one network.

    Args:
        network: to train.
        studies: the studies folder.
        store: where the models are published.
    """

    def __init__(self, network: Network, studies: Path, store: ModelStore) -> None:
        self.name = network.name
        self.folder = training_folder(studies, self.name)
        super().__init__(str(self.folder), f"{network.training} {RESEARCH_USE_ONLY}")
        tracking = ["None", "mlflow"]
        recipe = recipe_for(self.name)
        # Epochs count rounds over the training cases or their samples, at most.
        usual = recipe.asked(None, {}, {})
        self._config = {
            "name": "train_01",
            "pretrained": True,
            "resume": True,
            "device": ["auto", "cpu", *(name for name in device_map() if name != "cpu")],
            "multi_gpu": True,
            "gpus": "all",
            "amp": True,
            "tracking": tracking[::-1] if stock_settings.MONAI_LABEL_TRACKING_ENABLED else tracking,
            "tracking_uri": "",
            "tracking_experiment_name": "",
            "max_epochs": usual.epochs,
            "train_batch_size": usual.batch,
            **{name: list(choices) for name, choices in recipe.client_choices.items()},
        }
        self._stats_path = str(self.folder / STATS_FILE)
        self._studies, self._store = studies, store

    def __call__(self, request: Mapping[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Train; the datastore is not asked, because cases are found in the studies folder.

        Raises:
            RequestError: if a parameter is wrong.
            PneumoScreenError: if the training cannot be done.
        """
        parameters, _ = check(self.name, request)
        use_all = parameters.multi_gpu and parameters.device in ("auto", "cuda")
        tracking = parameters.tracking or ("mlflow" if stock_settings.MONAI_LABEL_TRACKING_ENABLED else "None")
        checked = {**parameters.model_dump(), "model": self.name, "multi_gpu": use_all, "tracking": tracking}
        with socket.socket() as free:  # where the processes of several GPUs meet
            free.bind(("127.0.0.1", 0))
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free.getsockname()[1]))
        return dict(super().__call__(checked, datastore))

    def pre_process(self, request: dict[str, Any], datastore: Datastore | None) -> list[Any]:
        """MONAI Label's list of labels is not used; see the module."""
        del request, datastore
        return []

    def train(self, rank: int, world_size: int, request: dict[str, Any], datalist: list[Any]) -> dict[str, Any]:
        """One process's part of a training; called by MONAI Label."""
        del datalist
        if request["multi_gpu"]:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size))
        asked = {key: value for key, value in request.items() if key not in ("run_id", "model")}
        asked["device"] = asked["device"] if asked["device"] else "auto"
        parameters, unused = check(self.name, asked)
        settings, start = parameters.settings(), time.monotonic()
        resumes = parameters.resume and can_resume(self.name, settings, self.folder, parameters.pretrained)
        if rank == 0 and not resumes:
            clear_run(self.folder)
        logs = self._logs(parameters, str(request["run_id"])) if rank == 0 else None
        for name in unused:
            _say(f"parameter {name} has no effect on this training")
        with logs or nullcontext():
            publication = run_training(
                recipe_for(self.name),
                self._studies,
                settings,
                self.folder,
                self._store,
                device=parameters.device,
                resume=resumes,
                pretrained=parameters.pretrained,
                say=_say,
                observers=(logs,) if logs is not None else (),
                command=f"POST /train/{self.name}",
            )
        return self._keep_stats(publication, time.monotonic() - start) if rank == 0 else {}

    def _logs(self, parameters: TrainParameters, run_id: str) -> TrainLogs:
        experiment = parameters.tracking_experiment_name or self.name
        tracking = TrackingSettings(parameters.tracking_uri, experiment, f"run_{run_id}")
        return TrainLogs(
            self.folder / parameters.name, run_id, tracking if parameters.tracking == "mlflow" else None, _say
        )

    def _keep_stats(self, publication: Publication, seconds: float) -> dict[str, Any]:
        """What ``/info/`` shows of the last training, under MONAI Label's names."""
        status = read_status(self.folder)
        assert status is not None
        best = max(status.metrics.items(), key=lambda item: item[1], default=(0, None))
        stats = {
            "start_ts": int(time.time() - seconds),
            "epoch": status.epoch,
            "total_time": str(timedelta(seconds=int(seconds))),
            "best_metric": best[1],
            "eval": {
                "key_metric_name": status.metric_name,
                "best_metric": best[1],
                "best_metric_epoch": best[0],
                "metrics": {status.metric_name: status.metric},
            },
            "train": {"metrics": {"loss": status.loss}},
            "publication": publication.to_dict(),
        }
        replace_durably(Path(self._stats_path), (json.dumps(stats, indent=2) + "\n").encode())
        return stats

    def _of_the_engine(self, context: Any) -> Any:
        raise NotImplementedError("the Ignite engine is not used; see pneumoscreen.server.work.train_tasks")

    network = optimizer = loss_function = _of_the_engine
    train_pre_transforms = train_post_transforms = val_inferer = _of_the_engine


def train_tasks(studies: Path, store: ModelStore) -> dict[str, TrainTask]:
    """The train tasks by name."""
    return {name: StudyTrainTask(network, studies, store) for name, network in networks().items()}


def training_folder(studies: Path, task: str) -> Path:
    """Where the trainings of a task live."""
    return studies / WORK_FOLDER / "training" / task


def _say(line: str) -> None:
    """A sentence for whoever asks how the training goes; see ``training_process``."""
    with suppress(BrokenPipeError):  # nobody listens any more: the server is gone, and this process is about to be
        print(line, flush=True)
