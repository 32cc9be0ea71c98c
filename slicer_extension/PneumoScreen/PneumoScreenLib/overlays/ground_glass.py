"""Ground glass by its grey values: an amber layer over the lungs of a scan, switched by the reader."""

from typing import Any, Optional, Tuple

import numpy as np
import slicer.util

from ..palette import GROUND_GLASS
from ..scene.radiograph import is_radiograph
from ..translation import _
from .label_map import Box, grid_of
from .layer import Layer

GROUND_GLASS_HU = (-750.0, -300.0)
"""From and to, ours: denser than aerated lung, less dense than consolidation; walls of bronchi and vessels, which
share their voxels with air, have these values, too."""
OPACITY = 0.4


class GroundGlass(Layer):
    """The layer of the open case; it is computed when it is asked for first.

    Args:
        scene: MRML scene.

    Attributes:
        node: its vtkMRMLLabelMapVolumeNode; None where there is none.
        is_on: whether the reader wants to see it; that holds for the next case, too.
    """

    colour_name = "PneumoScreen ground glass"

    def __init__(self, scene: Any) -> None:
        super().__init__(scene)
        self.is_on = False

    def show(self, volume: Any, lungs: Optional[Tuple[np.ndarray, Box]]) -> None:
        """Compute it for a scan; a radiograph has none.

        Args:
            volume: vtkMRMLScalarVolumeNode, in HU.
            lungs: bool [k, j, i] and the part of the volume's array that it lies on; None: unknown, so that all of the
                scan is coloured.
        """
        self._drop()
        if not self.is_on or volume is None or is_radiograph(volume):
            return
        inside, part = lungs or (True, (slice(None), slice(None), slice(None)))
        hu = slicer.util.arrayFromVolume(volume)[part]
        low, high = GROUND_GLASS_HU
        found = (hu >= low) & (hu <= high) & inside
        node = self._scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", _("Ground glass"))
        node.CopyOrientation(volume)
        first = [each.start or 0 for each in part[::-1]]
        node.SetOrigin(*(grid_of(volume) @ [*first, 1.0])[:3])
        slicer.util.updateVolumeFromArray(node, found.view(np.uint8))
        self._take(node)

    def _shown_over(self, layers: Any) -> Optional[str]:
        return layers.GetLabelVolumeID()  # type: ignore[no-any-return]

    def _put(self, layers: Any, volume_id: Optional[str]) -> None:
        layers.SetLabelVolumeID(volume_id)
        layers.SetLabelOpacity(1.0 if volume_id is None else OPACITY)

    def _fill(self, colours: Any) -> None:
        colours.SetColor(0, "none", 0.0, 0.0, 0.0, 0.0)
        colours.SetColor(1, _("ground glass"), *GROUND_GLASS, 1.0)
