"""Synthetic chest X-rays as a studies folder."""

from pydantic import ValidationError

from ..case import CXR_CLASSES
from ..errors import ConfigError
from ..phantoms.request import PhantomRequest, Writer
from .phantoms.radiograph import RadiographSpec
from .phantoms.studies import write_radiograph_studies


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
