"""The names under which screened cases are kept: the same tomorrow, and of no other case."""

from .case_ids import short_hash, stable_id, unique_id, without_suffix
from .found import Input


class Namer:
    """Gives the cases of one run their ids and sources.

    Ours: an id is made of the path from the folder that was named on, that folder's name included, and of a hash. For
    DICOM the hash is that of patient, study and series, and of the instance of an X-ray; otherwise, or where a header
    lacks one of them, that of the file's bytes.

    Args:
        anonymous: hashes stand for paths: folders may be named after patients.
    """

    def __init__(self, anonymous: bool = False) -> None:
        self._anonymous = anonymous
        self._taken: dict[str, int] = {}

    def case_id(self, given: Input, sha256: str) -> str:
        """The id of an input whose bytes have this SHA-256."""
        place = given.place or ""
        name = "case" if self._anonymous or not place else _name_of(given, place)
        return unique_id(stable_id(name, place, _identity(given) or sha256), self._taken)

    def source(self, given: Input) -> str | None:
        """Where the input lies below what was named, for its document."""
        source = given.source_below
        return short_hash(source) if self._anonymous and source is not None else source


def _name_of(given: Input, place: str) -> str:
    folder, slash, name = place.rpartition("/")
    stem = f"{folder}{slash}{without_suffix(name)}" if given.path.is_file() else place
    number = given.headers[0].series_number if given.headers and given.modality == "CT" else None
    return f"{stem}_series{number}" if number is not None and 0 <= number < 1_000_000 else stem


def _identity(given: Input) -> str | None:
    """What tells a DICOM series or X-ray from all others; None where its header does not."""
    if not given.headers:
        return None
    first = given.headers[0]
    parts = [first.patient_key, first.study_uid, first.series_uid]
    if given.modality == "CXR":
        parts.append(first.instance_uid)
    return "\n".join(parts) if all(parts) else None
