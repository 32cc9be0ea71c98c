"""A network as another program meets it: tensors with names and meanings in, tensors out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..case import Case
from ..verdict import DEFAULT_CLASSES, Classes


@dataclass(frozen=True)
class TensorFormat:
    """A tensor that goes into a network or comes out of it; all are float32.

    Attributes:
        name: as a program names it.
        shape: of each axis its length, or a letter where any length goes, or ``8*z`` where any multiple of 8 goes.
        meaning: what it holds, in which unit and order.
        channels: what the channels of axis 1 hold.
        values: the lowest and the highest, where there are limits.
    """

    name: str
    shape: tuple[int | str, ...]
    meaning: str
    channels: tuple[str, ...] = ()
    values: tuple[float, float] | None = None


@dataclass(frozen=True)
class Portable:
    """A network that another program can run.

    Attributes:
        module: takes the inputs in their order and returns the outputs as a tuple, in single precision on the CPU.
        task: what it does, a sentence.
        inputs: what goes in.
        outputs: what comes out.
        prepare: makes the inputs of an image as its method reads it and, where the network looks at what an earlier
            step found, of the case document of its screening; raises ``PneumoScreenError`` where that is missing.
        classes: the class list that such a document keeps to.
    """

    module: nn.Module
    task: str
    inputs: tuple[TensorFormat, ...]
    outputs: tuple[TensorFormat, ...]
    prepare: Callable[[Any, Case | None], tuple[Tensor, ...]]
    classes: Classes = DEFAULT_CLASSES
