"""MONAI Label's batch inference: every image of a kind in turn, on whatever device the engine has.

Its own task divides the images among the GPUs, of which there may be none, and ends at the first image that cannot be
screened. Here that image's entry says why, and the others follow.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore, DefaultLabelTag
from monailabel.interfaces.tasks.batch_infer import BatchInferTask

from ..errors import PneumoScreenError
from .failures import RequestError


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
        most = request.get("max_batch_size") or 0
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise RequestError("parameter max_batch_size must be a whole number; 0 is all")
        images = self.get_images(request, datastore)
        if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
            raise RequestError("parameter images must be all, labeled, unlabeled or a list of ids")
        tag = request.get("label_tag") or DefaultLabelTag.ORIGINAL
        tag = tag.value if isinstance(tag, DefaultLabelTag) else tag
        found: dict[str, Any] = {}
        for image in sorted(images)[: most or None]:
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
