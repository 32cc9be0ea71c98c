"""One region as a vtkMRMLMarkupsROINode: made, drawn, and where it stands."""

from typing import Any, Iterable, List, Sequence, Tuple

import numpy as np
import slicer
import slicer.util
import vtk

from ..contract import Region, lps_to_ras
from ..scene.colours import colour_of, label_text
from ..scene.data_tree import CASE_ATTRIBUTE
from ..scene.views import NOWHERE

REGION_ATTRIBUTE = "PneumoScreen.region"
MOVED_MM = 0.01


def new_node(
    scene: Any, case_id: str, region: Region, axes: np.ndarray, is_selected: bool, is_edited: bool, is_hidden: bool
) -> Any:
    """A new box in the scene, in no view yet.

    Slicer makes the widgets of all views for a node that changes, so this one is complete before it comes into the
    scene. It is a markup like any other: it stands in the Data tree, and can be measured, exported and saved.
    """
    node = slicer.vtkMRMLMarkupsROINode()
    displays = [_new_display() for _ in range(2)]
    node.SetAttribute(CASE_ATTRIBUTE, case_id)
    node.SetAttribute(REGION_ATTRIBUTE, region.id)
    # Undo is the panel's: Slicer's own would take a box back that the document keeps.
    node.SetUndoEnabled(False)
    _draw(node, displays, region, axes, is_selected, is_edited)
    for display in displays:
        display.SetVisibility(not is_hidden)
        node.AddAndObserveDisplayNodeID(scene.AddNode(display).GetID())
    return scene.AddNode(node)


def draw(node: Any, region: Region, axes: np.ndarray, is_selected: bool, is_edited: bool = False) -> None:
    """Draw a region as it stands, as lines that hide nothing; only one that is edited has handles and hears the mouse.

    Args:
        node: its node.
        region: the region.
        axes: [3, 3], columns are the RAS directions of the box's sides.
        is_selected: whether the reader looks at it.
        is_edited: whether it can be moved now.
    """
    displays = _displays(node)
    paused = [(each, each.StartModify()) for each in (node, *displays)]
    _draw(node, displays, region, axes, is_selected, is_edited)
    for each, before in reversed(paused):
        each.EndModify(before)


def show_in(node: Any, slice_views: Iterable[str], threed_views: Iterable[str]) -> None:
    """Show a box in these views, by their ids, and in no other."""
    for display, views in zip(_displays(node), (slice_views, threed_views)):
        # Without any id Slicer would draw a markup in all views.
        wanted = sorted(views) or [NOWHERE]
        # To be told the same again takes Slicer a millisecond.
        if display.GetNumberOfViewNodeIDs() != len(wanted) or not all(map(display.IsViewNodeIDPresent, wanted)):
            display.SetViewNodeIDs(wanted)


def set_visible(node: Any, is_visible: bool) -> None:
    """Hide a box for a moment, or show it again."""
    for display in _displays(node):
        display.SetVisibility(is_visible)


def forsake(node: Any) -> None:
    """Let no view show a box that goes in a moment: it belongs to no case any more and is not saved."""
    # Slicer hides a box in no time; to delete its widgets takes it milliseconds in every view.
    show_in(node, (), ())
    for each in (node, *_displays(node)):
        # Nothing that is seen changes, and for 200 boxes it would take a quarter of a second to say so.
        each.SetDisableModifiedEvent(True)
        each.SetSaveWithScene(False)
        each.RemoveAttribute(CASE_ATTRIBUTE)
        each.SetDisableModifiedEvent(False)


def geometry(node: Any) -> Tuple[Tuple[float, ...], Tuple[float, ...]]:
    """Centre (RAS) and size of a node's box in mm."""
    center = [0.0, 0.0, 0.0]
    node.GetCenterWorld(center)
    return tuple(center), tuple(float(side) for side in node.GetSize())


def places(regions: Iterable[Region]) -> Tuple[np.ndarray, np.ndarray]:
    """Centres (RAS) and sizes of regions in mm, [n, 3] each."""
    pairs = [(lps_to_ras(region.center_mm), region.size_mm) for region in regions]
    return tuple(np.array(pairs, dtype=float).reshape(-1, 2, 3).swapaxes(0, 1))  # type: ignore[return-value]


def is_elsewhere(node: Any, region: Region) -> bool:
    """Whether the box does not stand where its region does."""
    center, size = geometry(node)
    shift = np.abs(np.subtract(lps_to_ras(region.center_mm), center)).max()
    growth = np.abs(np.subtract(region.size_mm, size)).max()
    return bool(max(shift, growth) > MOVED_MM)


def _new_display() -> Any:
    display = slicer.vtkMRMLMarkupsROIDisplayNode()
    display.SetViewNodeIDs([NOWHERE])
    display.SetPointLabelsVisibility(False)
    display.SetRotationHandleVisibility(False)
    display.SetTranslationHandleVisibility(True)
    display.SetScaleHandleVisibility(True)
    display.SetTextScale(3.0)
    display.SetGlyphScale(0.5)
    display.SetFillOpacity(0.0)
    # Slicer would write it into the middle, over the lesion; beside the box it stands by ``tag.py``.
    display.SetPropertiesLabelVisibility(False)
    return display


def _displays(node: Any) -> List[Any]:
    """How a box is drawn in slice views, and how in 3-D views."""
    return [node.GetNthDisplayNode(index) for index in range(2)]


def _draw(
    node: Any, displays: Sequence[Any], region: Region, axes: np.ndarray, is_selected: bool, is_edited: bool
) -> None:
    node.SetName(label_text(region))
    node.SetLocked(not is_edited)
    if is_elsewhere(node, region) or not np.allclose(_axes(node), axes):
        matrix = vtk.vtkMatrix4x4()
        for row in range(3):
            for column in range(3):
                matrix.SetElement(row, column, axes[row, column])
            matrix.SetElement(row, 3, lps_to_ras(region.center_mm)[row])
        node.SetAndObserveObjectToNodeMatrix(matrix)
        node.SetSize(*region.size_mm)
    colour = colour_of(region.opinion[0] if region.opinion else None)
    # The point in the middle must not hide the lesion; it is one of the handles.
    for index in range(node.GetNumberOfControlPoints()):
        node.SetNthControlPointVisibility(index, is_edited)
    for display in displays:
        for set_colour in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
            set_colour(*colour)
        display.SetHandlesInteractive(is_edited)
        display.SetOutlineOpacity(1.0 if is_selected else 0.7)
        display.SetOpacity(1.0 if is_selected else 0.8)


def _axes(node: Any) -> np.ndarray:
    return slicer.util.arrayFromVTKMatrix(node.GetObjectToNodeMatrix())[:3, :3]  # type: ignore[no-any-return]
