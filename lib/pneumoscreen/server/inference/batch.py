"""MONAI Label's batch inference: every image of a kind in turn, on whatever device the engine has.

Its own task divides the images among the GPUs, of which there may be none, and ends at the first image that cannot be
screened. Here that image's entry says why, and the others follow.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore, DefaultLabelTag
from monailabel.interfaces.tasks.batch_infer import BatchInferImageType, BatchInferTask

from ...errors import PneumoScreenError
from ..failures import RequestError
from .parameters import InferParameters

_KINDS = tuple(kind.value for kind in BatchInferImageType)


def require_sound(params: Mapping[str, Any]) -> None:
    """Refuse wrong parameters before the first image: the batch runs where no client waits for its errors.

    Raises:
        RequestError: naming the parameter.
    """
    most = params.get("max_batch_size") or 0
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise RequestError("parameter max_batch_size must be a whole number; 0 is all")
    images = params.get("images", BatchInferImageType.IMAGES_ALL)
    named = isinstance(images, list) and all(isinstance(image, str) for image in images)
    if not named and images not in _KINDS:
        raise RequestError(f"parameter images must be {', '.join(_KINDS)} or a list of ids")
    InferParameters.of({**params, "label_tag": _tag(params)})


def _tag(params: Mapping[str, Any]) -> Any:
    tag = params.get("label_tag") or DefaultLabelTag.ORIGINAL
    return tag.value if isinstance(tag, DefaultLabelTag) else tag


class BatchInference(BatchInferTask):
    """What ``POST /batch/infer/{model}`` runs; parameters on devices and workers have no effect."""

    def __call__(
        self, request: Mapping[str, Any], datastore: Datastore, infer: Callable[[dict[str, Any], Datastore], Any]
    ) -> dict[str, Any]:
        """Infer, and keep each document as a label.

        Returns:
            The result of each image, or ``{"error": sentence}``.

        Raises:
            RequestError: if a parameter is wrong.
        """
        require_sound(request)
        images, tag = self.get_images(request, datastore), _tag(request)
        found: dict[str, Any] = {}
        for image in sorted(images)[: request.get("max_batch_size") or None]:
            try:
                result = infer({**request, "image": image, "save_label": True, "label_tag": tag}, datastore)
            except PneumoScreenError as error:
                found[image] = {"error": " ".join(str(error).split())}
                continue
            file = result.pop("file", None)
            if file:
                Path(file).unlink(missing_ok=True)
            found[image] = result
        return found
