"""The data set as one ZIP, in the form that MONAI Label gives it: images, final labels and the index."""

import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path


def write_archive(cases: Sequence[tuple[str, Path, Path]], index: str, holds: Callable[[Path], bool]) -> str:
    """Write the ZIP to a temporary file and return its path.

    Args:
        cases: id, image and label of each case; an image that is a DICOM folder goes in with all its files, in a
            folder of the image's id.
        index: JSON text of the datastore's index.
        holds: whether a path, links and all, belongs to the studies; what does not is left out.
    """
    with tempfile.NamedTemporaryFile(delete=False) as file, zipfile.ZipFile(file, "w") as archive:
        for image_id, image, label in cases:
            if image.is_dir():
                for part in sorted(path for path in image.iterdir() if path.is_file() and holds(path)):
                    archive.write(part, os.path.join("image", image_id, part.name))
            else:
                archive.write(image, os.path.join("image", image.name))
            archive.write(label, os.path.join("label", label.name))
        archive.writestr("metadata.json", index)
    return file.name
