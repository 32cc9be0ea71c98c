"""Boxes that somebody takes out of the scene, as by *Delete* in the Data tree: told once Slicer is done with it."""

from typing import Any, Callable, Dict, List

from slicer.util import VTKObservationMixin

from ..background import Later


class Losses(VTKObservationMixin):
    """Watches the nodes of the boxes. A scene that is closed or loaded loses nothing: its case is left.

    Args:
        scene: MRML scene.
        nodes: gives the nodes by the id of their region.
        lost: takes the ids of regions whose node is gone.
        later: starts work in the background.
    """

    def __init__(
        self,
        scene: Any,
        nodes: Callable[[], Dict[str, Any]],
        lost: Callable[[List[str]], None],
        later: Later,
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._scene, self._nodes, self._lost, self._later = scene, nodes, lost, later
        self._is_waiting = False

    def watch(self) -> None:
        """Tell of what goes from now on."""
        if not self.hasObserver(self._scene, self._scene.NodeRemovedEvent, self._removed):
            self.addObserver(self._scene, self._scene.NodeRemovedEvent, self._removed)

    def close(self) -> None:
        """Stop watching."""
        self.removeObservers()

    def _removed(self, scene: Any, event: str) -> None:
        # A scene that ends has no Python object any more.
        if scene is None or self._is_waiting or scene.IsClosing() or scene.IsBatchProcessing():
            return
        if self._gone():
            # A node is not to be put back, nor others removed, amid its removal.
            self._is_waiting = True
            self._later(self._tell)

    def _tell(self) -> None:
        self._is_waiting = False
        gone = self._gone()
        if gone:
            self._lost(gone)

    def _gone(self) -> List[str]:
        # Not asked of the scene, which looks through all of its nodes for each.
        return [region_id for region_id, node in self._nodes().items() if node.GetScene() is None]
