"""UIDs that follow from what an object says: what is made a second time is the same object, and is stored once."""

import json
import re
from hashlib import sha256
from uuid import UUID, uuid5

from ..case import Case

_NAMESPACE = UUID("6f2b8f3e-6a0c-5d7e-9a55-0c2f4a1d7b16")
_UID = re.compile(r"\d+(?:\.\d+)*", re.ASCII)
_LONGEST = 64
_PASSING = ("timings_s", "case_id")
"""What two screenings of one study differ in although they say the same."""


def uid_of(*parts: str) -> str:
    """The UID of these parts (DICOM PS3.5 annex B.2, from a UUID of version 5)."""
    return f"2.25.{uuid5(_NAMESPACE, chr(10).join(parts)).int}"


def is_uid(text: str) -> bool:
    """Whether a text is numbers between single points, as a UID is; zeros that lead a number are found in files."""
    return len(text) <= _LONGEST and _UID.fullmatch(text) is not None


def digest_of(case: Case) -> str:
    """SHA-256 of what a document says, whenever and wherever it was written."""
    said = {name: value for name, value in case.to_dict().items() if name not in _PASSING}
    said["image"] = {**said["image"], "source": None}
    return sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def folder_name(*parts: str) -> str:
    """A name for a folder that says nothing and is another one for other parts."""
    return sha256("\n".join(parts).encode()).hexdigest()[:32]
