"""Clicks and drags of the reader in slice and 3-D views: where they go to in the patient."""

from functools import partial
from typing import Any, Callable, Optional, Set, Tuple

import numpy as np
import slicer
import vtk
from slicer.util import VTKObservationMixin

STILL_PIXELS = 3
"""A press and a release at most this far apart are a click, not a drag."""
BEFORE_SLICER = 10.0

Line = Tuple[np.ndarray, np.ndarray]
"""A point and a direction, RAS in mm; in a slice view the direction is zero."""


class Clicks(VTKObservationMixin):
    """Watches all views of the layout.

    Args:
        clicked: called with the line in the patient that lies under the click.
        dragged: called with the lines under the press and under the mouse, and whether the button is up again.

    Attributes:
        was_placing: whether the last press was one of Slicer's place mode, such as an end of a ruler.
    """

    def __init__(
        self, clicked: Callable[[np.ndarray, np.ndarray], None], dragged: Callable[[Line, Line, bool], None]
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._clicked, self._dragged = clicked, dragged
        self._watched: Set[Any] = set()
        self._pressed: Optional[Tuple[int, int]] = None
        self._is_drag = False
        self.was_placing = False

    def watch(self) -> None:
        """Watch the views that the layout has by now."""
        layout = slicer.app.layoutManager()
        if layout is None:
            return
        for name in layout.sliceViewNames():
            widget = layout.sliceWidget(name)
            node = widget.mrmlSliceNode()
            self._observe(widget.sliceView().interactor(), partial(_in_slice, node))
        for index in range(layout.threeDViewCount):
            view = layout.threeDWidget(index).threeDView()
            renderer = view.renderWindow().GetRenderers().GetFirstRenderer()
            self._observe(view.interactor(), partial(_in_space, renderer))

    def close(self) -> None:
        """Stop watching."""
        self.removeObservers()
        self._watched, self._pressed = set(), None

    def _observe(self, interactor: Any, line_at: Callable[[int, int], Line]) -> None:
        if interactor in self._watched:
            return
        self._watched.add(interactor)

        def pressed(caller: Any, event: str) -> None:
            self._pressed, self._is_drag = interactor.GetEventPosition(), False
            self.was_placing = _is_place_mode()

        def moved(caller: Any, event: str) -> None:
            if self._pressed is None:
                return
            x, y = interactor.GetEventPosition()
            self._is_drag = self._is_drag or max(abs(x - self._pressed[0]), abs(y - self._pressed[1])) > STILL_PIXELS
            if self._is_drag:
                self._dragged(line_at(*self._pressed), line_at(x, y), False)

        def released(caller: Any, event: str) -> None:
            start, self._pressed = self._pressed, None
            x, y = interactor.GetEventPosition()
            if start is None:
                return
            if max(abs(x - start[0]), abs(y - start[1])) > STILL_PIXELS:
                self._dragged(line_at(*start), line_at(x, y), True)
            else:
                self._clicked(*line_at(x, y))

        reactions = {"LeftButtonPressEvent": pressed, "MouseMoveEvent": moved, "LeftButtonReleaseEvent": released}
        for event, reaction in reactions.items():
            self.addObserver(interactor, event, reaction, priority=BEFORE_SLICER)


def first_hit(
    point: np.ndarray, direction: np.ndarray, centers: np.ndarray, sizes: np.ndarray, axes: np.ndarray
) -> int:
    """The box under a click: in a slice view the smallest, in a 3-D view the nearest; -1 for none.

    Args:
        point: RAS in mm.
        direction: from the point into the picture; zero in a slice view.
        centers: [n, 3], RAS in mm.
        sizes: [n, 3] in mm, along the axes.
        axes: [3, 3], columns are the RAS directions of the boxes' sides.
    """
    if not len(centers):
        return -1
    start, half = (point - centers) @ axes, sizes / 2
    if not direction.any():
        inside = (np.abs(start) <= half).all(axis=1)
        return int(np.argmin(np.where(inside, sizes.prod(axis=1), np.inf))) if inside.any() else -1
    along = direction @ axes
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = (-half - start) / along, (half - start) / along
    enter, leave = np.fmin(near, far).max(axis=1), np.fmax(near, far).min(axis=1)
    hit = (enter <= leave) & (leave > 0)
    return int(np.argmin(np.where(hit, enter, np.inf))) if hit.any() else -1


def _is_place_mode() -> bool:
    node = slicer.app.applicationLogic().GetInteractionNode()
    return node is not None and node.GetCurrentInteractionMode() == node.Place


def _in_slice(node: Any, x: int, y: int) -> Line:
    return np.array(node.GetXYToRAS().MultiplyPoint((x, y, 0.0, 1.0))[:3]), np.zeros(3)


def _in_space(renderer: Any, x: int, y: int) -> Line:
    ends = []
    for depth in (0.0, 1.0):
        coordinate = vtk.vtkCoordinate()
        coordinate.SetCoordinateSystemToNormalizedDisplay()
        width, height = renderer.GetRenderWindow().GetSize()
        coordinate.SetValue(x / width, y / height, depth)
        ends.append(np.array(coordinate.GetComputedWorldValue(renderer)))
    return ends[0], ends[1] - ends[0]
