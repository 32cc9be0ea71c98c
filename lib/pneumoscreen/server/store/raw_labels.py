"""Label maps as OHIF's MONAI Label plugin sends them: ``label.bin``, the values alone, one byte a voxel.

Their order is that of the image as stored: columns, then rows, then slices along the normal.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...images.volume import Volume
from ..failures import RequestError

ENDING = ".bin"


def with_geometry(file: Path, volume: Volume, folder: Path) -> Path:
    """Write raw values as a label map that says where it lies.

    Args:
        file: the values.
        volume: the image that they belong to.
        folder: for the label map.

    Raises:
        RequestError: if there are more or fewer values than voxels.
    """
    stored = volume.to_sitk(volume.hu)
    values = np.fromfile(file, dtype=np.uint8)
    if values.size != volume.hu.size:
        raise RequestError(
            f"the label has {values.size} bytes and its image {volume.hu.size} voxels; send one byte a voxel, or NRRD"
        )
    labels = sitk.GetImageFromArray(values.reshape(tuple(reversed(stored.GetSize()))))
    labels.CopyInformation(stored)
    target = folder / f"{file.stem}.nrrd"
    sitk.WriteImage(labels, target, useCompression=True, compressionLevel=1)
    return target
