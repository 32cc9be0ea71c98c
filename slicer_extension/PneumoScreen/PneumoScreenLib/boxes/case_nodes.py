"""The boxes' nodes in the scene: made one by one, taken out piece by piece."""

from typing import Any, Collection, Dict

import numpy as np
import slicer.util

from ..background import Later, Parts
from ..contract import Region
from ..scene.data_tree import Folder, remove_leftovers
from .leaving import Leaving
from .node import new_node, show_in

HIDDEN_A_TURN = 50
"""Ours: each takes half a millisecond in four views."""


class Nodes:
    """The nodes of one case.

    Args:
        scene: MRML scene.
        later: starts work in the background.

    Attributes:
        of: the nodes there are so far, by the id of their region.
        leaving: the boxes that are still to go.
    """

    def __init__(self, scene: Any, later: Later) -> None:
        self._scene = scene
        self._case_id, self._folder = "", Folder(scene, "")
        self.of: Dict[str, Any] = {}
        self.leaving = Leaving(later)

    def begin(self, case_id: str) -> None:
        """Have no node yet; those of the case before go."""
        self.keep(())
        if case_id:
            remove_leftovers(self._scene, case_id)
        self._case_id, self._folder = case_id, Folder(self._scene, case_id)

    def keep(self, regions: Collection[str]) -> None:
        """Only these regions still have a node: where somebody took it out of the scene, none either."""
        before = self.of
        self.of = {key: node for key, node in before.items() if key in regions and node.GetScene() is not None}
        self.leaving.add(self._folder, [node for key, node in before.items() if key not in self.of])

    def hide(self) -> Parts:
        """Let no view show the nodes any more, a number of them a turn."""
        nodes = list(self.of.values())
        for first in range(0, len(nodes), HIDDEN_A_TURN):
            with slicer.util.RenderBlocker():
                for node in nodes[first : first + HIDDEN_A_TURN]:
                    if node.GetScene() is not None:
                        show_in(node, (), ())
            yield

    def make(self, region: Region, axes: np.ndarray, **state: bool) -> Any:
        """The node of a region, as it stands and in no view yet; ``state`` is that of ``new_node``."""
        self.of[region.id] = node = new_node(self._scene, self._case_id, region, axes, **state)
        self._folder.put(node)
        return node
