"""One region as a vtkMRMLMarkupsROINode: made, drawn, and where it stands."""

from typing import Any, Tuple

import numpy as np
import slicer
import vtk

from ..contract import Region, lps_to_ras
from .colours import colour_of, label_text
from .sightings import NOWHERE

MOVED_MM = 0.01


def new_node(scene: Any, region: Region, axes: np.ndarray) -> Any:
    """A new box in the scene, in no view yet.

    Slicer makes the widgets of all views for a node that changes, so this one is complete before it comes into the
    scene. It stays out of Slicer's lists of nodes: the panel's table is where boxes are kept and deleted.
    """
    display = slicer.vtkMRMLMarkupsROIDisplayNode()
    display.SetViewNodeIDs([NOWHERE])
    display.SetPointLabelsVisibility(False)
    display.SetPropertiesLabelVisibility(True)
    display.SetRotationHandleVisibility(False)
    display.SetTranslationHandleVisibility(True)
    display.SetScaleHandleVisibility(True)
    display.SetTextScale(3.0)
    # The point in the middle must not hide the lesion.
    display.SetGlyphScale(0.5)
    node = slicer.vtkMRMLMarkupsROINode()
    for each in (node, display):
        # Drawn again from the draft, so a saved scene need not carry a file for every box.
        each.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    node.SetUndoEnabled(False)
    _draw(node, display, region, axes, False)
    node.SetAndObserveDisplayNodeID(scene.AddNode(display).GetID())
    return scene.AddNode(node)


def draw(node: Any, region: Region, axes: np.ndarray, is_selected: bool) -> None:
    """Draw a region as it stands; only the selected one has handles and hears the mouse.

    Args:
        node: its node.
        region: the region.
        axes: [3, 3], columns are the RAS directions of the box's sides.
        is_selected: whether the reader looks at it.
    """
    display = node.GetDisplayNode()
    paused = node.StartModify(), display.StartModify()
    _draw(node, display, region, axes, is_selected)
    display.EndModify(paused[1])
    node.EndModify(paused[0])


def geometry(node: Any) -> Tuple[Tuple[float, ...], Tuple[float, ...]]:
    """Centre (RAS) and size of a node's box in mm."""
    center = [0.0, 0.0, 0.0]
    node.GetCenterWorld(center)
    return tuple(center), tuple(float(side) for side in node.GetSize())


def is_elsewhere(node: Any, region: Region) -> bool:
    """Whether the box does not stand where its region does."""
    center, size = geometry(node)
    shift = np.abs(np.subtract(lps_to_ras(region.center_mm), center)).max()
    growth = np.abs(np.subtract(region.size_mm, size)).max()
    return bool(max(shift, growth) > MOVED_MM)


def _draw(node: Any, display: Any, region: Region, axes: np.ndarray, is_selected: bool) -> None:
    node.SetName(label_text(region))
    node.SetLocked(not is_selected)
    if is_elsewhere(node, region) or not np.allclose(_axes(node), axes):
        matrix = vtk.vtkMatrix4x4()
        for row in range(3):
            for column in range(3):
                matrix.SetElement(row, column, axes[row, column])
            matrix.SetElement(row, 3, lps_to_ras(region.center_mm)[row])
        node.SetAndObserveObjectToNodeMatrix(matrix)
        node.SetSize(*region.size_mm)
    colour = colour_of(region.opinion[0] if region.opinion else None)
    for set_colour in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
        set_colour(*colour)
    display.SetHandlesInteractive(is_selected)
    display.SetFillOpacity(0.12 if is_selected else 0.0)
    display.SetOutlineOpacity(1.0 if is_selected else 0.7)
    display.SetOpacity(1.0 if is_selected else 0.8)


def _axes(node: Any) -> np.ndarray:
    matrix = node.GetObjectToNodeMatrix()
    return np.array([[matrix.GetElement(row, column) for column in range(3)] for row in range(3)])
