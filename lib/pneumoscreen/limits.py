"""How much anybody may ask of this program before it says no; an administrator sets it by environment variables.

All figures are ours: well above what a chest CT needs, well below what stops a machine with 16 GB of memory.
docs/settings.md lists them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from .errors import ConfigError

PREFIX = "PNEUMOSCREEN_"
MEBIBYTE = 1 << 20
GIGABYTE = 10**9
MOST_REGIONS = 1000
"""Of a document, ours: fifty times what a screening proposes; five thousand took a server 18 s."""
_LARGEST = 10**9


@dataclass(frozen=True)
class Limits:
    """Every limit that can be set, by its variable's name in small letters without ``PNEUMOSCREEN_``.

    Attributes:
        max_scan_mb: what the voxels or pixels of one scan take before compression.
        read_memory_mb: memory that the process that reads scans may take.
        read_seconds: seconds of the processor that reading one scan may take.
        max_upload_mb: the body of one request.
        max_document_mb: a case document or another JSON text.
        max_archive_files: entries of an archive.
        max_session_mb: what one session holds, unpacked.
        max_sessions_mb: what all sessions hold together.
        max_jobs: inferences that wait or run, of everybody together.
        max_jobs_per_reader: inferences of one reader that wait or run.
        max_requests_per_reader: other requests of one reader that are served at a time; eight times as many may wait.
        max_connections: connections open at a time.
        header_seconds: time in which a connection must have sent a request's header.
    """

    max_scan_mb: int = 2048
    read_memory_mb: int = 4096
    read_seconds: int = 120
    max_upload_mb: int = 2048
    max_document_mb: int = 16
    max_archive_files: int = 10_000
    max_session_mb: int = 4096
    max_sessions_mb: int = 20_480
    max_jobs: int = 200
    max_jobs_per_reader: int = 8
    max_requests_per_reader: int = 8
    max_connections: int = 500
    header_seconds: int = 20

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] | None = None) -> "Limits":
        """The limits that the environment sets, the others as they stand here.

        Raises:
            ConfigError: if a variable holds no whole number from 1 on.
        """
        environment = os.environ if environment is None else environment
        found: dict[str, int] = {}
        for field in fields(cls):
            variable = variable_of(field.name)
            text = environment.get(variable, "").strip()
            if not text:
                continue
            if not (text.isascii() and text.isdecimal() and len(text) < 12 and 1 <= int(text) <= _LARGEST):
                raise ConfigError(f"{variable} must be a whole number from 1 to {_LARGEST}; correct or unset it")
            found[field.name] = int(text)
        return cls(**found)


def variable_of(name: str) -> str:
    """The environment variable that sets a limit."""
    return PREFIX + name.upper()
