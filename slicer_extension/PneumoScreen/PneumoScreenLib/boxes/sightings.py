"""Which box is drawn in which view.

Slicer makes a widget for every markup in every view, whether it is in sight or not, which takes milliseconds each and
as long again at every move of the view: with 200 boxes seconds. Here a box belongs only to the slice views whose plane
cuts it, and the selected one to the 3-D views; there ``frames.py`` draws the others. The selected box is made and drawn
at once, the others piece by piece while nothing else happens: first those that a plane cuts.
"""

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple

import numpy as np
import slicer
import slicer.util
from slicer.util import VTKObservationMixin

from ..background import Later, Pieces, when_idle
from ..scene.views import crosses, layer_nodes, slice_nodes, slice_nodes_of
from ..signal import Signal
from .node import show_in

BEFORE_SLICER = 10.0
"""Priority: boxes that a view leaves behind are taken out of it before Slicer draws them anew."""
Show = Tuple[str, Set[str]]


class Sightings(VTKObservationMixin):
    """Keeps boxes in the views that see them: slice views only where they show the volume of the case.

    Args:
        box_of: gives the node of a region's box, which it makes where there is none yet.
        later: starts a piece of work in the background.

    Attributes:
        views_changed: (ids), when other slice views than before show the volume of the case.
        completed: once all boxes are made and in all views that see them.
    """

    def __init__(self, box_of: Callable[[str], Any], later: Later = when_idle) -> None:
        VTKObservationMixin.__init__(self)
        self.views_changed, self.completed = Signal(), Signal()
        self._box_of, self._pieces = box_of, Pieces(self._step, later)
        self._volume: Any = None
        self._case_views: Optional[Set[str]] = None
        self._regions: List[str] = []
        self._centers, self._sizes, self._axes = np.zeros((0, 3)), np.zeros((0, 3)), np.eye(3)
        self._shown: Dict[str, Set[str]] = {}
        self._threed: Set[str] = set()
        self._front: Optional[str] = None
        self._queue: List[Show] = []

    @property
    def is_adding(self) -> bool:
        """Whether boxes are not made yet, or in sight of a view that has them not."""
        return bool(self._queue)

    def set_volume(self, volume: Any) -> None:
        """The volume of the case, over which alone its boxes lie; None: over any."""
        self._volume, self._case_views = volume, None

    def set_boxes(self, regions: Sequence[str], centers: np.ndarray, sizes: np.ndarray, axes: np.ndarray) -> None:
        """The regions there are, by id, with centres and sizes [n, 3] (RAS, mm) in the same order, axes [3, 3]."""
        self.forget(set(self._regions) - set(regions))
        self._regions, self._centers, self._sizes, self._axes = list(regions), centers, sizes, axes

    def forget(self, regions: Iterable[str]) -> None:
        """The boxes of these regions are no more."""
        for gone in regions:
            self._shown.pop(gone, None)

    def bring_to_front(self, region: Optional[str]) -> None:
        """Make and draw one box at once in all views that see it."""
        self._front = region

    def update(self) -> None:
        """Let all views show what they see now."""
        self._watch()
        views = slice_nodes_of(self._volume)
        if set(views) != self._case_views:
            self._case_views = set(views)
            self.views_changed.emit(self._case_views)
        wanted: Dict[str, Set[str]] = {region: set() for region in self._regions}
        for view_id, view in views.items() if wanted else ():
            for index in np.flatnonzero(crosses(view, self._centers, self._sizes, self._axes)):
                wanted[self._regions[index]].add(view_id)
        self._threed = threed = {view.GetID() for view in slicer.util.getNodesByClass("vtkMRMLViewNode")}
        for region, planes in wanted.items():
            if region == self._front:
                self._show(region, planes | threed)
            elif region in self._shown:
                self._show(region, planes & self._shown[region])
        # What comes into sight of a plane before what no view shows; a box in all of its views at once.
        missing = {
            region: planes
            for region, planes in wanted.items()
            if region not in self._shown or (region != self._front and not planes <= self._shown[region])
        }
        self._queue = sorted(missing.items(), key=lambda each: not wanted[each[0]])
        if self._queue:
            self._pieces.start()

    def close(self) -> None:
        """Stop watching the views; what was still to be made is not made any more."""
        self.removeObservers()
        self._queue, self._regions, self._shown, self._front = [], [], {}, None

    def _show(self, region: str, views: Set[str]) -> None:
        if self._shown.get(region) == views:
            return
        node = self._box_of(region)
        # Somebody took it out of the scene, which is told in a moment.
        if node.GetScene() is not None:
            self._shown[region] = views
            show_in(node, views - self._threed, views & self._threed)

    def _step(self) -> bool:
        if self._queue:
            region, views = self._queue.pop(0)
            self._show(region, views)
            if not self._queue:
                self.completed.emit()
        return bool(self._queue)

    def _watch(self) -> None:
        for node in (*slice_nodes().values(), *layer_nodes()):
            if not self.hasObserver(node, "ModifiedEvent", self._view_changed):
                self.addObserver(node, "ModifiedEvent", self._view_changed, priority=BEFORE_SLICER)

    def _view_changed(self, caller: Any, event: str) -> None:
        self.update()
