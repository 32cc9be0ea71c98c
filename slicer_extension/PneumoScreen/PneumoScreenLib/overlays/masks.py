"""Masks of lungs and infection as one segmentation over the volume, switched on and off."""

from typing import Any, Dict, Iterable, List, Optional

import slicer
import slicer.util

from ..scene.colours import INFECTION, LEFT_LUNG, RIGHT_LUNG
from ..scene.views import NOWHERE, slice_nodes
from ..scene.volumes import SceneError
from ..translation import _
from .lung_sides import LungSides
from .lung_surface import LungSurface

SEGMENTS = {1: (_("left lung"), LEFT_LUNG), 2: (_("right lung"), RIGHT_LUNG), 3: (_("infection"), INFECTION)}
"""Name and colour of each value of the label map."""
LUNGS = (1, 2)


class Masks:
    """The masks of the open case.

    Args:
        scene: MRML scene.

    Attributes:
        node: their vtkMRMLSegmentationNode; None where there are none.
        sides: says which lung a box lies in; None where there are none.
        surface: the lungs in the 3-D views.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._is_visible = {"lungs": False, "infection": True}
        self._segments: Dict[int, str] = {}
        self._views: Optional[List[str]] = None
        self.node: Any = None
        self.sides: Optional[LungSides] = None
        self.surface = LungSurface(scene)

    def show(self, path: str, volume: Any = None) -> None:
        """Show a label map file (1 left lung, 2 right lung, 3 infection) in the place of the masks before.

        Args:
            path: the file.
            volume: vtkMRMLScalarVolumeNode of the open case, whose grid they take.

        Raises:
            SceneError: if Slicer cannot read the file.
        """
        try:
            labels = slicer.util.loadLabelVolume(path, {"name": "PneumoScreen masks", "show": False})
        except RuntimeError:
            raise SceneError(
                _("Slicer cannot read the masks in {path}: screen the case again.").format(path=path)
            ) from None
        views = self._views
        self.clear()
        # Which views show the case has not changed by this, and nobody tells it again.
        self._views = views
        node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", _("Lungs and infection"))
        # Redrawn from the server's file, so a saved scene need not carry it.
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume or labels)
        slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labels, node)
        self.sides = LungSides(labels)
        self.surface.show(labels)
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

    def lungs_on(self, volume: Any) -> Any:
        """Both lungs with what is infected in them, bool [k, j, i] on the grid of a volume; None where unknown."""
        if self.node is None or not self._scene.IsNodePresent(self.node):
            return None
        inside = None
        for segment_id in self._segments.values():
            part = slicer.util.arrayFromSegmentBinaryLabelmap(self.node, segment_id, volume) > 0
            inside = part if inside is None else inside | part
        return inside

    def hide(self, is_hidden: bool) -> None:
        """Hide them for a moment, or show them again."""
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self.node.GetDisplayNode().SetVisibility(not is_hidden)
        self.surface.hide(is_hidden)

    def show_in(self, slice_views: Iterable[str]) -> None:
        """Show them in these slice views, by their ids, and in all 3-D views."""
        self._views = sorted(slice_views)
        self._apply()

    def clear(self) -> None:
        """Take the masks out of the scene."""
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self._scene.RemoveNode(self.node)
        self.surface.clear()
        self.node, self.sides, self._segments, self._views = None, None, {}, None

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

    def _view_ids(self) -> List[str]:
        """Ids for the display node: none stands for all views."""
        if self._views is None or set(slice_nodes()) <= set(self._views):
            return []
        spaces = [node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLViewNode")]
        return [*self._views, *spaces] or [NOWHERE]

    def _apply(self) -> None:
        if self.node is None or not self._scene.IsNodePresent(self.node):
            return
        display = self.node.GetDisplayNode()
        display.SetViewNodeIDs(self._view_ids())
        for value, segment_id in self._segments.items():
            on = self._is_visible["lungs" if value in LUNGS else "infection"]
            display.SetSegmentVisibility(segment_id, on)
            display.SetSegmentOpacity2DFill(segment_id, 0.22 if value in LUNGS else 0.35)
