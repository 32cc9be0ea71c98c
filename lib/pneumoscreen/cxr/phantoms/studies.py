"""Radiograph phantoms as a studies folder: pictures, truth masks, and case documents as labels."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydantic import ValidationError

from ...case import CXR_CLASSES, READER, Case, Cxr, ImageInfo, placed
from ...errors import ConfigError
from ...images.radiograph import Radiograph
from ...phantoms.studies import TRUTH_READER, TRUTH_TIME, PhantomRequest, Writer, write_all
from ...studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS
from .radiograph import RadiographPhantom, RadiographSpec, generate_radiograph

GREY_LEVELS = 65535


def write_radiograph_studies(
    out: Path,
    cases: int,
    seed: int,
    spec: RadiographSpec | None = None,
    progress: Callable[[int, int], None] | None = None,
    label: str | None = None,
) -> list[Path]:
    """Write radiograph phantoms ``seed`` to ``seed + cases - 1``; the classes take turns unless one is given.

    Each case gets ``<id>.png`` (16 bits, bright = dense), its document ``labels/final/<id>.json``, and the masks
    ``labels/lungs/<id>.png`` (1 left, 2 right) and ``labels/lesions/<id>.png`` (1 infection).

    Returns:
        The pictures' paths.

    Raises:
        PneumoScreenError: if the folder cannot be written.
    """

    def write(done: int) -> Path:
        phantom = generate_radiograph(seed + done, label or CXR_CLASSES[done % len(CXR_CLASSES)], spec)
        return write_radiograph(out, phantom)

    return write_all(out, cases, write, progress)


def write_radiograph(out: Path, phantom: RadiographPhantom) -> Path:
    """Write one phantom into a studies folder whose label folders exist; returns the picture's path."""
    case_id = phantom.radiograph.case_id
    picture = out / f"{case_id}.png"
    write_picture(phantom.radiograph, picture)
    _write_png(out / LUNG_MASKS / picture.name, phantom.lungs)
    _write_png(out / LESION_MASKS / picture.name, phantom.lesions.astype(np.uint8))
    # A document names the bytes that a reader of the folder will find, not those of the phantom in memory.
    document = radiograph_document(phantom, hashlib.sha256(picture.read_bytes()).hexdigest())
    (out / FINAL_LABELS / f"{case_id}.json").write_text(document.to_json(), encoding="utf-8")
    return picture


def write_picture(radiograph: Radiograph, path: Path) -> None:
    """Write a radiograph as a 16-bit PNG."""
    _write_png(path, np.rint(radiograph.pixels * GREY_LEVELS).astype(np.uint16))


def radiograph_document(phantom: RadiographPhantom, sha256: str) -> Case:
    """The truth of a phantom as the document of a reader who is always right; ``sha256`` is the picture file's."""
    height, width = phantom.radiograph.pixels.shape
    return Case(
        case_id=phantom.radiograph.case_id,
        modality="CXR",
        image=ImageInfo((width, height), phantom.radiograph.spacing_mm, sha256),
        diagnosis=phantom.label,
        cxr=Cxr(
            lung_boxes=placed({side: tuple(map(float, box)) for side, box in phantom.lung_boxes.items()}, READER),
            probabilities={label: float(label == phantom.label) for label in CXR_CLASSES},
            sides={side: float(infected) for side, infected in phantom.sides.items()},
            location=phantom.location,
            reader={
                "label": phantom.label,
                "location": phantom.location,
                "name": TRUTH_READER,
                "at": TRUTH_TIME,
            },
        ),
        notes=("Synthetic phantom: not a patient.",),
    )


def _write_png(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(pixels), path, useCompression=True, compressionLevel=3)


def writer_of(asked: PhantomRequest) -> Writer:
    """What writes the X-rays that are asked for.

    Raises:
        ConfigError: if a setting is out of range.
    """
    for option, value in (("--slices", asked.slices), ("--onto", asked.onto)):
        if value is not None:
            raise ConfigError(f"{option} {value}: not for X-rays; leave it out or use --modality ct")
    asked.require_diagnosis(CXR_CLASSES)
    try:
        spec = RadiographSpec() if asked.matrix is None else RadiographSpec(size=asked.matrix)
    except ValidationError as error:
        raise ConfigError(f"--matrix {asked.matrix}: {error.errors()[0]['msg']}") from None
    return lambda folder, progress: write_radiograph_studies(
        folder, asked.cases, asked.seed, spec, progress, asked.diagnosis
    )
