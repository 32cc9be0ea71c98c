"""The boxes that are not selected as they stand in 3-D views: one model of lines for all of them.

Slicer draws every markup of a 3-D view by several actors of its own, and 200 of them take longer than all else that is
drawn. The selected box is a markup in 3-D views, too: it can be dragged there.
"""

from typing import Any, Iterable

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

from ..contract import Region
from ..scene.colours import colour_of
from ..scene.data_tree import remove_markup
from .node import places

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
"""The eight corners in half sides of a box."""
EDGES = np.array([(a, b) for a in range(8) for b in range(a) if np.abs(CORNERS[a] - CORNERS[b]).sum() == 2])
"""The twelve pairs of corners that differ in one direction."""
COLOURS = "Colour"


class Frames:
    """The edges of boxes in the 3-D views.

    Args:
        scene: MRML scene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.node: Any = None

    def show(self, regions: Iterable[Region], axes: np.ndarray) -> None:
        """Draw these regions, and no other.

        Args:
            regions: the regions.
            axes: [3, 3], columns are the RAS directions of the boxes' sides.
        """
        if self.node is None or not self._scene.IsNodePresent(self.node):
            self.node = self._new_node()
        self.node.SetAndObservePolyData(edges_of(regions, axes))

    def set_visible(self, is_visible: bool) -> None:
        """Hide them for a moment, or show them again."""
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self.node.GetDisplayNode().SetVisibility(is_visible)

    def clear(self) -> None:
        """Take them out of the scene."""
        node, self.node = self.node, None
        if node is not None:
            remove_markup(self._scene, node)

    def _new_node(self) -> Any:
        node = self._scene.AddNewNodeByClass("vtkMRMLModelNode", "PneumoScreen boxes")
        # Drawn from the document again, and nothing to be edited or saved.
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        node.SetUndoEnabled(False)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetVisibility2D(False)
        display.SetLighting(False)
        display.SetLineWidth(2.0)
        display.SetActiveScalarName(COLOURS)
        display.SetScalarRangeFlag(display.UseDirectMapping)
        display.SetScalarVisibility(True)
        return node


def edges_of(regions: Iterable[Region], axes: np.ndarray) -> Any:
    """The edges of boxes, each in the colour of its type.

    Args:
        regions: the regions.
        axes: [3, 3], columns are the RAS directions of the boxes' sides.

    Returns:
        vtkPolyData of lines in RAS.
    """
    regions = list(regions)
    centers, sizes = places(regions)
    corners = centers[:, None] + (CORNERS * sizes[:, None] / 2) @ axes.T
    hues = [colour_of(region.opinion[0] if region.opinion else None) for region in regions]
    colours = np.repeat((255 * np.array(hues).reshape(-1, 3)).round().astype(np.uint8), len(CORNERS), axis=0)
    ends = EDGES + len(CORNERS) * np.arange(len(regions))[:, None, None]
    points, lines, data = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetData(numpy_to_vtk(corners.reshape(-1, 3), deep=1))
    lines.SetData(2, numpy_to_vtkIdTypeArray(ends.ravel().astype(np.int64), deep=1))
    scalars = numpy_to_vtk(colours, deep=1)
    scalars.SetName(COLOURS)
    data.SetPoints(points)
    data.SetLines(lines)
    data.GetPointData().SetScalars(scalars)
    return data
