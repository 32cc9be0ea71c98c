"""The data set as one ZIP, in the form that MONAI Label gives it: images, final labels and the index."""

import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ...studies.layout import split_name


def write_archive(cases: Sequence[tuple[str, Sequence[Path], Path]], index: str, holds: Callable[[Path], bool]) -> str:
    """Write the ZIP to a temporary file and return its path.

    Args:
        cases: id, image and label of each case; an image that is a DICOM folder, or lies in several, goes in with
            all its files, in a folder of the image's id.
        index: JSON text of the datastore's index.
        holds: whether a path, links and all, belongs to the studies; what does not is left out.
    """
    with tempfile.NamedTemporaryFile(delete=False) as file, zipfile.ZipFile(file, "w") as archive:
        for image_id, images, label in cases:
            if images[0].is_dir():
                for name, part in _parts(images, holds).items():
                    archive.write(part, os.path.join("image", image_id, name))
            else:
                ending = split_name(images[0].name)[1]
                archive.write(images[0], os.path.join("image", f"{image_id}{ending}"))
            archive.write(label, os.path.join("label", label.name))
        archive.writestr("metadata.json", index)
    return file.name


def _parts(folders: Sequence[Path], holds: Callable[[Path], bool]) -> dict[str, Path]:
    """The files of some folders by their names; where two have the same, the later one's begins with a number."""
    found: dict[str, Path] = {}
    for number, folder in enumerate(folders, start=1):
        for part in sorted(path for path in folder.iterdir() if _is_image(path) and holds(path)):
            found[part.name if part.name not in found else f"{number}_{part.name}"] = part
    return found


def _is_image(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")
