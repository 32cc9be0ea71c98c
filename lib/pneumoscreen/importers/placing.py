"""Scans into the studies folder: copied, hard-linked or written anew, and whole or not at all."""

import os
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..images import Input, Volume, find_inputs, read_input
from ..images.raw import hash_files
from ..models.atomic_files import fsync_path, staged
from .found import MarksError

COPIED = (".nii.gz", ".nii", ".nrrd", ".mha")
"""What the server offers as an image; a header with its voxels in a second file is written anew as ``.nii.gz``."""


def is_written_anew(scan: Input, volume: Volume) -> bool:
    """Whether the scan cannot be taken as its file is: changed on reading (no hash), or in two files."""
    return not scan.headers and not (volume.sha256 and scan.path.name.lower().endswith(COPIED))


def place_of_scan(studies: Path, scan: Input, volume: Volume) -> Path:
    """Where the scan comes to lie: a file, or a folder for a DICOM series."""
    if scan.headers:
        return studies / scan.case_id
    if is_written_anew(scan, volume):
        return studies / f"{scan.case_id}.nii.gz"
    return studies / f"{scan.case_id}{next(e for e in COPIED if scan.path.name.lower().endswith(e))}"


def stands_there(studies: Path, target: Path, volume: Volume) -> bool:
    """Whether the scan is in the studies folder already.

    Args:
        studies: the folder; it may not be there yet.
        target: where the scan would come to lie.
        volume: the scan.

    Raises:
        MarksError: if another scan has its name.
    """
    names = sorted(entry.name for entry in os.scandir(studies)) if studies.is_dir() else []
    taken = [name for name in names if _id_of(name).lower() == volume.case_id.lower()]
    if not taken:
        return False
    if taken == [target.name] and _same_scan(target, volume):
        return True
    raise MarksError(
        f"{studies / taken[0]} has the name {volume.case_id} already and is another scan; "
        "rename this one, or import into another folder"
    )


def place(target: Path, scan: Input, volume: Volume, link: bool) -> None:
    """Put a scan into the studies folder; after a crash it is there as a whole or not at all.

    Ours: slices of a DICOM series are numbered anew, since file names may hold patients' names.

    Args:
        target: from ``place_of_scan``; nothing may stand there.
        scan: the input.
        volume: the same, read; written where the file cannot be taken as it is.
        link: hard-link the files where the file system can, instead of copying them.

    Raises:
        OSError: if it cannot be written.
    """
    with staged(target) as part:
        if scan.headers:
            part.mkdir()
            for number, path in enumerate(dict.fromkeys(header.path for header in scan.headers), start=1):
                copy_or_link(path, part / f"{number:05d}.dcm", link)
            fsync_path(part)
        elif is_written_anew(scan, volume):
            _write(volume.to_sitk(volume.hu), part)
        else:
            copy_or_link(scan.path, part, link)


def place_mask(folder: Path, volume: Volume, mask: NDArray[np.uint8] | None) -> Path:
    """Write the mask of a case on the scan's grid, or take away the one that is no longer meant.

    Args:
        folder: of such masks; made where missing.
        volume: the scan.
        mask: uint8 [z, y, x], or None.

    Returns:
        Its path.

    Raises:
        OSError: if it cannot be written.
    """
    target = folder / f"{volume.case_id}.nii.gz"
    if mask is None:
        target.unlink(missing_ok=True)
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with staged(target) as part:
        _write(volume.to_sitk(mask), part)
    return target


def _same_scan(target: Path, volume: Volume) -> bool:
    if target.is_file() and hash_files([target]) == volume.sha256:
        return True
    found = [item for item in find_inputs([target]) if isinstance(item, Input)]
    if len(found) != 1:
        return False
    there = read_input(found[0])
    return (
        there.hu.shape == volume.hu.shape
        and np.allclose(there.spacing_mm, volume.spacing_mm, atol=1e-3)
        and np.allclose(there.origin_mm, volume.origin_mm, atol=1e-2)
        and np.allclose(there.direction, volume.direction, atol=1e-4)
        and np.array_equal(there.hu, volume.hu)
    )


def _id_of(name: str) -> str:
    ending = next((e for e in COPIED if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def copy_or_link(source: Path, target: Path, link: bool) -> None:
    """Put a file to a place where none is; hard-linked where that is wanted and possible."""
    if link:
        try:
            os.link(os.path.realpath(source), target)
            return
        except OSError:
            pass  # another disk, or a file system without hard links
    with source.open("rb") as given, target.open("xb") as copy:
        shutil.copyfileobj(given, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())


def _write(image: sitk.Image, target: Path) -> None:
    try:
        sitk.WriteImage(image, target, useCompression=True, compressionLevel=1)
    except RuntimeError as error:
        raise OSError(28, "cannot be written, the disk may be full", str(target)) from error
    with target.open("rb") as file:
        os.fsync(file.fileno())
