"""The project's own case document and verdict rules, as the extension uses them: one copy in the repository.

A source checkout takes them from ``lib``; a build or package from the copy that CMake puts beside this file.
"""

import importlib
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
PACKAGED = _HERE / "_shared"
"""Folder of the copy in a build or package; it holds ``pneumoscreen`` with the files that CMakeLists.txt names."""


def _folder_of_contract() -> Path:
    """Folder that holds the ``pneumoscreen`` package.

    Raises:
        ImportError: if it is nowhere; the message says what to do.
    """
    checkout = _HERE.parents[2] / "lib" if len(_HERE.parents) > 2 else PACKAGED
    for folder in (PACKAGED, checkout):
        if (folder / "pneumoscreen" / "case.py").is_file():
            return folder
    raise ImportError("the PneumoScreen extension is incomplete (no pneumoscreen/case.py); install it again")


def _make_importable() -> None:
    if "pneumoscreen" in sys.modules:
        return
    folder = str(_folder_of_contract())
    sys.path.insert(0, folder)
    try:
        importlib.import_module("pneumoscreen")
    finally:
        # The package knows its own folder by now; nothing else of `lib` is for Slicer.
        sys.path.remove(folder)


_make_importable()

from pneumoscreen import RESEARCH_USE_ONLY  # noqa: E402
from pneumoscreen.case import (  # noqa: E402
    CXR_CLASSES,
    CXR_HEALTHY,
    CXR_LOCATIONS,
    SCHEMA,
    SIDES,
    Case,
    Cxr,
    ImageInfo,
    LungInfo,
    Patch,
    ReaderMark,
    Region,
    lps_to_ras,
    opinions,
)
from pneumoscreen.errors import CaseError, PneumoScreenError  # noqa: E402
from pneumoscreen.evidence import counts, is_overruled  # noqa: E402
from pneumoscreen.regions import ACCEPTED, CORRECTED, OPEN, state_of  # noqa: E402
from pneumoscreen.verdict import (  # noqa: E402
    DEFAULT_CLASSES,
    RULE_NONE,
    RULE_SINGLE,
    RULE_SOFTMAX,
    Classes,
    Verdict,
    decide,
)
from pneumoscreen.xray_findings import MOST_A_ZONE, SEEN  # noqa: E402

__all__ = [
    "ACCEPTED",
    "CORRECTED",
    "CXR_CLASSES",
    "CXR_HEALTHY",
    "CXR_LOCATIONS",
    "DEFAULT_CLASSES",
    "MOST_A_ZONE",
    "OPEN",
    "RESEARCH_USE_ONLY",
    "RULE_NONE",
    "RULE_SINGLE",
    "RULE_SOFTMAX",
    "SCHEMA",
    "SEEN",
    "SIDES",
    "Case",
    "CaseError",
    "Classes",
    "Cxr",
    "ImageInfo",
    "LungInfo",
    "Patch",
    "PneumoScreenError",
    "ReaderMark",
    "Region",
    "Verdict",
    "counts",
    "decide",
    "is_overruled",
    "lps_to_ras",
    "opinions",
    "state_of",
]
