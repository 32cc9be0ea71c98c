"""Synthetic CTs as a studies folder: whole phantoms, or lesions put into a real scan."""

from pydantic import ValidationError

from ..errors import ConfigError, NoLungsError
from ..phantoms.studies import PhantomRequest, Writer
from ..verdict import DEFAULT_CLASSES
from .learning.real_scans import CLEAR_SIDES, RealScan
from .phantoms.phantom import PhantomSpec
from .phantoms.studies import write_implants, write_studies


def writer_of(asked: PhantomRequest) -> Writer:
    """What writes the cases that are asked for.

    Raises:
        PneumoScreenError: if a setting is out of range, or the real scan cannot be used.
    """
    if asked.onto is not None:
        return _implants(asked)
    asked.require_diagnosis(DEFAULT_CLASSES.case_labels)
    try:
        given = {} if asked.matrix is None else {"matrix": asked.matrix}
        spec = PhantomSpec(slices=asked.slices, **given)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"--{first['loc'][0]} {first['input']}: {first['msg']}") from None
    return lambda folder, progress: write_studies(folder, asked.cases, asked.seed, spec, progress, asked.diagnosis)


def _implants(asked: PhantomRequest) -> Writer:
    assert asked.onto is not None
    if asked.clear_side not in CLEAR_SIDES:
        raise ConfigError(f"--clear-side {asked.clear_side}: not one of {', '.join(CLEAR_SIDES)}")
    real = RealScan.read(asked.onto, asked.clear_side)
    if not real.clear.any():
        raise NoLungsError(
            f"{asked.onto}: there is no {asked.clear_side} lung in view to put lesions into; name the other side"
        )
    return lambda folder, progress: write_implants(folder, real.volume, real.clear, asked.cases, asked.seed, progress)
