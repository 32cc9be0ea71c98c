"""PneumoScreen: screening of chest scans for pneumonia. Research use only.

>>> from pneumoscreen import screen
>>> result = screen("scan.nii.gz")  # doctest: +SKIP
>>> result.report("report.html")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import Result, Screeners, screen

__all__ = ["RESEARCH_USE_ONLY", "Result", "Screeners", "__version__", "screen"]

__version__ = "0.1.0"
RESEARCH_USE_ONLY = "Research use only. Not a medical device; not for diagnosis."

_API = ("Result", "Screeners", "screen")


def __getattr__(name: str) -> object:
    # The rules of the verdict also run inside 3D Slicer, where there is no package beside the standard library: what
    # needs more is imported when it is asked for.
    if name in _API:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
