"""From a path or an ``Input`` to a ``Volume``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

from .canonical import to_volume
from .dicom_pixels import read_stack
from .dicom_series import stack
from .faults import DamagedError, MixedSeriesError, NotCTError, UnsupportedError
from .inputs import Input, Refused, below, file_input, series_in_folders
from .volume import Volume
from .volume_file import read_volume_file


def read_volume(path: Path, root: Path | None = None, more: Sequence[Path] = ()) -> Volume:
    """Read one CT: a folder with one DICOM series, a multi-frame DICOM file, NIfTI, NRRD or MetaImage.

    Args:
        path: the file or folder.
        root: the folder below which its document says where it lies; default: the document has its name only.
        more: other folders that hold slices of the same series.

    Returns:
        The volume in canonical orientation and Hounsfield units; its notes say what was repaired.

    Raises:
        ImageError: of the type that names what is wrong with the image.
    """
    return read_input(below(input_of(Path(path), more), root or Path(path)))


def input_of(path: Path, more: Sequence[Path] = ()) -> Input:
    """The input that a file or folder given by name is.

    Args:
        path: the file or folder.
        more: other folders that hold slices of the same series.

    Raises:
        ImageError: if it is none.
    """
    return _folder_input(path, more) if path.is_dir() else file_input(path)


def read_input(given: Input) -> Volume:
    """Read the CT of an input that ``find_inputs`` found.

    Raises:
        ImageError: of the type that names what is wrong with the image.
    """
    if given.modality != "CT":
        raise NotCTError(f"{given.path} is a radiograph (X-ray) and not a CT; give a chest CT")
    # ITK's warnings quote header fields, and the sentence of the error says what the user must know.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    if not given.headers:
        return to_volume(read_volume_file(given.path), given.case_id, given.path, given.source_below)
    name = str(given.path)
    try:
        raw = read_stack(stack(given.headers, name), name)
        raw = replace(raw, notes=(*given.notes, *raw.notes))
    except OSError:
        raise DamagedError(f"{name} has files that can no longer be read; check that they are still there") from None
    return to_volume(raw, given.case_id, given.path, given.source_below)


def _folder_input(folder: Path, more: Sequence[Path]) -> Input:
    found = series_in_folders([folder, *more])
    for item in found:
        if isinstance(item, Refused):
            raise DamagedError(item.reason)
    inputs = [item for item in found if isinstance(item, Input)]
    # Radiographs beside a CT series are cases of their own.
    inputs = [item for item in inputs if item.modality == "CT"] or inputs[:1]
    if not inputs:
        raise UnsupportedError(f"{folder} holds no DICOM series; give a DICOM folder or a single file")
    if len(inputs) > 1:
        raise MixedSeriesError(f"{folder} holds {len(inputs)} series; give each series its own folder")
    return inputs[0]
