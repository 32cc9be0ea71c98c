"""What the configuration of an exported MONAI bundle calls; see ``monai_bundle``. The bundle needs this package."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..methods import METHODS
from ..models.portable import Portable
from ..models.weights import read_card, read_weights
from ..studies.cases import read_document
from .networks import portable_of

Predictor = Callable[..., Any]


def _portable(folder: str | Path) -> Portable:
    name = read_card(Path(folder)).get("name")
    return portable_of(read_weights(Path(folder), str(name)))


def network(folder: str | Path) -> nn.Module:
    """The network of the weights in a folder: takes its inputs one by one and returns a tuple.

    Raises:
        ModelError: if they are damaged or do not fit the program.
    """
    return _portable(folder).module


class Preprocessing:
    """From a file to a network's inputs.

    Args:
        folder: of the weights.
    """

    def __init__(self, folder: str | Path) -> None:
        self._portable = _portable(folder)
        name = read_card(Path(folder))["name"]
        self._method = next(method for method in METHODS if name in [one.name for one in method.networks])

    def __call__(self, image: str, document: str | None = None) -> tuple[Tensor, ...]:
        """The inputs of an image.

        Args:
            image: file or DICOM folder.
            document: the case document that ``pneumoscreen screen`` wrote of it, for a network that looks at what an
                earlier step found.

        Raises:
            PneumoScreenError: if the image cannot be read, or the network needs a document.
        """
        if not image:
            raise ConfigError("image: is missing; give --image with a file or DICOM folder")
        case = read_document(Path(document), self._portable.classes) if document else None
        return self._portable.prepare(self._method.read_file(Path(image)), case)


@torch.inference_mode()
def predict(
    inferer: Predictor, module: nn.Module, inputs: Sequence[Tensor], device: torch.device, folder: str | Path, out: str
) -> str:
    """Run a network and write its outputs as an ``.npz`` file, an array each; returns the file's name.

    Args:
        inferer: MONAI's.
        module: the network.
        inputs: as ``Preprocessing`` makes them.
        device: where the network is.
        folder: of the weights, which name the outputs.
        out: the file.
    """
    first, *others = (tensor.to(device) for tensor in inputs)
    found = inferer(first, module, *others)
    names = [output.name for output in _portable(folder).outputs]
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: tensor.float().cpu().numpy() for name, tensor in zip(names, found, strict=True)})
    return str(path)
