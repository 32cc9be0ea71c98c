"""Which box is drawn in which view.

Slicer makes a widget for every markup in every view, whether it is in sight or not, which takes milliseconds each and
as long again at every move of the view: with 200 boxes seconds. Here a box belongs only to the slice views whose plane
cuts it, and to the 3-D views. The selected box is drawn at once, the others are added piece by piece while nothing else
happens.
"""

import time
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import numpy as np
import slicer
import slicer.util
from slicer.util import VTKObservationMixin

from ..scene.views import crosses, layer_nodes, slice_nodes, slice_nodes_of
from ..signal import Signal
from .node import show_in

BEFORE_SLICER = 10.0
"""Priority: boxes that a view leaves behind are taken out of it before Slicer draws them anew."""
PIECE_S = 0.02
"""Time for one piece of work in the background."""

Later = Callable[[Callable[[], None]], None]
Show = Tuple[str, Set[str]]


def when_idle(work: Callable[[], None]) -> None:
    """Let Slicer's event loop do something when it has nothing else to do."""
    import qt

    qt.QTimer.singleShot(0, work)


class Sightings(VTKObservationMixin):
    """Keeps boxes in the views that see them: slice views only where they show the volume of the case.

    Args:
        later: starts a piece of work in the background.

    Attributes:
        views_changed: (ids), when other slice views than before show the volume of the case.
    """

    def __init__(self, later: Later = when_idle) -> None:
        VTKObservationMixin.__init__(self)
        self.views_changed = Signal()
        self._later = later
        self._volume: Any = None
        self._case_views: Optional[Set[str]] = None
        self._nodes: Dict[str, Any] = {}
        self._centers, self._sizes, self._axes = np.zeros((0, 3)), np.zeros((0, 3)), np.eye(3)
        self._shown: Dict[str, Set[str]] = {}
        self._threed: Set[str] = set()
        self._front = ""
        self._queue: List[Show] = []
        self._is_working = False

    @property
    def is_adding(self) -> bool:
        """Whether boxes are in sight that no view has yet."""
        return bool(self._queue)

    def set_volume(self, volume: Any) -> None:
        """The volume of the case, over which alone its boxes lie; None: over any."""
        self._volume, self._case_views = volume, None

    def set_boxes(self, nodes: Dict[str, Any], centers: np.ndarray, sizes: np.ndarray, axes: np.ndarray) -> None:
        """The boxes there are: nodes by id, centres and sizes [n, 3] (RAS, mm) in the same order, axes [3, 3]."""
        for gone in set(self._nodes) - set(nodes):
            self._shown.pop(gone, None)
        self._nodes, self._centers, self._sizes, self._axes = dict(nodes), centers, sizes, axes

    def bring_to_front(self, node_id: str) -> None:
        """Draw one box at once in all views that see it."""
        self._front = node_id

    def update(self) -> None:
        """Let all views show what they see now."""
        self._watch()
        views = slice_nodes_of(self._volume)
        if set(views) != self._case_views:
            self._case_views = set(views)
            self.views_changed.emit(self._case_views)
        ids = list(self._nodes)
        wanted: Dict[str, Set[str]] = {node_id: set() for node_id in ids}
        for view_id, view in views.items():
            for index in np.flatnonzero(crosses(view, self._centers, self._sizes, self._axes)) if ids else ():
                wanted[ids[index]].add(view_id)
        self._threed = threed = {view.GetID() for view in slicer.util.getNodesByClass("vtkMRMLViewNode")}
        for node_id in ids:
            at_once = {
                view_id
                for view_id in wanted[node_id] | threed
                if node_id == self._front or view_id in self._shown.get(node_id, ())
            }
            self._show(node_id, at_once)
        # What comes into sight of a plane before what is seen in space alone; a box in all of its views at once.
        missing = {key: views for key in ids for views in [(wanted[key] | threed) - self._shown[key]] if views}
        self._queue = sorted(missing.items(), key=lambda each: each[1] <= threed)
        if self._queue and not self._is_working:
            self._is_working = True
            self._later(self._work)

    def close(self) -> None:
        """Stop watching the views."""
        self.removeObservers()
        self._queue, self._nodes, self._shown = [], {}, {}

    def _show(self, node_id: str, views: Set[str]) -> None:
        if self._shown.get(node_id) == views:
            return
        self._shown[node_id] = views
        show_in(self._nodes[node_id], views - self._threed, views & self._threed)

    def _work(self) -> None:
        self._is_working = False
        end = time.monotonic() + PIECE_S
        while self._queue and time.monotonic() < end:
            node_id, views = self._queue.pop(0)
            node = self._nodes.get(node_id)
            if node is not None and node.GetScene() is not None:
                self._show(node_id, self._shown[node_id] | views)
        if self._queue:
            self._is_working = True
            self._later(self._work)

    def _watch(self) -> None:
        for node in (*slice_nodes().values(), *layer_nodes()):
            if not self.hasObserver(node, "ModifiedEvent", self._view_changed):
                self.addObserver(node, "ModifiedEvent", self._view_changed, priority=BEFORE_SLICER)

    def _view_changed(self, caller: Any, event: str) -> None:
        self.update()
