"""The regions of a case as boxes in all views: a vtkMRMLMarkupsROINode each, coloured by type."""

from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import slicer
import slicer.util
from slicer.util import VTKObservationMixin

from ..contract import Case, Region, lps_to_ras
from ..scene.data_tree import Folder, remove_leftovers
from ..scene.volumes import patient_axes
from ..signal import Signal
from .clicks import Clicks, Line, first_hit
from .losses import Losses
from .node import draw, geometry, is_elsewhere, new_node, set_visible
from .placing import Placing
from .sightings import Later, Sightings, when_idle
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
        self._scene, self._volume = scene, None
        self._nodes: Dict[str, Any] = {}
        self._regions: Dict[str, Region] = {}
        self._case_id = ""
        self._axes = np.eye(3)
        self._sightings = Sightings(later)
        self.views_changed = self._sightings.views_changed
        self._later, self._clicks = later, Clicks(self._click, self._dragged)
        self._placing = Placing(scene, self.placed.emit)
        self._dragged_node: Any = None
        self._tag = Tag(scene)
        self.views_changed.connect(self._tag.show_in)
        self._loss = Losses(scene, lambda: self._nodes, self._tell_deleted, later)

    def set_volume(self, volume: Any) -> None:
        """The vtkMRMLVolumeNode of the open case: its axes are those of the boxes, and they lie over no other."""
        self._volume = volume
        self._sightings.set_volume(volume)

    def show(self, case: Case, selected: Optional[str]) -> None:
        """Draw the regions of a case as they stand."""
        with slicer.util.RenderBlocker():
            if case.case_id != self._case_id:
                self._begin(case.case_id)
            regions = {region.id: region for region in case.regions}
            axes = box_axes(self._volume)
            unchanged = self._regions if np.allclose(axes, self._axes) else {}
            self._axes = axes
            self._match_nodes(regions)
            for region_id, region in regions.items():
                is_known = region_id not in self._regions or unchanged.get(region_id) == region
                if not is_known or region_id in (selected, self.selected):
                    is_edited = self.is_editing and region_id == selected == self.selected
                    draw(self._nodes[region_id], region, axes, region_id == selected, is_edited)
            self._regions = regions
            self._choose(selected)
            self._after_change()

    def select(self, region_id: Optional[str]) -> None:
        """Bring one box to the front and give it the handles; the others lose them."""
        with slicer.util.RenderBlocker():
            before = self.selected
            self._choose(region_id)
            self._match_nodes(self._regions)
            for changed in {before, self.selected} - {None}:
                if changed in self._regions:
                    self._draw(changed)
            self._after_change()

    def edit(self, is_on: bool) -> None:
        """Give the selected box its handles, or take them; another one that is selected has none."""
        self.is_editing = is_on and self.selected is not None
        if self.selected in self._nodes and self._scene.IsNodePresent(self._nodes[self.selected]):
            self._draw(self.selected)

    def hide(self, is_hidden: bool) -> None:
        """Show the pictures alone for a moment, or all boxes again."""
        self.is_hidden = is_hidden
        with slicer.util.RenderBlocker():
            for node in self._nodes.values():
                if self._scene.IsNodePresent(node):
                    set_visible(node, not is_hidden)
            self._tag.set_visible(not is_hidden)

    def watch(self) -> None:
        """Say which views show the volume of the case, also where it has no boxes: ``views_changed`` follows."""
        self._sightings.update()

    def place(self) -> None:
        """Let the reader place a new box by two clicks or a drag; ``placed`` follows."""
        self._clicks.watch()
        self._placing.start()

    def clear(self) -> None:
        """Take all boxes out of the scene and stop watching the views."""
        with slicer.util.RenderBlocker():
            self._placing.cancel()
            self._tag.clear()
            self._clicks.close()
            self._sightings.close()
            self._watch_drag(None)
            self._regions, self.selected, self.is_editing, self.is_hidden = {}, None, False, False
            self._match_nodes({})
            self._loss.close()
            if self._case_id:
                Folder(self._scene, self._case_id).remove()
            self._case_id = ""

    @property
    def is_adding(self) -> bool:
        """Whether boxes are still to be drawn when nothing else happens."""
        return self._sightings.is_adding

    def node(self, region_id: str) -> Any:
        """The vtkMRMLMarkupsROINode of a region; None where there is none."""
        return self._nodes.get(region_id)

    def _begin(self, case_id: str) -> None:
        self._match_nodes({})
        remove_leftovers(self._scene, case_id)
        self._case_id = case_id

    def _match_nodes(self, regions: Dict[str, Region]) -> None:
        """A node for every region and none beside them."""
        self._loss.pause()
        before, self._nodes = self._nodes, {}
        folder = Folder(self._scene, self._case_id)
        for region_id, node in before.items():
            if self._scene.IsNodePresent(node):
                if region_id in regions:
                    self._nodes[region_id] = node
                else:
                    folder.take_out(node)
        for region_id, region in regions.items():
            if region_id not in self._nodes:
                self._nodes[region_id] = node = new_node(self._scene, self._case_id, region, self._axes)
                folder.put(node)
        self._loss.watch()
        if self._nodes != before:
            self.nodes_changed.emit(list(self._nodes.values()))

    def _choose(self, region_id: Optional[str]) -> None:
        chosen = region_id if region_id in self._regions else None
        self.is_editing = self.is_editing and chosen == self.selected
        self.selected = chosen

    def _draw(self, region_id: str) -> None:
        is_selected = region_id == self.selected
        is_edited = is_selected and self.is_editing
        draw(self._nodes[region_id], self._regions[region_id], self._axes, is_selected, is_edited)

    def _tell_deleted(self, region_ids: List[str]) -> None:
        self.deleted.emit([region_id for region_id in region_ids if region_id in self._regions])

    def _after_change(self) -> None:
        nodes = {self._nodes[key].GetID(): self._nodes[key] for key in self._regions}
        selected = self._nodes.get(self.selected) if self.selected else None
        self._sightings.set_boxes(nodes, *self._arrays(), self._axes)
        self._sightings.bring_to_front(selected.GetID() if selected is not None else "")
        self._sightings.update()
        self._clicks.watch()
        self._watch_drag(selected)
        if self.selected:
            self._tag.show(self._regions[self.selected], self._axes)
        else:
            self._tag.clear()

    def _arrays(self) -> Tuple[np.ndarray, np.ndarray]:
        regions = list(self._regions.values())
        centers = np.array([lps_to_ras(region.center_mm) for region in regions], dtype=float).reshape(-1, 3)
        return centers, np.array([region.size_mm for region in regions], dtype=float).reshape(-1, 3)

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
        hit = first_hit(point, direction, *self._arrays(), self._axes)
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


def box_axes(volume: Any) -> np.ndarray:
    """[3, 3]: the RAS directions of the boxes' sides as columns, along the axes of a volume; of none: the patient's."""
    # Right-handed, as a node of Slicer must be: right, front and head for a volume that is not oblique.
    return np.eye(3) if volume is None else patient_axes(volume)[0] * [-1.0, -1.0, 1.0]
