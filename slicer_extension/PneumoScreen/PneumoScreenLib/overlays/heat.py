"""The Grad-CAM of a radiograph's verdict: it makes the radiograph warm in the slice views, the more the more spoke.

Slice views know one opacity for all of a volume, so that a picture blended over another one is nowhere faint. What is
subtracted is: the colours of the Grad-CAM are what it takes from the radiograph's, nothing at 0.
"""

from typing import Any, Optional

import numpy as np
import slicer
import slicer.util
import vtk

from ..scene.radiograph import STRENGTH, is_radiograph, taken
from ..scene.volumes import SceneError
from ..translation import _
from .layer import Layer


class Heat(Layer):
    """The Grad-CAM of the open radiograph.

    Args:
        scene: MRML scene.

    Attributes:
        node: its vtkMRMLScalarVolumeNode; None where there is none.
        strength: how much it takes from the radiograph, from 0 to 1, also from the next one.
    """

    colour_name, colour_count = "PneumoScreen Grad-CAM", 256

    def __init__(self, scene: Any) -> None:
        super().__init__(scene)
        self.strength = STRENGTH

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
        _spread(node, radiograph)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().AutoWindowLevelOff()
        node.GetDisplayNode().SetWindowLevel(255.0, 127.5)
        self._take(node)

    def set_strength(self, strength: float) -> None:
        """How much it takes from the radiograph, from 0 to 1, also from the next one."""
        self.strength = strength
        if self._colours is not None and self._scene.IsNodePresent(self._colours):
            self._fill(self._colours)

    def _shown_over(self, layers: Any) -> Optional[str]:
        return layers.GetForegroundVolumeID()  # type: ignore[no-any-return]

    def _put(self, layers: Any, volume_id: Optional[str]) -> None:
        layers.SetForegroundVolumeID(volume_id)
        layers.SetForegroundOpacity(0.0 if volume_id is None else 1.0)
        layers.SetCompositing(layers.Alpha if volume_id is None else layers.Subtract)

    def _fill(self, colours: Any) -> None:
        """What each value takes from red, green and blue."""
        for value, colour in enumerate(taken(np.arange(256), self.strength)):
            colours.SetColor(value, str(value), *(float(part) for part in colour), 1.0)


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
