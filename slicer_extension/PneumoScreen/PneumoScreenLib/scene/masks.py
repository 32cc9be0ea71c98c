"""Masks of lungs and infection as one segmentation over the volume, switched on and off."""

from typing import Any, Dict, Optional

import slicer
import slicer.util

from .colours import INFECTION, LEFT_LUNG, RIGHT_LUNG
from .lung_sides import LungSides
from .volumes import SceneError, case_volume

SEGMENTS = {1: ("left lung", LEFT_LUNG), 2: ("right lung", RIGHT_LUNG), 3: ("infection", INFECTION)}
"""Name and colour of each value of the label map."""
LUNGS = (1, 2)


class Masks:
    """The masks of the open case.

    Args:
        scene: MRML scene.

    Attributes:
        node: their vtkMRMLSegmentationNode; None where there are none.
        sides: says which lung a box lies in; None where there are none.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._is_visible = {"lungs": False, "infection": True}
        self._segments: Dict[int, str] = {}
        self.node: Any = None
        self.sides: Optional[LungSides] = None

    def show(self, path: str) -> None:
        """Show a label map file (1 left lung, 2 right lung, 3 infection) in the place of the masks before.

        They take the grid of the open case's volume.

        Raises:
            SceneError: if Slicer cannot read the file.
        """
        try:
            labels = slicer.util.loadLabelVolume(path, {"name": "PneumoScreen masks", "show": False})
        except RuntimeError:
            raise SceneError(f"Slicer cannot read the masks in {path}: screen the case again.") from None
        self.clear()
        node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs and infection")
        # Redrawn from the server's file, so a saved scene need not carry it.
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(case_volume() or labels)
        slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labels, node)
        self.sides = LungSides(labels)
        self._scene.RemoveNode(labels)
        self.node = node
        self._name_segments()
        self._apply()

    def set_visible(self, lungs: Optional[bool] = None, infection: Optional[bool] = None) -> None:
        """Switch masks on or off; what is not named stays as it is, also for the next case."""
        for name, wanted in (("lungs", lungs), ("infection", infection)):
            if wanted is not None:
                self._is_visible[name] = wanted
        self._apply()

    def clear(self) -> None:
        """Take the masks out of the scene."""
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self._scene.RemoveNode(self.node)
        self.node, self.sides, self._segments = None, None, {}

    def _name_segments(self) -> None:
        segmentation = self.node.GetSegmentation()
        for index in range(segmentation.GetNumberOfSegments()):
            segment = segmentation.GetNthSegment(index)
            value = segment.GetLabelValue()
            if value in SEGMENTS:
                name, colour = SEGMENTS[value]
                segment.SetName(name)
                segment.SetColor(*colour)
                self._segments[value] = segmentation.GetNthSegmentID(index)

    def _apply(self) -> None:
        if self.node is None or not self._scene.IsNodePresent(self.node):
            return
        display = self.node.GetDisplayNode()
        for value, segment_id in self._segments.items():
            on = self._is_visible["lungs" if value in LUNGS else "infection"]
            display.SetSegmentVisibility(segment_id, on)
            display.SetSegmentOpacity2DFill(segment_id, 0.22 if value in LUNGS else 0.35)
