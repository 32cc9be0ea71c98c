"""The regions of a case as boxes in all views: a vtkMRMLMarkupsROINode each, coloured by type."""

from typing import Any, Dict, List, Optional

import numpy as np
import slicer
import slicer.util
from slicer.util import VTKObservationMixin

from ..background import Later, Parts, when_idle
from ..contract import Case, Region, lps_to_ras
from ..scene.volumes import box_axes
from ..signal import Signal
from .case_nodes import Nodes
from .clicks import Clicks, Line, first_hit
from .frames import Frames
from .losses import Losses
from .node import draw, geometry, is_elsewhere, places, set_visible
from .placing import Placing
from .redrawing import Redrawing
from .sightings import Sightings
from .tag import Tag


class Boxes(VTKObservationMixin):
    """The boxes of the open case. Their sides lie along the axes of the case's volume, as in the document.

    Only a box that is edited has handles and hears the mouse; the others are locked, so that 200 of them cost nothing
    while the mouse moves.

    Args:
        scene: MRML scene.
        later: starts work in the background; Slicer's event loop by default.

    Attributes:
        moved: (region id, centre (LPS, mm), size (mm)), once a drag of the selected box has ended.
        picked: (region id), when the reader clicked a box that is not the selected one.
        placed: (centre (LPS, mm), size (mm)), when the reader has placed a new box.
        deleted: (region ids), when somebody took their boxes out of the scene, as in the Data tree.
        views_changed: (ids), when other slice views than before show the volume of the case.
        nodes_changed: (nodes), when there are other nodes than before.
    """

    def __init__(self, scene: Any, later: Later = when_idle) -> None:
        VTKObservationMixin.__init__(self)
        self.moved, self.picked, self.placed, self.deleted = Signal(), Signal(), Signal(), Signal()
        self.selected: Optional[str] = None
        self.is_editing, self.is_hidden = False, False
        self.nodes_changed = Signal()
        self._volume: Any = None
        self._nodes = Nodes(scene, later)
        self._told_nodes: List[Any] = []
        self._regions: Dict[str, Region] = {}
        self._case_id = ""
        self._axes = np.eye(3)
        self._sightings = Sightings(self._box_of, later)
        self.views_changed = self._sightings.views_changed
        self._sightings.completed.connect(self._tell_nodes)
        self._later, self._clicks = later, Clicks(self._click, self._dragged)
        self._placing = Placing(scene, self.placed.emit)
        self._dragged_node: Any = None
        self._redrawing = Redrawing(self._draw, later)
        self._tag, self._frames = Tag(scene), Frames(scene)
        self.views_changed.connect(self._tag.show_in)
        self._loss = Losses(scene, lambda: self._nodes.of, self._tell_deleted, later)

    def set_volume(self, volume: Any) -> None:
        """The vtkMRMLVolumeNode of the open case: its axes are those of the boxes, and they lie over no other."""
        self._volume = volume
        self._sightings.set_volume(volume)

    def show(self, case: Case, selected: Optional[str]) -> None:
        """Draw the regions of a case as they stand."""
        with slicer.util.RenderBlocker():
            if case.case_id != self._case_id:
                self._case_id = case.case_id
                self._nodes.begin(case.case_id)
                self._sightings.forget(self._regions)
                self._redrawing.clear()
            regions = {region.id: region for region in case.regions}
            axes = box_axes(self._volume)
            unchanged = self._regions if np.allclose(axes, self._axes) else {}
            again = {selected, self.selected}
            self._regions, self._axes = regions, axes
            self._keep_nodes()
            self._choose(selected)
            for region_id in set(self._nodes.of) & again:
                self._draw(region_id)
            changed = (key for key in self._nodes.of if unchanged.get(key) != regions[key])
            self._redrawing.add(key for key in changed if key not in again)
            self._after_change()

    def select(self, region_id: Optional[str]) -> None:
        """Bring one box to the front and give it the handles; the others lose them."""
        with slicer.util.RenderBlocker():
            before = self.selected
            self._choose(region_id)
            self._keep_nodes()
            for changed in set(self._nodes.of) & {before, self.selected}:
                self._draw(changed)
            self._after_change()

    def edit(self, is_on: bool) -> None:
        """Give the selected box its handles, or take them; another one that is selected has none."""
        self.is_editing = is_on and self.selected is not None
        self._draw(self.selected or "")

    def hide(self, is_hidden: bool) -> None:
        """Show the pictures alone for a moment, or all boxes again."""
        self.is_hidden = is_hidden
        with slicer.util.RenderBlocker():
            for region_id in self._nodes.of:
                if self._is_here(region_id):
                    set_visible(self._nodes.of[region_id], not is_hidden)
            self._tag.set_visible(not is_hidden)
            self._frames.set_visible(not is_hidden)

    def watch(self) -> None:
        """Say which views show the volume of the case, also where it has no boxes: ``views_changed`` follows."""
        self._sightings.update()

    def place(self) -> None:
        """Let the reader place a new box by two clicks or a drag; ``placed`` follows."""
        self._clicks.watch()
        self._placing.start()

    def withdraw(self) -> Parts:
        """Let no view show a box any more, some boxes a turn: while the volume of a case that is left is shown."""
        self._redrawing.clear()
        self._sightings.close()
        self._frames.clear()
        yield from self._nodes.hide()

    def clear(self) -> None:
        """Let no view show a box any more, take them all out of the scene, and stop watching the views."""
        with slicer.util.RenderBlocker():
            self._placing.cancel()
            self._tag.clear()
            self._frames.clear()
            self._clicks.close()
            self._sightings.close()
            self._watch_drag(None)
            self._regions, self.selected, self.is_editing, self.is_hidden = {}, None, False, False
            self._loss.close()
            self._redrawing.clear()
            self._nodes.begin("")
            self._case_id = ""
            self._tell_nodes()

    def close(self) -> None:
        """The panel goes: nothing waits for the event loop any more."""
        self.clear()
        self._nodes.leaving.finish()

    @property
    def is_at_work(self) -> bool:
        """Whether boxes are still to be drawn or to go when nothing else happens."""
        return self._sightings.is_adding or self._redrawing.is_waiting or self._nodes.leaving.is_waiting

    def node(self, region_id: str) -> Any:
        """The vtkMRMLMarkupsROINode of a region; None where there is none."""
        return self._nodes.of.get(region_id)

    def _is_here(self, region_id: str) -> bool:
        """Whether a region has a node, and nobody took it out of the scene."""
        node = self._nodes.of.get(region_id)
        return node is not None and node.GetScene() is not None

    def _box_of(self, region_id: str) -> Any:
        """The node of a region, which is made now where it is not there yet."""
        node = self._nodes.of.get(region_id)
        if node is None:
            is_selected = region_id == self.selected
            state = {"is_selected": is_selected, "is_edited": is_selected and self.is_editing}
            node = self._nodes.make(self._regions[region_id], self._axes, is_hidden=self.is_hidden, **state)
        return node

    def _keep_nodes(self) -> None:
        """No node beside those of the regions, and none that somebody took out: it is made again."""
        before = set(self._nodes.of)
        self._nodes.keep(self._regions)
        self._sightings.forget(before - set(self._nodes.of))
        self._loss.watch()

    def _tell_nodes(self) -> None:
        nodes = list(self._nodes.of.values())
        if nodes != self._told_nodes:
            self._told_nodes = nodes
            self.nodes_changed.emit(nodes)

    def _choose(self, region_id: Optional[str]) -> None:
        chosen = region_id if region_id in self._regions else None
        self.is_editing = self.is_editing and chosen == self.selected
        self.selected = chosen

    def _draw(self, region_id: str) -> None:
        self._redrawing.drawn(region_id)
        is_selected = region_id == self.selected
        is_edited = is_selected and self.is_editing
        if region_id in self._regions and self._is_here(region_id):
            draw(self._nodes.of[region_id], self._regions[region_id], self._axes, is_selected, is_edited)

    def _tell_deleted(self, region_ids: List[str]) -> None:
        self.deleted.emit([region_id for region_id in region_ids if region_id in self._regions])

    def _after_change(self) -> None:
        self._sightings.set_boxes(list(self._regions), *places(self._regions.values()), self._axes)
        self._sightings.bring_to_front(self.selected)
        self._frames.show((region for key, region in self._regions.items() if key != self.selected), self._axes)
        self._sightings.update()
        if not self._sightings.is_adding:
            self._tell_nodes()
        self._clicks.watch()
        self._watch_drag(self._nodes.of.get(self.selected or ""))
        if self.selected:
            self._tag.show(self._regions[self.selected], self._axes)
        else:
            self._tag.clear()

    def _watch_drag(self, node: Any) -> None:
        if node is not self._dragged_node:
            self.removeObservers()
            self._dragged_node = node
            if node is not None:
                self.addObserver(node, node.PointEndInteractionEvent, self._drag_ended)

    def _drag_ended(self, node: Any, event: str) -> None:
        region = self._regions.get(self.selected or "")
        if region is not None and is_elsewhere(node, region):
            center, size = geometry(node)
            self.moved.emit(region.id, lps_to_ras(center), size)

    def _click(self, point: np.ndarray, direction: np.ndarray) -> None:
        if self._placing.is_active:
            self._later(self._placing.forget_drag)
            return
        if self._clicks.was_placing:
            return
        hit = first_hit(point, direction, *places(self._regions.values()), self._axes)
        if hit >= 0 and list(self._regions)[hit] != self.selected:
            self.picked.emit(list(self._regions)[hit])

    def _dragged(self, start: Line, end: Line, has_ended: bool) -> None:
        # In a 3-D view a drag has no depth, and after a first click the second corner is Slicer's own.
        if not self._placing.is_active or self._placing.has_corner or end[1].any():
            return
        self._placing.stretch(start[0], end[0], self._axes)
        if has_ended:
            # Slicer first hears of the release, too: its own placing must not begin when this one is over.
            self._later(self._placing.drop)
