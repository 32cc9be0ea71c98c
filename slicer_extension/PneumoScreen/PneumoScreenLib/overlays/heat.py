"""The Grad-CAM of a radiograph's verdict: it makes the radiograph warm in the slice views, the more the more spoke.

Slice views know one opacity for all of a volume, so that a picture blended over another one is nowhere faint. What is
subtracted is: the colours of the Grad-CAM are what it takes from the radiograph's, nothing at 0.
"""

from typing import Any, Iterable, Optional, Set

import numpy as np
import slicer
import slicer.util
import vtk

from ..scene.radiograph import STRENGTH, is_radiograph, taken
from ..scene.views import layer_nodes, slice_nodes
from ..scene.volumes import SceneError
from ..translation import _


class Heat:
    """The Grad-CAM of the open radiograph.

    Args:
        scene: MRML scene.

    Attributes:
        node: its vtkMRMLScalarVolumeNode; None where there is none.
        strength: how much it takes from the radiograph, from 0 to 1, also from the next one.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._is_visible, self.strength = True, STRENGTH
        self._colours: Any = None
        self._views: Optional[Set[str]] = None
        self.node: Any = None

    @property
    def values(self) -> Optional[np.ndarray]:
        """uint8 [row, column], 255 where most spoke for the verdict; None where there is none or it is switched off."""
        is_shown = self.node is not None and self._is_visible
        return np.asarray(slicer.util.arrayFromVolume(self.node))[0] if is_shown else None

    def show(self, path: str, radiograph: Any = None) -> None:
        """Show a file of one uint8 picture in the place of the Grad-CAM before; it covers the whole radiograph.

        Args:
            path: the file.
            radiograph: vtkMRMLVolumeNode of the open case.

        Raises:
            SceneError: if it is none, or Slicer cannot read it.
        """
        try:
            node = slicer.util.loadVolume(path, {"name": "Grad-CAM", "singleFile": True, "show": False})
        except RuntimeError:
            raise SceneError(
                _("Slicer cannot read the Grad-CAM in {path}: screen the case again.").format(path=path)
            ) from None
        if not is_radiograph(node) or slicer.util.arrayFromVolume(node).dtype != np.uint8:
            self._scene.RemoveNode(node)
            raise SceneError(
                _("What lies in {path} is no Grad-CAM of a radiograph: screen the case again.").format(path=path)
            )
        views = self._views
        self.clear()
        # Which views show the case has not changed by this, and nobody tells it again.
        self._views = views
        # Fetched from the server again, so a saved scene need not carry it; and no volume to be sent as a case.
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        _spread(node, radiograph)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(255.0, 127.5)
        display.SetAndObserveColorNodeID(self._colour_table().GetID())
        self.node = node
        self._apply()

    def set_visible(self, is_visible: bool) -> None:
        """Switch it on or off, also for the next case."""
        self._is_visible = is_visible
        self._apply()

    def set_strength(self, strength: float) -> None:
        """How much it takes from the radiograph, from 0 to 1, also from the next one."""
        self.strength = strength
        if self._colours is not None and self._scene.IsNodePresent(self._colours):
            self._fill(self._colours)

    def hide(self, is_hidden: bool) -> None:
        """Hide it for a moment, or show it again where it is switched on."""
        if self.node is not None and self._scene.IsNodePresent(self.node):
            if is_hidden:
                self._lay(set())
            else:
                self._apply()

    def show_in(self, slice_views: Iterable[str]) -> None:
        """Show it in these slice views, by their ids: another picture than the radiograph has none."""
        self._views = set(slice_views)
        self._apply()

    def clear(self) -> None:
        """Take it out of the scene."""
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self._lay(set())
            self._scene.RemoveNode(self.node)
        self.node, self._views = None, None

    def _apply(self) -> None:
        if self.node is not None:
            views = slice_nodes()
            shown = set(views) if self._views is None else self._views & set(views)
            self._lay({views[each].GetLayoutName() for each in shown} if self._is_visible else set())

    def _lay(self, names: Set[str]) -> None:
        """Lay it over the pictures of the views of these names, and of no other."""
        own = self.node.GetID()
        for layers in layer_nodes():
            is_wanted = layers.GetLayoutName() in names
            if is_wanted != (layers.GetForegroundVolumeID() == own):
                layers.SetForegroundVolumeID(own if is_wanted else None)
                layers.SetForegroundOpacity(1.0 if is_wanted else 0.0)
                layers.SetCompositing(layers.Subtract if is_wanted else layers.Alpha)

    def _colour_table(self) -> Any:
        if self._colours is None or not self._scene.IsNodePresent(self._colours):
            table = self._scene.AddNewNodeByClass("vtkMRMLColorTableNode", "PneumoScreen Grad-CAM")
            table.SetTypeToUser()
            table.SetSaveWithScene(False)
            table.SetHideFromEditors(True)
            table.SetNumberOfColors(256)
            self._fill(table)
            table.GetLookupTable().SetTableRange(0, 255)
            self._colours = table
        return self._colours

    def _fill(self, table: Any) -> None:
        """What each value takes from red, green and blue."""
        for value, colour in enumerate(taken(np.arange(256), self.strength)):
            table.SetColor(value, str(value), *(float(part) for part in colour), 1.0)


def _spread(heat: Any, radiograph: Any) -> None:
    """Let a picture cover a radiograph from edge to edge, however many pixels both have."""
    if radiograph is None or radiograph.GetImageData() is None:
        return
    stored = radiograph.GetImageData().GetDimensions()
    matrix = vtk.vtkMatrix4x4()
    radiograph.GetIJKToRASMatrix(matrix)
    scale = [stored[axis] / heat.GetImageData().GetDimensions()[axis] for axis in range(3)]
    for row in range(3):
        for axis in range(3):
            step = matrix.GetElement(row, axis)
            # Pixels are places of their middles: half a large one begins before half a small one.
            matrix.SetElement(row, 3, matrix.GetElement(row, 3) + step * (scale[axis] - 1.0) / 2)
            matrix.SetElement(row, axis, step * scale[axis])
    heat.SetIJKToRASMatrix(matrix)
