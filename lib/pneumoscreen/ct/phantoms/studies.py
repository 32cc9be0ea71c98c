"""Phantoms as a MONAI Label studies folder: scans, truth masks, and case documents as labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ...case import SIDES, Case, LungInfo, ReaderMark, Region
from ...images.volume import LEFT, RIGHT, Volume
from ...phantoms.studies import TRUTH_READER, TRUTH_TIME, write_all
from ...studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS
from ...verdict import DEFAULT_CLASSES
from .implants import implant_either_way
from .phantom import Lesion, Phantom, PhantomSpec, generate_phantom


def write_studies(
    out: Path,
    cases: int,
    seed: int,
    spec: PhantomSpec | None = None,
    progress: Callable[[int, int], None] | None = None,
    diagnosis: str | None = None,
) -> list[Path]:
    """Write phantoms ``seed`` to ``seed + cases - 1``; the diagnoses take turns unless one is given.

    Each case gets ``<id>.nii.gz``, its document ``labels/final/<id>.json`` with one reader's region a
    lesion, and the masks ``labels/lesions/<id>.nii.gz`` (lesion numbers) and ``labels/lungs/<id>.nii.gz``.

    Returns:
        The scans' paths.

    Raises:
        PneumoScreenError: if the folder cannot be written.
    """

    def write(done: int) -> Path:
        return write_phantom(out, generate_phantom(seed + done, diagnosis or _in_turn(done), spec))

    return write_all(out, cases, write, progress)


def write_implants(
    out: Path,
    volume: Volume,
    lungs: NDArray[np.uint8],
    cases: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write a studies folder of a real scan with synthetic lesions, as ``write_studies`` does.

    Every other case is the mirror image, so that lesions come on both sides even where only one lung is given.

    Args:
        out: the studies folder.
        volume: a real scan with axial slices.
        lungs: uint8 [z, y, x], 1 left, 2 right; only lungs known to be free of opacities.
        cases: how many.
        seed: of the first; the others follow.
        progress: called with (done, cases).

    Raises:
        PneumoScreenError: if the folder cannot be written.
    """

    def write(done: int) -> Path:
        return write_phantom(out, implant_either_way(volume, lungs, _in_turn(done), seed + done))

    return write_all(out, cases, write, progress)


def _in_turn(number: int) -> str:
    return DEFAULT_CLASSES.case_labels[number % len(DEFAULT_CLASSES.case_labels)]


def write_phantom(out: Path, phantom: Phantom) -> Path:
    """Write one phantom into a studies folder whose label folders exist; returns the scan's path."""
    volume = phantom.volume
    scan = out / f"{volume.case_id}.nii.gz"
    sitk.WriteImage(volume.to_sitk(volume.hu), scan, useCompression=True, compressionLevel=1)
    for folder, mask in ((LESION_MASKS, phantom.infection), (LUNG_MASKS, phantom.lungs)):
        sitk.WriteImage(volume.to_sitk(mask), out / folder / scan.name, useCompression=True, compressionLevel=1)
    document = out / FINAL_LABELS / f"{volume.case_id}.json"
    document.write_text(truth_document(phantom).to_json(), encoding="utf-8")
    return scan


def truth_document(phantom: Phantom) -> Case:
    """The truth of a phantom as the document of a reader who marked every lesion."""
    volume = phantom.volume
    voxel_ml = float(np.prod(volume.spacing_mm)) / 1000.0
    infected = phantom.infection_mask
    lungs = {}
    for side, label in zip(SIDES, (LEFT, RIGHT), strict=True):
        inside = phantom.lungs == label
        count = int(inside.sum())
        share = 100.0 * float((infected & inside).sum()) / count if count else 0.0
        lungs[side] = LungInfo(round(count * voxel_ml, 1), round(share, 2))
    return Case(
        case_id=volume.case_id,
        modality="CT",
        image=volume.image_info(),
        diagnosis=phantom.diagnosis,
        lungs=lungs,
        regions=tuple(_region(phantom, lesion) for lesion in phantom.lesions),
        notes=("Synthetic phantom: not a patient.",),
    ).with_verdict()


def _region(phantom: Phantom, lesion: Lesion) -> Region:
    center, size = phantom.volume.box_to_mm(lesion.box)
    inside = phantom.lungs[phantom.infection == lesion.number]
    return Region(
        id=f"t{lesion.number}",
        source="reader",
        center_mm=tuple(round(float(v), 2) for v in center),
        size_mm=tuple(round(float(v), 2) for v in size),
        score=1.0,
        side=SIDES[0] if (inside == LEFT).sum() >= (inside == RIGHT).sum() else SIDES[1],
        reader=ReaderMark(lesion.label, TRUTH_READER, TRUTH_TIME),
    )
