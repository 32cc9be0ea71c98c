"""``pneumoscreen phantom``: synthetic CTs with their truth as a studies folder."""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from ..errors import ConfigError, NoLungsError
from ..phantoms import PhantomSpec
from ..phantoms.studies import write_implants, write_studies
from ..training.starter import CLEAR_SIDES, RealScan
from ..verdict import DEFAULT_CLASSES
from .folders import prepare_folder
from .terminal import Meter


def write_phantoms(
    out: Path, *, cases: int, seed: int, diagnosis: str | None = None, matrix: int = 256, slices: int | None = None
) -> None:
    """Write phantoms ``seed`` to ``seed + cases - 1`` and print the path of each scan.

    Raises:
        PneumoScreenError: if a setting is out of range or the folder cannot be written.
    """
    if diagnosis is not None and diagnosis not in DEFAULT_CLASSES.case_labels:
        raise ConfigError(f"--diagnosis {diagnosis}: not one of {', '.join(DEFAULT_CLASSES.case_labels)}")
    try:
        spec = PhantomSpec(matrix=matrix, slices=slices)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"--{first['loc'][0]} {first['input']}: {first['msg']}") from None
    _write(out, lambda folder, progress: write_studies(folder, cases, seed, spec, progress, diagnosis))


def write_lesions_onto(scan: Path, out: Path, *, cases: int, seed: int, clear_side: str) -> None:
    """Write cases ``seed`` to ``seed + cases - 1`` of a real scan with synthetic lesions; print their paths.

    Raises:
        PneumoScreenError: if the scan cannot be used or the folder cannot be written.
    """
    if clear_side not in CLEAR_SIDES:
        raise ConfigError(f"--clear-side {clear_side}: not one of {', '.join(CLEAR_SIDES)}")
    real = RealScan.read(scan, clear_side)
    if not real.lungs.any():
        raise NoLungsError(f"{scan}: there is no {clear_side} lung in view to put lesions into; name the other side")
    _write(out, lambda folder, progress: write_implants(folder, real.volume, real.lungs, cases, seed, progress))


def _write(out: Path, write: Callable[[Path, Callable[[int, int], None]], list[Path]]) -> None:
    out = prepare_folder(out)
    with Meter("phantom") as progress:
        scans = write(out, lambda done, of: progress(f"{done} of {of}", done / of))
    for scan in scans:
        print(scan)
