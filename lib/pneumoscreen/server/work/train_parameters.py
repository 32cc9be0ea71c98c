"""What a client may ask of a training, checked before a process is started for it."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import torch
from monailabel.utils.others.generic import device_map
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model, field_validator

from ...methods import recipe_for
from ...training.recipes import Recipe
from ..failures import RequestError
from ..inference.parameters import in_words

NOT_USED = ("val_split", "val_batch_size", "dataset", "dataloader", "early_stop_patience", "tracking_run_name")
"""Parameters of MONAI Label's own trainings that a client may send along; see ``train_tasks``."""
OF_CLIENTS = ("model", "client_id", "user", "run_id", "local_rank")
"""What MONAI Label's clients and its own server add to every request; it is no parameter of a training."""


def _first(value: Any) -> Any:
    """A list is MONAI Label's way to offer a choice; its first entry is what is meant."""
    return value[0] if isinstance(value, list) and value else value


class TrainParameters(BaseModel):
    """The parameters that all trainings have.

    Attributes:
        name: folder of the logs of this training, below that of the task.
        pretrained: begin with the weights in use where their network fits.
        resume: go on with an interrupted run of the same parameters.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or a GPU's name as MONAI Label lists it.
        max_epochs: of the training; None takes the task's own.
        train_batch_size: samples a step; None takes the task's own.
        learning_rate: the highest; None takes the task's own.
        multi_gpu: use all GPUs that ``gpus`` names, a process each.
        gpus: ``all``, or numbers such as ``0,2``.
        amp: mixed precision.
        tracking: ``mlflow`` writes its logs beside those of TensorBoard.
        tracking_uri: address of an MLflow server; by default they go into the folder of the logs.
        tracking_experiment_name: in MLflow; by default the task.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    recipe: ClassVar[type[Recipe]]

    name: str = Field("train_01", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    pretrained: bool = True
    resume: bool = True
    device: Annotated[str, BeforeValidator(_first)] = "auto"
    max_epochs: int | None = Field(None, ge=1, le=1_000_000)
    train_batch_size: int | None = Field(None, ge=1, le=65_536)
    learning_rate: float | None = Field(None, gt=0, le=10)
    multi_gpu: bool = True
    gpus: str = Field("all", pattern=r"^(all|[0-9]{1,2}(,[0-9]{1,2})*)$")
    amp: bool = True
    tracking: Annotated[Literal["None", "mlflow"] | None, BeforeValidator(_first)] = None
    tracking_uri: str = Field("", pattern=r"^(https?://.+)?$", max_length=500)
    tracking_experiment_name: str = Field("", max_length=200)

    @field_validator("device")
    @classmethod
    def _device_is_there(cls, value: str) -> str:
        named = device_map().get(value, value)
        number = named.removeprefix("cuda").removeprefix(":") or "0"
        if named in ("auto", "cpu"):
            return named
        if not named.startswith("cuda") or not number.isdecimal():
            raise ValueError(f"{value!r} is not a device; use auto, cpu, cuda or cuda:N")
        if int(number) >= torch.cuda.device_count():
            raise ValueError(f"{value!r} is not there: this machine has {torch.cuda.device_count()} usable GPUs")
        return named

    @field_validator("gpus")
    @classmethod
    def _gpus_are_there(cls, value: str) -> str:
        missing = [n for n in value.split(",") if n != "all" and int(n) >= torch.cuda.device_count()]
        if missing:
            raise ValueError(f"GPU {missing[0]} is not there: this machine has {torch.cuda.device_count()} usable GPUs")
        return value

    def settings(self) -> Any:
        """The settings of the run."""
        asked = {"batch": self.train_batch_size, "learning_rate": self.learning_rate}
        changes = {"amp": self.amp, **{name: value for name, value in asked.items() if value is not None}}
        own = {name: getattr(self, name) for name in self.recipe.client_fields}
        return self.recipe.asked(self.max_epochs, own, changes)


@cache
def parameters_of(model: str) -> type[TrainParameters]:
    """The parameters of a training.

    Raises:
        ConfigError: if there is no such training.
    """
    recipe = recipe_for(model)
    batch: Any = (int | None, Field(None, ge=recipe.smallest_batch, le=65_536))
    made = create_model("Parameters", __base__=TrainParameters, train_batch_size=batch, **recipe.client_fields)
    made.recipe = recipe
    return made


def check(model: str, values: Mapping[str, Any]) -> tuple[TrainParameters, tuple[str, ...]]:
    """Parameters of a training.

    Args:
        model: the task.
        values: as the client sent them.

    Returns:
        The parameters, and the names of those that MONAI Label knows and this project does not use.

    Raises:
        RequestError: if one is unknown, or has a wrong type or value; the message names it.
    """
    unused = tuple(name for name in NOT_USED if name in values)
    known = {name: value for name, value in values.items() if name not in (*NOT_USED, *OF_CLIENTS)}
    try:
        return parameters_of(model).model_validate(known), unused
    except ValidationError as error:
        raise RequestError(in_words(error.errors()[0], "parameter")) from None
