"""The networks of the X-ray method as other programs meet them."""

import numpy as np
import torch
from torch import Tensor, nn

from ..case import CXR_CLASSES, SIDES, Case, Vector
from ..errors import CaseError
from ..images.radiograph import Radiograph
from ..models.portable import Portable, TensorFormat
from ..models.weights import Weights
from .discrimination import DiscriminationModel, channels_of, grey_of
from .localization import LocalizationModel, lung_of
from .lung_boxes import LungBoxModel, LungBoxNetwork, decode, picture_of

_GREY = "grey of the picture, bright where the body is dense, as 0 to 1"


class _Boxes(nn.Module):
    def __init__(self, network: LungBoxNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor]:
        return (decode(self.network(picture), self.network.anchors),)


class _OneTensor(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor]:
        return (self.network(picture),)


def portable_lung_boxes(weights: Weights) -> Portable:
    """The lung-box network: the picture as a square in, two boxes out.

    Raises:
        ModelError: if the weights do not fit the program.
    """
    model = LungBoxModel.load(weights)
    size = model.settings.size

    def prepare(radiograph: Radiograph, case: Case | None) -> tuple[Tensor, ...]:
        del case
        return (torch.from_numpy(picture_of(radiograph, model.settings))[None, None],)

    picture = TensorFormat(
        "picture",
        (1, 1, size, size),
        "the radiograph within its black borders as a square, as a reader hangs it: the patient's left on the right",
        (_GREY,),
        (0.0, 1.0),
    )
    boxes = TensorFormat(
        "boxes",
        (1, len(SIDES), 4),
        "centre x, centre y, width and height as shares of the square, of the patient's left lung and of the right one",
    )
    task = "Finds the box around each lung of a frontal chest X-ray."
    return Portable(_Boxes(model.network).eval(), task, (picture,), (boxes,), prepare)


def portable_discrimination(weights: Weights) -> Portable:
    """The class network: the lungs' rectangle in, logits of the classes out.

    Raises:
        ModelError: if the weights do not fit the program.
    """
    model = DiscriminationModel.load(weights)
    settings = model.settings
    channels = (_GREY, "mean grey of each superpixel")[: 2 if settings.superpixels else 1]

    def prepare(radiograph: Radiograph, case: Case | None) -> tuple[Tensor, ...]:
        grey = grey_of(radiograph, _boxes(case), settings)
        return (torch.from_numpy(channels_of(grey, settings))[None],)

    seen = {
        "lungs": "the rectangle of both lungs' boxes, 0 outside of the boxes",
        "whole": "the radiograph within its black borders",
        "blanked": "the radiograph within its black borders, 0 in the lungs' boxes",
    }
    picture = TensorFormat(
        "picture", (1, len(channels), settings.size, settings.size), seen[settings.view], channels, (0.0, 1.0)
    )
    logits = TensorFormat(
        "logits",
        (1, len(CXR_CLASSES)),
        f"softmax after division by {settings.temperature:g}",
        CXR_CLASSES,
    )
    task = "Tells COVID-19, healthy and community-acquired pneumonia apart on a frontal chest X-ray."
    return Portable(_OneTensor(model.network).eval(), task, (picture,), (logits,), prepare)


def portable_localization(weights: Weights) -> Portable:
    """The lung network: each lung in, its logit and its mask out.

    Raises:
        ModelError: if the weights do not fit the program.
    """
    model = LocalizationModel.load(weights)
    settings = model.settings
    width, height = settings.size

    def prepare(radiograph: Radiograph, case: Case | None) -> tuple[Tensor, ...]:
        boxes = _boxes(case)
        lungs = [lung_of(radiograph, boxes[side], side, settings) for side in SIDES]
        return (torch.from_numpy(np.stack(lungs))[:, None],)

    known = settings.opacity
    how = "sigmoid" + (
        f" after division by {settings.temperature:g}"
        if known is None
        else f" of {known.intercept:.6g} + {known.slope:.6g} times it"
    )
    lungs = TensorFormat(
        "lungs",
        ("n", 1, height, width),
        f"single lungs cut out by their boxes, wider by {settings.margin:.0%} on each side; the left one mirrored",
        (f"{_GREY}{', its greys spread evenly' if settings.equalised else ''}",),
        (0.0, 1.0),
    )
    outputs = (
        TensorFormat("logits", ("n",), f"of an opacity in the lung; {how}"),
        TensorFormat("masks", ("n", height, width), "where the network looked", values=(0.0, 1.0)),
    )
    task = "Says of each lung of a chest X-ray whether it has an opacity."
    return Portable(model.network.eval(), task, (lungs,), outputs, prepare)


def _boxes(case: Case | None) -> dict[str, Vector]:
    if case is None or case.cxr is None or set(case.cxr.lung_boxes) != set(SIDES):
        raise CaseError(
            "document: this network looks at the lungs of an X-ray; name the case document that `pneumoscreen screen` "
            "wrote of this picture"
        )
    return case.cxr.boxes
