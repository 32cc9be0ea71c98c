"""Placing a new box: two clicks in any view, with Slicer's own place mode, or one drag in a slice view, which Slicer
takes for a click where the button is let go."""

from typing import Any, Callable, Tuple

import numpy as np
import vtk
from slicer.util import VTKObservationMixin

from ..contract import lps_to_ras
from ..scene.colours import colour_of
from ..scene.data_tree import remove_markup

LEAST_SIDE_MM = 5.0

Placed = Callable[[Tuple[float, ...], Tuple[float, ...]], None]


class Placing(VTKObservationMixin):
    """One box that is being placed.

    Args:
        scene: MRML scene.
        placed: called with centre (LPS) and size in mm once the box stands.
    """

    def __init__(self, scene: Any, placed: Placed) -> None:
        VTKObservationMixin.__init__(self)
        self._scene, self._placed = scene, placed
        self._node: Any = None
        self._drawn: Any = None

    @property
    def is_active(self) -> bool:
        """Whether the reader is placing a box now."""
        return self._node is not None

    @property
    def has_corner(self) -> bool:
        """Whether the first of two clicks was made."""
        return self._node is not None and self._node.GetNumberOfDefinedControlPoints() > 0

    def start(self) -> None:
        """Put Slicer into place mode for one box; a placing before it is given up."""
        self.cancel()
        node = self._new_node()
        interaction = self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        self._node = node
        self._receive()
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)
        self.addObserver(interaction, interaction.InteractionModeChangedEvent, self._mode)

    def stretch(self, start: np.ndarray, end: np.ndarray, axes: np.ndarray) -> None:
        """Show the box of a drag so far.

        Args:
            start: where the button was pressed, RAS in mm.
            end: where the mouse is.
            axes: [3, 3], columns are the RAS directions of the box's sides.
        """
        if self._node is None:
            return
        if self._drawn is None:
            self._drawn = self._new_node()
            self._drawn.SetLocked(True)
            self._receive()
        matrix = vtk.vtkMatrix4x4()
        for row in range(3):
            for column in range(3):
                matrix.SetElement(row, column, axes[row, column])
            matrix.SetElement(row, 3, 0.5 * (start[row] + end[row]))
        self._drawn.SetAndObserveObjectToNodeMatrix(matrix)
        self._drawn.SetSize(*_with_depth(np.abs((end - start) @ axes)))

    def drop(self) -> None:
        """The drag has ended: the box stands as it was shown last."""
        if self._drawn is not None:
            center, size = [0.0, 0.0, 0.0], tuple(float(side) for side in self._drawn.GetSize())
            self._drawn.GetCenterWorld(center)
            self.cancel()
            self._placed(lps_to_ras(center), size)

    def forget_drag(self) -> None:
        """The mouse came back to where the drag began, which is a click: the box of the drag is not shown any more."""
        drawn, self._drawn = self._drawn, None
        if drawn is not None:
            remove_markup(self._scene, drawn)

    def cancel(self) -> None:
        """Give up; nothing is added."""
        node, self._node = self._node, None
        self.forget_drag()
        self.removeObservers()
        if node is not None:
            interaction = self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
            if interaction is not None and interaction.GetCurrentInteractionMode() == interaction.Place:
                interaction.SetCurrentInteractionMode(interaction.ViewTransform)
            remove_markup(self._scene, node)

    def _receive(self) -> None:
        """Let Slicer's clicks go to the node of this placing; a markup that is added takes them to itself."""
        selection = self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsROINode")
        selection.SetActivePlaceNodeID(self._node.GetID())

    def _new_node(self) -> Any:
        node = self._scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "new box")
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        for set_colour in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
            set_colour(*colour_of(None))
        return node

    def _mode(self, interaction: Any, event: str) -> None:
        node = self._node
        if node is None or interaction.GetCurrentInteractionMode() == interaction.Place:
            return
        size = np.array(node.GetSize(), dtype=float)
        center = [0.0, 0.0, 0.0]
        node.GetCenterWorld(center)
        stands = node.GetNumberOfDefinedControlPoints() > 0 and (size > 0.0).sum() >= 2
        self.cancel()
        if stands:
            self._placed(lps_to_ras(center), _with_depth(size))


def _with_depth(size: np.ndarray) -> Tuple[float, ...]:
    """Drawn in one plane a box has no depth yet: it gets the mean of its other sides."""
    size = size.copy()
    flat = size < LEAST_SIDE_MM
    size[flat] = max(LEAST_SIDE_MM, float(size[~flat].mean())) if (~flat).any() else LEAST_SIDE_MM
    return tuple(float(side) for side in size)
