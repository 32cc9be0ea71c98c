"""Which image of the studies a request means: by its id, its path, or as OHIF names it, by the UID of its series."""

from pathlib import Path

from monailabel.interfaces.datastore import Datastore

from ..failures import RequestError, UnknownError
from ..store.datastore import StudiesDatastore
from .worklist import Worklist


def id_of(datastore: Datastore, worklist: Worklist, image: str) -> str | None:
    """The id of an image; None where there is none of that name."""
    known = datastore.id_of(image) if isinstance(datastore, StudiesDatastore) else None
    return known or worklist.named(image)


def located(datastore: Datastore, worklist: Worklist, image: object) -> tuple[str, Path]:
    """Id and path of an image of the studies.

    Raises:
        RequestError: if none is named, or there is none of that name.
    """
    if not isinstance(image, str) or not image:
        raise RequestError("no image is named; give image=<id>, session_id=<id> or a file")
    if "\x00" in image:
        raise RequestError("the image id holds a null character")
    if not isinstance(datastore, StudiesDatastore):
        path = datastore.get_image_uri(image)
        if not path:
            raise UnknownError(f"image {image} is not among the studies")
        return image, Path(path)
    image_id = id_of(datastore, worklist, image) or datastore.find(image) or id_of(datastore, worklist, image)
    if image_id is None:
        datastore.refuse_if_copied(image)
        raise UnknownError(datastore.unknown(image))
    return image_id, Path(datastore.get_image_uri(image_id))
