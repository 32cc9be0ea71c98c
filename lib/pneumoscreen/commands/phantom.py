"""``pneumoscreen phantom``: synthetic cases with their truth as a studies folder."""

from pathlib import Path

from ..method import Method
from ..output import prepare_folder
from ..phantoms.request import PhantomRequest
from .terminal import Meter


def write_phantoms(method: Method, out: Path, asked: PhantomRequest) -> None:
    """Write the synthetic cases that are asked for and print the path of each image.

    Raises:
        PneumoScreenError: if a setting is out of range or the folder cannot be written.
    """
    write = method.phantoms(asked)
    out = prepare_folder(out)
    with Meter("phantom") as progress:
        images = write(out, lambda done, of: progress(f"{done} of {of}", done / of))
    for image in images:
        print(image)
