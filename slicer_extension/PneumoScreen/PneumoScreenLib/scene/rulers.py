"""Rulers: lines of Slicer's own markups, each with its length, placed by two clicks and gone with the case."""

from typing import Any, List

from slicer.util import VTKObservationMixin

from ..translation import _
from .data_tree import CASE_ATTRIBUTE, Folder, remove_markup

CLASS = "vtkMRMLMarkupsLineNode"
COLOUR = (1.0, 0.95, 0.35)
ENDS = 2


class Rulers(VTKObservationMixin):
    """The rulers of the open case.

    Args:
        scene: MRML scene.

    Attributes:
        nodes: those that were placed.
    """

    def __init__(self, scene: Any) -> None:
        VTKObservationMixin.__init__(self)
        self._scene, self._case_id = scene, ""
        self._placed_now: Any = None
        self.nodes: List[Any] = []

    @property
    def is_placing(self) -> bool:
        """Whether the reader is placing one now."""
        return self._placed_now is not None

    def begin(self, case_id: str) -> None:
        """Another case is open."""
        self.clear()
        self._case_id = case_id

    def place(self) -> None:
        """Put Slicer into place mode for one line; one that is being placed is given up."""
        self.cancel()
        if not self._case_id:
            return
        node = self._placed_now = self._new_node()
        selection = self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        selection.SetReferenceActivePlaceNodeClassName(CLASS)
        selection.SetActivePlaceNodeID(node.GetID())
        interaction = self._interaction()
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)
        self.addObserver(interaction, interaction.InteractionModeChangedEvent, self._mode)

    def cancel(self) -> None:
        """Give up what is being placed."""
        node, self._placed_now = self._placed_now, None
        self.removeObservers()
        if node is not None:
            interaction = self._interaction()
            if interaction is not None and interaction.GetCurrentInteractionMode() == interaction.Place:
                interaction.SetCurrentInteractionMode(interaction.ViewTransform)
            self._take_out(node)

    def hide(self, is_hidden: bool) -> None:
        """Hide them for a moment, or show them again."""
        for node in self.nodes:
            if self._scene.IsNodePresent(node):
                node.GetDisplayNode().SetVisibility(not is_hidden)

    def clear(self) -> None:
        """Take all of them out of the scene."""
        self.cancel()
        nodes, self.nodes = self.nodes, []
        for node in nodes:
            self._take_out(node)
        self._case_id = ""

    def _new_node(self) -> Any:
        node = self._scene.AddNewNodeByClass(CLASS, _("Ruler"))
        node.SetAttribute(CASE_ATTRIBUTE, self._case_id)
        # What is measured is the picture: a ruler that a saved scene brought along would belong to no case.
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        for set_colour in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
            set_colour(*COLOUR)
        display.SetPointLabelsVisibility(False)
        display.SetPropertiesLabelVisibility(True)
        Folder(self._scene, self._case_id).put(node)
        return node

    def _mode(self, interaction: Any, event: str) -> None:
        node = self._placed_now
        if node is None or interaction.GetCurrentInteractionMode() == interaction.Place:
            return
        if node.GetNumberOfDefinedControlPoints() < ENDS:
            self.cancel()
            return
        self._placed_now = None
        self.removeObservers()
        self.nodes.append(node)

    def _take_out(self, node: Any) -> None:
        if self._scene.IsNodePresent(node):
            Folder(self._scene, node.GetAttribute(CASE_ATTRIBUTE) or "").take_out(node)
        else:
            remove_markup(self._scene, node)

    def _interaction(self) -> Any:
        return self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
