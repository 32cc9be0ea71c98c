"""Many small phantoms as an archive keeps them: folders of wards, CTs as DICOM series and NIfTI, X-rays as DX and PNG.

Some phantoms are painted; the others are these with noise, size and ids of their own, which takes a hundredth of the
time. A file or series is renamed into its place when it is whole, so that an interrupted making goes on.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scripts.phantom_files import write_ct, write_xray

from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture
from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.images.volume import Volume

PAINTED = 24
"""Phantoms of each kind that are painted."""
MATRIX, SLICES, SIDE = 64, 20, 256
WARD = 40
"""Cases of each kind in a folder directly below the source."""
_PATIENT = "PHANTOM"
"""In no path, for a hash would stand for that."""


def make_source(folder: Path, cts: int, xrays: int, seed: int) -> None:
    """Make what is missing of an archive; each image differs from all others."""
    for targets, painted, write in (
        (list(_ct_places(folder, cts)), _painted_ct, _write_ct),
        (list(_xray_places(folder, xrays)), _painted_xray, _write_xray),
    ):
        missing = [(number, target) for number, target in enumerate(targets) if not target.exists()]
        # By the phantom that they are made of, so that one is held at a time.
        for first in sorted({number % PAINTED for number, _ in missing}):
            phantom = painted(seed * PAINTED + first)
            for number, target in missing:
                if number % PAINTED == first:
                    _whole(target, lambda part, p=phantom, n=number, w=write: w(p, n, part))  # type: ignore[misc]


def images_in(folder: Path) -> list[Path]:
    """Every file or series of an archive that was made, in order."""
    return sorted(folder.glob("*/*/*"))


def _ct_places(folder: Path, count: int) -> Iterator[Path]:
    for number in range(count):
        ending = "" if number % 2 else ".nii.gz"
        yield folder / f"ward-{number // WARD:03d}" / "ct" / f"scan-{number:05d}{ending}"


def _xray_places(folder: Path, count: int) -> Iterator[Path]:
    for number in range(count):
        ending = ".dcm" if number % 2 else ".png"
        yield folder / f"ward-{number // WARD:03d}" / "xray" / f"film-{number:05d}{ending}"


def _painted_ct(seed: int) -> Volume:
    return generate_phantom(seed, spec=PhantomSpec(matrix=MATRIX, slices=SLICES)).volume


def _painted_xray(seed: int) -> Radiograph:
    return generate_radiograph(seed, spec=RadiographSpec(size=SIDE)).radiograph


def _write_ct(painted: Volume, number: int, target: Path) -> None:
    rng = np.random.default_rng([1, number])
    size = float(rng.uniform(0.94, 1.06))
    x, y, z = painted.spacing_mm
    hu = np.clip(np.rint(painted.hu + rng.normal(0, 6, painted.hu.shape)), -1024, 3071).astype(np.int16)
    volume = replace(painted, hu=hu, spacing_mm=(x * size, y * size, z * size), case_id=f"scan-{number:05d}")
    if target.name.endswith(".nii.gz"):
        sitk.WriteImage(volume.to_sitk(hu), str(target), useCompression=True, compressionLevel=1)
    else:
        write_ct(volume, target, PatientName=_PATIENT, PatientID=f"C{number}")


def _write_xray(painted: Radiograph, number: int, target: Path) -> None:
    rng = np.random.default_rng([2, number])
    pixels = np.clip(painted.pixels + rng.normal(0, 0.004, painted.pixels.shape), 0, 1).astype(np.float32)
    film = replace(painted, pixels=pixels, case_id=f"film-{number:05d}")
    if target.suffix == ".dcm":
        write_xray(film, target, PatientName=_PATIENT, PatientID=f"X{number}")
    else:
        write_picture(film, target)


def _whole(target: Path, write: Callable[[Path], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parents[3] / "making" / target.name
    shutil.rmtree(part.parent, ignore_errors=True)
    part.parent.mkdir()
    write(part)
    os.replace(part, target)
