"""Ground glass by its grey values: an amber layer over the lungs of a scan, switched by the reader."""

from typing import Any, Iterable, Optional, Set, Tuple

import numpy as np
import slicer.util

from ..palette import GROUND_GLASS
from ..scene.radiograph import is_radiograph
from ..scene.views import layer_nodes, slice_nodes
from ..translation import _
from .label_map import Box, grid_of

GROUND_GLASS_HU = (-750.0, -300.0)
"""From and to, ours: denser than aerated lung, less dense than consolidation; walls of bronchi and vessels, which
share their voxels with air, have these values, too."""
OPACITY = 0.4


class GroundGlass:
    """The layer of the open case; it is computed when it is asked for first.

    Args:
        scene: MRML scene.

    Attributes:
        node: its vtkMRMLLabelMapVolumeNode; None where there is none.
        is_on: whether the reader wants to see it; that holds for the next case, too.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._views: Optional[Set[str]] = None
        self._colours: Any = None
        self.node: Any = None
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
        # Computed again at any time, so a saved scene need not carry it; and no volume to be sent as a case.
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        node.CopyOrientation(volume)
        first = [each.start or 0 for each in part[::-1]]
        node.SetOrigin(*(grid_of(volume) @ [*first, 1.0])[:3])
        slicer.util.updateVolumeFromArray(node, found.view(np.uint8))
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetAndObserveColorNodeID(self._colour_table().GetID())
        self.node = node
        self._apply()

    def hide(self, is_hidden: bool) -> None:
        """Hide it for a moment, or show it again."""
        if is_hidden:
            self._lay(set())
        else:
            self._apply()

    def show_in(self, slice_views: Iterable[str]) -> None:
        """Show it in these slice views, by their ids: another picture than the scan has none."""
        self._views = set(slice_views)
        self._apply()

    def clear(self) -> None:
        """The case goes: take it out of the scene."""
        self._drop()
        self._views = None

    def _drop(self) -> None:
        self._lay(set())
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self._scene.RemoveNode(self.node)
        self.node = None

    def _apply(self) -> None:
        views = slice_nodes()
        shown = set(views) if self._views is None else self._views & set(views)
        self._lay({views[each].GetLayoutName() for each in shown})

    def _lay(self, names: Set[str]) -> None:
        """Lay it over the pictures of the views of these names, and of no other."""
        if self.node is None or not self._scene.IsNodePresent(self.node):
            return
        own = self.node.GetID()
        for layers in layer_nodes():
            is_wanted = layers.GetLayoutName() in names
            if is_wanted != (layers.GetLabelVolumeID() == own):
                layers.SetLabelVolumeID(own if is_wanted else None)
                layers.SetLabelOpacity(OPACITY if is_wanted else 1.0)

    def _colour_table(self) -> Any:
        if self._colours is None or not self._scene.IsNodePresent(self._colours):
            table = self._scene.AddNewNodeByClass("vtkMRMLColorTableNode", "PneumoScreen ground glass")
            table.SetTypeToUser()
            table.SetSaveWithScene(False)
            table.SetHideFromEditors(True)
            table.SetNumberOfColors(2)
            table.SetColor(0, "none", 0.0, 0.0, 0.0, 0.0)
            table.SetColor(1, _("ground glass"), *GROUND_GLASS, 1.0)
            table.GetLookupTable().SetTableRange(0, 1)
            self._colours = table
        return self._colours
