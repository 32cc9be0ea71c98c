"""The digest of an input's files without decoding a pixel: whether a scan is still the one that was screened."""

from .faults import AbsentError
from .inputs import Input
from .meta_header import read_meta_header
from .raw import hash_files

_SPLIT_SUFFIXES = (".mhd", ".nhdr")
"""Headers whose voxels lie in another file."""


def input_digest(given: Input) -> str:
    """SHA-256 (hex) over the bytes of every file of an input, in the order of their headers or names.

    Raises:
        ImageError: if a file cannot be read.
    """
    try:
        if given.headers:
            return hash_files(dict.fromkeys(header.path for header in given.headers))
        if given.path.name.lower().endswith(_SPLIT_SUFFIXES):
            return hash_files(read_meta_header(given.path).files)
        return hash_files([given.path])
    except OSError:
        raise AbsentError(f"{given.path} cannot be read; check that it is there and may be opened") from None
