"""Masks of lungs and infection as one segmentation over the volume, switched on and off."""

from functools import partial
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np
import slicer
import slicer.util

from ..background import Later, when_idle
from ..palette import INFECTION, LEFT_LUNG, RIGHT_LUNG
from ..scene.views import NOWHERE, slice_nodes
from ..scene.volumes import SceneError
from ..translation import _
from .label_map import INFECTED, LEFT, RIGHT, Box, LabelMap, values_on
from .lung_sides import LungSides
from .lung_surface import LungSurface

SEGMENTS = {
    LEFT: (_("left lung"), LEFT_LUNG),
    RIGHT: (_("right lung"), RIGHT_LUNG),
    INFECTED: (_("infection"), INFECTION),
}
"""Name and colour of each value of the label map."""
LUNGS = (LEFT, RIGHT)


class Masks:
    """The masks of the open case.

    Args:
        scene: MRML scene.
        later: starts work in the background.

    Attributes:
        node: their vtkMRMLSegmentationNode; None where there are none.
        sides: says which lung a box lies in; None where there are none.
        surface: the lungs in the 3-D views, a turn of the event loop later.
    """

    def __init__(self, scene: Any, later: Later = when_idle) -> None:
        self._scene, self._later = scene, later
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
        found = LabelMap.of(labels)
        self._scene.RemoveNode(labels)
        self.node = node
        self._add_segments(found)
        samples = found.sampled()
        self.sides = LungSides(samples)
        self._apply()
        self._later(partial(self._add_surface, node, samples))

    def set_visible(self, lungs: Optional[bool] = None, infection: Optional[bool] = None) -> None:
        """Switch masks on or off; what is not named stays as it is, also for the next case."""
        for name, wanted in (("lungs", lungs), ("infection", infection)):
            if wanted is not None:
                self._is_visible[name] = wanted
        self._apply()

    def lungs_on(self, volume: Any) -> Optional[Tuple[np.ndarray, Box]]:
        """Both lungs with what is infected in them, as they stand in the scene; None where they are unknown.

        Returns:
            bool [k, j, i], and the part of the volume's array that it lies on.
        """
        if self.node is None or not self._scene.IsNodePresent(self.node):
            return None
        images = {self._image_of(segment_id) for segment_id in self._segments.values()} - {None}
        on_grid = values_on(images.pop(), volume) if len(images) == 1 else None
        if on_grid is not None:
            return on_grid[0] > 0, on_grid[1]
        # Another grid, or segments that somebody edited so that they overlap: resampled, which takes a while.
        parts = [
            slicer.util.arrayFromSegmentBinaryLabelmap(self.node, segment_id, volume) > 0
            for segment_id in self._segments.values()
            if self._image_of(segment_id) is not None
        ]
        everywhere = (slice(None), slice(None), slice(None))
        return (np.logical_or.reduce(parts), everywhere) if parts else None

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

    def _add_surface(self, node: Any, samples: LabelMap) -> None:
        # The case may have been left since, or other masks have come.
        if node is self.node and node.GetScene() is not None:
            self.surface.show(samples)
            self.surface.hide(not node.GetDisplayNode().GetVisibility())

    def _add_segments(self, found: LabelMap) -> None:
        """A segment for each value that there is, all of one picture, as Slicer's own segmentations have them."""
        image, kind = found.image(), slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        for value, (name, colour) in SEGMENTS.items():
            if (found.values == value).any():
                segment = slicer.vtkSegment()
                segment.SetName(name)
                segment.SetColor(*colour)
                segment.SetLabelValue(value)
                segment.AddRepresentation(kind, image)
                self._segments[value] = f"PneumoScreen_{value}"
                self.node.GetSegmentation().AddSegment(segment, self._segments[value])

    def _image_of(self, segment_id: str) -> Any:
        """What a segment holds; None where somebody took it out."""
        segment = self.node.GetSegmentation().GetSegment(segment_id)
        kind = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        return None if segment is None else segment.GetRepresentation(kind)

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
