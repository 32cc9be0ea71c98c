"""What the selected box is, written beside it, never over it: a text over its upper side in each slice view.

Slicer writes the name of a box into its middle, over the lesion. Ours is a markup of three points without a glyph: one
in the middle plane of each direction, so that each is seen in the views of that plane alone.
"""

from typing import Any, Iterable, List, Optional

import numpy as np
import slicer

from ..contract import Region, lps_to_ras
from ..scene.colours import colour_of, label_text
from ..scene.data_tree import remove_markup
from ..scene.views import NOWHERE

CORNERS = ((1, 1, 0), (1, 0, 1), (0, 1, 1))
"""Corners in half sides of the box (right, front, head) that are at the upper left of axial, coronal and sagittal
views: screens have the patient's right, in sagittal ones the front, on the left. The text runs along the upper side."""

TEXT_SCALE = 3.0


class Tag:
    """The text beside the selected box.

    Args:
        scene: MRML scene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._views: Optional[List[str]] = None
        self.node: Any = None

    def show(self, region: Region, axes: np.ndarray) -> None:
        """Write what a region is beside its box.

        Args:
            region: the region.
            axes: [3, 3], columns are the RAS directions of the box's sides.
        """
        if self.node is None or not self._scene.IsNodePresent(self.node):
            self.node = self._new_node()
        paused = self.node.StartModify()
        center, half = np.array(lps_to_ras(region.center_mm)), np.array(region.size_mm) / 2
        for index, corner in enumerate(CORNERS):
            self.node.SetNthControlPointPosition(index, *(center + axes @ (half * corner)))
            self.node.SetNthControlPointLabel(index, label_text(region))
        display = self.node.GetDisplayNode()
        colour = colour_of(region.opinion[0] if region.opinion else None)
        for set_colour in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
            set_colour(*colour)
        self.node.EndModify(paused)

    def set_visible(self, is_visible: bool) -> None:
        """Hide it for a moment, or show it again."""
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self.node.GetDisplayNode().SetVisibility(is_visible)

    def show_in(self, slice_views: Iterable[str]) -> None:
        """Show it in these slice views, by their ids, and in no other."""
        self._views = sorted(slice_views)
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self.node.GetDisplayNode().SetViewNodeIDs(self._views or [NOWHERE])

    def clear(self) -> None:
        """Take it out of the scene."""
        node, self.node = self.node, None
        if node is not None:
            remove_markup(self._scene, node)

    def _new_node(self) -> Any:
        node = slicer.vtkMRMLMarkupsFiducialNode()
        display = slicer.vtkMRMLMarkupsFiducialDisplayNode()
        display.SetViewNodeIDs(self._views or [NOWHERE])
        display.SetPointLabelsVisibility(True)
        display.SetPropertiesLabelVisibility(False)
        display.SetTextScale(TEXT_SCALE)
        # As good as none: the text is all that is to be seen.
        display.SetGlyphScale(0.01)
        node.SetName("PneumoScreen label")
        node.SetLocked(True)
        node.SetUndoEnabled(False)
        # Drawn from the document again, and nothing to be edited or saved.
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        for _ in CORNERS:
            node.AddControlPoint(0.0, 0.0, 0.0)
        display.SetSaveWithScene(False)
        node.AddAndObserveDisplayNodeID(self._scene.AddNode(display).GetID())
        return self._scene.AddNode(node)
