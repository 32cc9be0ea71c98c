"""Placing a new box: the reader clicks and drags it in any view, with Slicer's own place mode."""

from typing import Any, Callable, List, Tuple

import numpy as np

from ..contract import lps_to_ras
from .colours import UNLABELLED

LEAST_SIDE_MM = 5.0

Placed = Callable[[Tuple[float, ...], Tuple[float, ...]], None]


class Placing:
    """One box that is being placed.

    Args:
        scene: MRML scene.
        placed: called with centre (LPS) and size in mm once the box stands.
    """

    def __init__(self, scene: Any, placed: Placed) -> None:
        self._scene, self._placed = scene, placed
        self._node: Any = None
        self._tags: List[Tuple[Any, int]] = []

    @property
    def is_active(self) -> bool:
        """Whether the reader is placing a box now."""
        return self._node is not None

    def start(self) -> None:
        """Put Slicer into place mode for one box; a placing before it is given up."""
        self.cancel()
        node = self._scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "new box")
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        for set_colour in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
            set_colour(*UNLABELLED)
        selection = self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        interaction = self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsROINode")
        selection.SetActivePlaceNodeID(node.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)
        self._node = node
        tag = interaction.AddObserver(interaction.InteractionModeChangedEvent, lambda caller, event: self._mode(caller))
        self._tags.append((interaction, tag))

    def cancel(self) -> None:
        """Give up; nothing is added."""
        node, self._node = self._node, None
        for observed, tag in self._tags:
            observed.RemoveObserver(tag)
        self._tags = []
        if node is not None:
            interaction = self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
            if interaction is not None and interaction.GetCurrentInteractionMode() == interaction.Place:
                interaction.SetCurrentInteractionMode(interaction.ViewTransform)
            if self._scene.IsNodePresent(node):
                self._scene.RemoveNode(node)

    def _mode(self, interaction: Any) -> None:
        node = self._node
        if node is None or interaction.GetCurrentInteractionMode() == interaction.Place:
            return
        size = np.array(node.GetSize(), dtype=float)
        center = [0.0, 0.0, 0.0]
        node.GetCenterWorld(center)
        stands = node.GetNumberOfDefinedControlPoints() > 0 and (size > 0.0).sum() >= 2
        self.cancel()
        if stands:
            # Drawn in one plane a box has no depth yet: it gets the mean of its other sides.
            flat = size < LEAST_SIDE_MM
            size[flat] = max(LEAST_SIDE_MM, float(size[~flat].mean())) if (~flat).any() else LEAST_SIDE_MM
            self._placed(lps_to_ras(center), tuple(float(side) for side in size))
