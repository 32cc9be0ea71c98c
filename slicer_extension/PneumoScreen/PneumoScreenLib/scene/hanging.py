"""How a case hangs: its layout, windows of grey values by one key each, a thick slab for vessels and nodules."""

from typing import Any, Optional

import slicer

from .radiograph import is_radiograph
from .views import slice_nodes_of

LUNG, MEDIASTINUM, BONE = "lung", "mediastinum", "bone"
WINDOWS_HU = {LUNG: (1500.0, -500.0), MEDIASTINUM: (400.0, 40.0), BONE: (1800.0, 400.0)}
"""Width and level of each window."""
SLAB_MM = 10.0
"""Thickness of a slab, ours: a few slices of a common scan."""


class Hanging:
    """Layout, windows and slab of the open case.

    Attributes:
        is_slab: whether slice views show the brightest of a slab (MIP) and not a plane.
    """

    def __init__(self) -> None:
        self.is_slab = False
        self._was_radiograph: Optional[bool] = None

    def hang(self, volume: Any) -> None:
        """Choose the layout for a volume: four views for a scan, one large one for a radiograph.

        A reader who has chosen another layout keeps it from case to case of one kind.
        """
        layout, is_picture = slicer.app.layoutManager(), is_radiograph(volume)
        self._apply_slab(volume)
        if layout is None or is_picture == self._was_radiograph:
            return
        self._was_radiograph = is_picture
        kinds = slicer.vtkMRMLLayoutNode
        layout.setLayout(kinds.SlicerLayoutOneUpRedSliceView if is_picture else kinds.SlicerLayoutFourUpView)

    def set_window(self, volume: Any, name: str) -> None:
        """Show a scan in one of ``WINDOWS_HU``; a radiograph keeps its own greys."""
        if volume is not None and not is_radiograph(volume) and volume.GetDisplayNode() is not None:
            volume.GetDisplayNode().AutoWindowLevelOff()
            volume.GetDisplayNode().SetWindowLevel(*WINDOWS_HU[name])

    def toggle_slab(self, volume: Any) -> None:
        """Go from planes to slabs and back, in the views of the case alone."""
        self.is_slab = not self.is_slab
        self._apply_slab(volume)

    def leave(self, volume: Any) -> None:
        """The case goes: its views show planes again."""
        if self.is_slab and volume is not None:
            self.toggle_slab(volume)

    def _apply_slab(self, volume: Any) -> None:
        is_slab = self.is_slab and not is_radiograph(volume)
        for view in slice_nodes_of(volume).values() if volume is not None else ():
            paused = view.StartModify()
            view.SetSlabReconstructionType(view.GetSlabReconstructionTypeFromString("Max"))
            view.SetSlabReconstructionThickness(SLAB_MM)
            view.SetSlabReconstructionEnabled(is_slab)
            view.EndModify(paused)
