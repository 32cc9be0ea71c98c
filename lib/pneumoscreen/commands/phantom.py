"""``pneumoscreen phantom``: synthetic CTs with their truth as a studies folder."""

from pathlib import Path

from pydantic import ValidationError

from ..errors import ConfigError
from ..phantoms import PhantomSpec
from ..phantoms.studies import write_studies
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
    out = prepare_folder(out)
    with Meter("phantom") as progress:
        scans = write_studies(
            out, cases, seed, spec, lambda done, of: progress(f"{done} of {of}", done / of), diagnosis=diagnosis
        )
    for scan in scans:
        print(scan)
