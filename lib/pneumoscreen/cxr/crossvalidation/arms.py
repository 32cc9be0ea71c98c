"""What is cross-validated: single set-ups, the shortcut audit and the ablations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from ...errors import ConfigError
from ..learning.lessons import DiscriminationTrainingSettings, LocalizationTrainingSettings, LungBoxTrainingSettings
from ..learning.run import RadiographTrainingSettings
from .folds import Grouping

TaskName = Literal["classes", "localization", "lung_boxes"]

METHOD_BY_IMAGE, METHOD, BLANKED = "method-by-image", "method-by-patient", "method-blanked"
PLAIN_BY_IMAGE, PLAIN, PLAIN_BLANKED = "plain-by-image", "plain-by-patient", "plain-blanked"
LOCALISER = "localisation"

PRETRAINED = {"epochs": 8, "patience": 1}
"""Ours: a trunk that has learnt before needs fewer epochs, and learns the pictures by heart in many. As
``configs/cxr_discrimination_imagenet.yaml``."""

_SETTINGS: Mapping[TaskName, type[RadiographTrainingSettings]] = {
    "classes": DiscriminationTrainingSettings,
    "localization": LocalizationTrainingSettings,
    "lung_boxes": LungBoxTrainingSettings,
}


@dataclass(frozen=True)
class Arm:
    """One set-up.

    Attributes:
        name: of its folder.
        title: in words.
        task: which network.
        by: what the folds divide.
        training: settings of the training and of the network.
        against: the arm that it is compared with, by name; None compares it with none.
    """

    name: str
    title: str
    task: TaskName
    by: Grouping
    training: RadiographTrainingSettings
    against: str | None = None


@dataclass(frozen=True)
class Frame:
    """What all arms of a run have in common; None leaves the product's own setting.

    Attributes:
        widths: channels of the stages.
        size: side of the square that is looked at, in pixels.
        epochs: at most.
        seed: of weights, order and variation.
        trunk: of the discriminator; the plain ResNet-18 keeps its own.
    """

    widths: tuple[int, ...] | None = None
    size: int | None = None
    epochs: int | None = None
    seed: int = 0
    trunk: str | None = None

    @property
    def method(self) -> str:
        """The method in words."""
        return "method" if self.trunk in (None, "resnet18") else "method on EfficientNet-Lite0"

    def training(self, task: TaskName, network: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The settings of a training.

        Raises:
            ConfigError: if one of them is out of range.
        """
        given = dict(network or {})
        if self.widths is not None and task != "lung_boxes":
            given["widths"] = self.widths
        if self.size is not None and task != "localization":
            given["size"] = self.size
        values = {"network": given, "seed": self.seed, **more}
        if self.epochs is not None:
            values["epochs"] = self.epochs
        try:
            return _SETTINGS[task].model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = next((part for part in reversed(first["loc"]) if isinstance(part, str)), task)
            raise ConfigError(f"--{key.replace('_', '-')}: {first['msg']}; correct the option") from None


def single(
    frame: Frame,
    task: TaskName,
    by: Grouping,
    *,
    view: str = "lungs",
    plain: bool = False,
    superpixels: bool = True,
    pyramid: bool = True,
    cross_entropy: bool = False,
    attention: bool = True,
) -> Arm:
    """One set-up as the options describe it."""
    if task == "lung_boxes":
        return Arm("lung-boxes", f"lung boxes, by {by}", task, by, frame.training(task))
    if task == "localization":
        words = "" if attention else " without attention"
        training = frame.training(task, {"attention": attention})
        return Arm(LOCALISER, f"affected side{words}, by {by}", task, by, training)
    trunk = {} if plain or frame.trunk is None else {"trunk": frame.trunk}
    schedule = PRETRAINED if trunk.get("trunk") == "efficientnet_lite0" else {}
    training = frame.training(
        task,
        {
            "view": view,
            "superpixels": superpixels and not plain,
            "pyramid": pyramid and not plain,
            "mirrored": not plain,
            **trunk,
        },
        multi_focal=not (cross_entropy or plain),
        **schedule,
    )
    without = [
        word
        for word, is_off in (
            ("superpixels", not superpixels),
            ("feature pyramid", not pyramid),
            ("multi-focal loss", cross_entropy),
        )
        if is_off and not plain
    ]
    words = "plain ResNet-18" if plain else frame.method
    words += f" without {' and '.join(without)}" if without else ""
    return Arm("classes", f"{words}, {_VIEWS[view]}, by {by}", task, by, training)


_VIEWS = {"lungs": "lungs", "whole": "whole picture", "blanked": "lungs blanked out"}


def audit_arms(frame: Frame) -> list[Arm]:
    """The shortcut audit: how much of the accuracy is left without the lungs, and how much leaks by image."""

    def arm(name: str, title: str, by: Grouping, against: str | None, **options: Any) -> Arm:
        training = single(frame, "classes", by, **options).training
        return Arm(name, title, "classes", by, training, against)

    return [
        arm(METHOD, f"{frame.method}, by patient", "patient", None),
        arm(METHOD_BY_IMAGE, f"{frame.method}, by image", "image", METHOD),
        arm(BLANKED, f"{frame.method}, lungs blanked out, by patient", "patient", METHOD, view="blanked"),
        arm(PLAIN, "plain ResNet-18, whole picture, by patient", "patient", METHOD, plain=True, view="whole"),
        arm(PLAIN_BY_IMAGE, "plain ResNet-18, whole picture, by image", "image", PLAIN, plain=True, view="whole"),
        arm(
            PLAIN_BLANKED,
            "plain ResNet-18, lungs blanked out, by patient",
            "patient",
            PLAIN,
            plain=True,
            view="blanked",
        ),
    ]


def ablation_arms(frame: Frame) -> list[Arm]:
    """The method without one of its parts at a time, by patient."""

    def arm(name: str, title: str, against: str | None = METHOD, **options: Any) -> Arm:
        return Arm(name, title, "classes", "patient", single(frame, "classes", "patient", **options).training, against)

    # The localiser has one stage less than the discriminator.
    narrow = Frame(frame.widths[:3] if frame.widths else None, None, frame.epochs, frame.seed)
    return [
        arm(METHOD, frame.method, None),
        arm("without-lung-boxes", "without lung boxes (whole picture)", view="whole"),
        arm("without-superpixels", "without superpixels", superpixels=False),
        arm("without-pyramid", "without feature pyramid", pyramid=False),
        arm("without-multi-focal-loss", "cross-entropy in place of the multi-focal loss", cross_entropy=True),
        Arm(LOCALISER, "affected side", "localization", "patient", narrow.training("localization")),
        Arm(
            "localisation-without-attention",
            "affected side without attention",
            "localization",
            "patient",
            narrow.training("localization", {"attention": False}),
            LOCALISER,
        ),
    ]
