"""Which layouts there are, of both methods, and which one a source has."""

from pathlib import Path

from ..ct.importers.layouts import DATA_SETS, OTHERS
from ..cxr.importers.table import LAYOUT as RADIOGRAPH_TABLE
from ..importers.found import Layout, SourceError

AUTO = "auto"
LAYOUTS = (*DATA_SETS, RADIOGRAPH_TABLE, *OTHERS)
"""In the order in which they are tried: data sets that are known by their folders first."""


def pick_layout(name: str, source: Path, annotations: Path) -> Layout:
    """The layout of a name, or with ``auto`` the first that the source looks like.

    Raises:
        SourceError: if there is no such layout, or the source looks like none.
    """
    names = ", ".join(layout.name for layout in LAYOUTS)
    for layout in LAYOUTS:
        if name == layout.name or (name == AUTO and layout.holds(source, annotations)):
            return layout
    if name == AUTO:
        shapes = "; ".join(f"{layout.name}: {layout.shape}" for layout in LAYOUTS)
        raise SourceError(f"{source} looks like none of the layouts that are read ({shapes})")
    raise SourceError(f"--layout {name}: not one of {AUTO}, {names}")
