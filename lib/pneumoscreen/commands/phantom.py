"""``pneumoscreen phantom``: synthetic CTs or chest X-rays with their truth as a studies folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from ..case import CXR_CLASSES
from ..ct.learning.real_scans import CLEAR_SIDES, RealScan
from ..ct.phantoms.phantom import PhantomSpec
from ..ct.phantoms.studies import write_implants, write_studies
from ..cxr.phantoms.radiograph import RadiographSpec
from ..cxr.phantoms.studies import write_radiograph_studies
from ..errors import ConfigError, NoLungsError
from ..verdict import DEFAULT_CLASSES
from .folders import prepare_folder
from .terminal import Meter


def write_phantoms(
    out: Path,
    *,
    cases: int,
    seed: int,
    diagnosis: str | None = None,
    matrix: int | None = None,
    slices: int | None = None,
) -> None:
    """Write CT phantoms ``seed`` to ``seed + cases - 1`` and print the path of each scan.

    Raises:
        PneumoScreenError: if a setting is out of range or the folder cannot be written.
    """
    _check_diagnosis(diagnosis, DEFAULT_CLASSES.case_labels)
    try:
        spec = PhantomSpec(slices=slices) if matrix is None else PhantomSpec(matrix=matrix, slices=slices)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"--{first['loc'][0]} {first['input']}: {first['msg']}") from None
    _write(out, lambda folder, progress: write_studies(folder, cases, seed, spec, progress, diagnosis))


def write_radiographs(
    out: Path,
    *,
    cases: int,
    seed: int,
    diagnosis: str | None = None,
    matrix: int | None = None,
    slices: int | None = None,
    onto: Path | None = None,
) -> None:
    """Write radiograph phantoms ``seed`` to ``seed + cases - 1`` and print the path of each picture.

    Raises:
        PneumoScreenError: if a setting is out of range or the folder cannot be written.
    """
    for option, value in (("--slices", slices), ("--onto", onto)):
        if value is not None:
            raise ConfigError(f"{option} {value}: not for X-rays; leave it out or use --modality ct")
    _check_diagnosis(diagnosis, CXR_CLASSES)
    try:
        spec = RadiographSpec() if matrix is None else RadiographSpec(size=matrix)
    except ValidationError as error:
        raise ConfigError(f"--matrix {matrix}: {error.errors()[0]['msg']}") from None
    _write(out, lambda folder, progress: write_radiograph_studies(folder, cases, seed, spec, progress, diagnosis))


def write_lesions_onto(scan: Path, out: Path, *, cases: int, seed: int, clear_side: str) -> None:
    """Write cases ``seed`` to ``seed + cases - 1`` of a real scan with synthetic lesions; print their paths.

    Raises:
        PneumoScreenError: if the scan cannot be used or the folder cannot be written.
    """
    if clear_side not in CLEAR_SIDES:
        raise ConfigError(f"--clear-side {clear_side}: not one of {', '.join(CLEAR_SIDES)}")
    real = RealScan.read(scan, clear_side)
    if not real.clear.any():
        raise NoLungsError(f"{scan}: there is no {clear_side} lung in view to put lesions into; name the other side")
    _write(out, lambda folder, progress: write_implants(folder, real.volume, real.clear, cases, seed, progress))


def _check_diagnosis(diagnosis: str | None, classes: Sequence[str]) -> None:
    if diagnosis is not None and diagnosis not in classes:
        raise ConfigError(f"--diagnosis {diagnosis}: not one of {', '.join(classes)}")


def _write(out: Path, write: Callable[[Path, Callable[[int, int], None]], list[Path]]) -> None:
    out = prepare_folder(out)
    with Meter("phantom") as progress:
        scans = write(out, lambda done, of: progress(f"{done} of {of}", done / of))
    for scan in scans:
        print(scan)
