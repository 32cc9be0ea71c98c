"""``/train``: start, watch and cancel trainings, in place of MONAI Label's routes of these paths."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends
from monailabel.config import RBAC_ADMIN, RBAC_USER, settings
from monailabel.endpoints.user.auth import RBAC, User

from ....methods import networks
from ....studies.audit import AuditLog
from ...access.identity import speaker
from ...failures import BusyError, RequestError, UnknownError
from ...services import Services
from ...work.train_parameters import OF_CLIENTS, check
from ...work.trainings import Trainings
from .identity import CurrentUser

CurrentTrainer = Annotated[User, Depends(RBAC(settings.MONAI_LABEL_AUTH_ROLE_ADMIN))]
Parameters = Annotated[dict[str, Any] | None, Body()]


def train_router(app: Services) -> APIRouter:
    """The routes; where the studies are no folder, every one says so."""
    router = APIRouter(prefix="/train", tags=["Train"])

    def trainings() -> Trainings:
        if app.trainings is None:
            raise UnknownError("there is no training here: the studies are not a folder of this server")
        return app.trainings

    def record(action: str, task: dict[str, Any]) -> None:
        AuditLog(Path(app.studies)).record(speaker().reader, action, model=task["model"], training=task["id"])

    def submit(model: str, values: Any, enqueue: bool) -> dict[str, Any]:
        if model not in networks():
            raise UnknownError(f"there is no train task {model[:60]!r}; there are {', '.join(networks())}")
        if not isinstance(values or {}, dict):
            raise RequestError(f"parameter {model} must be a JSON object, not {type(values).__name__}")
        parameters, _ = check(model, values or {})
        asked = {name: value for name, value in (values or {}).items() if name not in (*OF_CLIENTS, "gpus")}
        task = trainings().submit(model, {**asked, "gpus": parameters.gpus}, speaker().reader, enqueue)
        if task is None:
            running = trainings().running()
            what = f"a training of {running['model']} is running" if running else "a training was running"
            raise BusyError(f"{what}; wait for its end, cancel it (DELETE /train/) or queue this one (enqueue=true)")
        record("train", task)
        return task

    @router.get("/", summary=f"{RBAC_USER}The newest training: status, progress and publication")
    def status(
        user: CurrentUser,
        all: bool = False,  # noqa: A002 (MONAI Label's name)
        check_if_running: bool = False,
    ) -> Any:
        known = trainings().listing()
        if check_if_running:
            running = trainings().running()
            if running is None:
                raise UnknownError("no training is running")
            return running
        if not known:
            raise UnknownError("nothing has been trained here yet")
        return known if all else known[-1]

    @router.post("/", summary=f"{RBAC_ADMIN}Train all networks, one after the other", deprecated=True)
    def start_all(user: CurrentTrainer, params: Parameters = None, run_sync: bool = False) -> dict[str, Any]:
        started = {model: submit(model, (params or {}).get(model), True) for model in networks()}
        if run_sync:
            started = {model: trainings().wait(task["id"]) for model, task in started.items()}
        return {model: {"result": task, "detail": None} for model, task in started.items()}

    @router.post("/{model}", summary=f"{RBAC_ADMIN}Train a network on the labelled cases; returns at once")
    def start(
        model: str, user: CurrentTrainer, params: Parameters = None, run_sync: bool = False, enqueue: bool = False
    ) -> dict[str, Any]:
        task = submit(model, params, enqueue)
        return trainings().wait(task["id"]) if run_sync else task

    @router.delete("/", summary=f"{RBAC_ADMIN}Cancel the training that runs, and those that wait")
    def cancel(user: CurrentTrainer) -> dict[str, Any]:
        ended = trainings().cancel()
        if not ended:
            raise UnknownError("no training is running; nothing was cancelled")
        for task in ended:
            record("cancel-training", task)
        waiting = f" and {len(ended) - 1} that waited" if len(ended) > 1 else ""
        detail = f"the training of {ended[0]['model']}{waiting} was cancelled; its checkpoints stay"
        return {**ended[0], "detail": detail}

    return router
