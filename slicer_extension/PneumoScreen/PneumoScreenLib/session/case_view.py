"""The open case in the scene: its volume, boxes, masks or Grad-CAM, and the draft that a saved scene carries along."""

from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import slicer

from ..boxes.boxes import Boxes
from ..contract import Case, Patch, Region
from ..overlays.ground_glass import GroundGlass
from ..overlays.heat import Heat
from ..overlays.masks import Masks
from ..scene.beside import Beside
from ..scene.hanging import Hanging
from ..scene.keeping import Keeping
from ..scene.patches import patch_picture
from ..scene.radiograph import is_radiograph, radiograph_picture
from ..scene.rulers import Rulers
from ..scene.views import jump_to
from ..scene.volumes import box_axes, bring_volume, put_in_place, send_back


class CaseView:
    """Shows one case at a time.

    Args:
        scene: MRML scene; Slicer's own where it is not named.
    """

    def __init__(self, scene: Any = None) -> None:
        scene = scene or slicer.mrmlScene
        self.boxes, self.masks, self.keeping = Boxes(scene), Masks(scene), Keeping(scene)
        self.heat, self.glass = Heat(scene), GroundGlass(scene)
        self.rulers, self.beside = Rulers(scene), Beside(scene)
        self.volume: Any = None
        self.hanging = Hanging()
        for shown in (self.masks, self.heat, self.glass):
            self.boxes.views_changed.connect(shown.show_in)
        self.boxes.nodes_changed.connect(self.keeping.set_regions)

    def connect(
        self,
        moved: Callable[..., None],
        picked: Callable[..., None],
        placed: Callable[..., None],
        deleted: Callable[..., None],
    ) -> None:
        """Tell who listens of boxes that were dragged, clicked, newly placed (LPS, mm) and taken out of the scene."""
        self.boxes.moved.connect(moved)
        self.boxes.picked.connect(picked)
        self.boxes.placed.connect(placed)
        self.boxes.deleted.connect(deleted)

    def open(self, path: str, case_id: str) -> None:
        """Show a volume file in all views in the place of the case before, in one turn.

        Raises:
            SceneError: if Slicer cannot read the file; the case before stays.
        """
        volume = self.bring(path, case_id)
        self.show_volume(volume, case_id)

    def bring(self, path: str, case_id: str) -> Any:
        """The volume of a case that is to be opened, in the scene and in no view yet.

        Raises:
            SceneError: if Slicer cannot read the file.
        """
        return bring_volume(path, case_id)

    def send_back(self, volume: Any) -> None:
        """A volume that was brought is not to be shown after all."""
        send_back(volume)

    def show_volume(self, volume: Any, case_id: str) -> None:
        """Show a volume that was brought in all views in the place of the case before."""
        # Once more: what was asked for the case before may have come since it was cleared.
        self.clear()
        put_in_place(volume, case_id, self.volume)
        self.volume = volume
        self.hanging.hang(volume)
        self.boxes.set_volume(volume)
        self.keeping.begin(case_id, volume)
        self.rulers.begin(case_id)
        self._colour_glass()

    def leave(self) -> None:
        """No case is open: nothing of it may be drawn or written any more. Its volume stays, as any other does."""
        self.clear()
        self.hanging.leave(self.volume)
        self.volume = None
        self.boxes.set_volume(None)
        self.keeping.end()

    def close(self) -> None:
        """The panel goes: nothing of it waits for the event loop any more."""
        self.boxes.close()

    def clear(self) -> None:
        """Let nothing lie over the volume any more."""
        for shown in (self.boxes, self.masks, self.heat, self.glass, self.rulers):
            shown.clear()
        self.beside.clear(self.volume)

    def show(self, case: Case, selected: Optional[str]) -> None:
        """Draw the boxes of a case as it stands; an X-ray has none."""
        if case.modality == "CT":
            self.boxes.show(case, selected)
        else:
            self.boxes.watch()

    def look_at(self, region: Region) -> None:
        """Bring a region to the front and move all views to it."""
        self.boxes.select(region.id)
        jump_to(region.center_mm)

    def place(self) -> None:
        """Let the reader place and drag a new box."""
        self.boxes.place()

    def edit_box(self) -> None:
        """Give the selected box its handles, or take them."""
        self.boxes.edit(not self.boxes.is_editing)

    def hide_overlays(self, is_hidden: bool) -> None:
        """Show the pictures alone, or all that lies over them again."""
        if is_hidden != self.boxes.is_hidden:
            self.boxes.hide(is_hidden)
            self.masks.hide(is_hidden)
            for each in (self.heat, self.glass, self.rulers):
                each.hide(is_hidden)

    def set_window(self, name: str) -> None:
        """Show a scan with the grey values of ``lung``, ``mediastinum`` or ``bone``."""
        self.hanging.set_window(self.volume, name)
        self.beside.set_window(name)

    def toggle_slab(self) -> None:
        """Go from planes to slabs (MIP) and back."""
        self.hanging.toggle_slab(self.volume)

    def show_masks(self, path: str) -> None:
        """Show the lungs and the infection of a label map file, of a radiograph its Grad-CAM."""
        if self.is_radiograph:
            self.heat.show(path, self.volume)
        else:
            self.masks.show(path, self.volume)
            self._colour_glass()

    def toggle_ground_glass(self) -> bool:
        """Colour what has the grey values of ground glass, inside the lungs where they are known, or no more.

        Returns:
            Whether it is coloured now in the lungs alone.
        """
        self.glass.is_on = not self.glass.is_on
        self._colour_glass()
        return self.glass.node is not None and self.masks.node is not None

    def _colour_glass(self) -> None:
        lungs = self.masks.lungs_on(self.volume) if self.glass.is_on and self.volume is not None else None
        self.glass.show(self.volume, lungs)

    def show_prior(self, path: str, name: str) -> None:
        """Show another scan of the patient beside the open case.

        Raises:
            SceneError: if Slicer cannot read the file.
        """
        self.beside.show(path, name, self.volume)

    def hide_prior(self) -> None:
        """Show the open case alone again."""
        self.beside.clear(self.volume)

    def side_of(self, center_mm: Sequence[float], size_mm: Sequence[float]) -> Optional[str]:
        """The patient's side of a box by the masks of the lungs; None where there are none."""
        sides = self.masks.sides
        return None if sides is None else sides.side_of(center_mm, size_mm, box_axes(self.volume))

    def set_masks_visible(self, lungs: Optional[bool] = None, infection: Optional[bool] = None) -> None:
        """Switch masks; what is not named stays as it is."""
        self.masks.set_visible(lungs=lungs, infection=infection)

    def patch_picture(self, region: Region, patch: Patch) -> Any:
        """What the classifier saw of a patch, uint8 [row, column]; None without a volume."""
        return None if self.volume is None else patch_picture(self.volume, region, patch)

    @property
    def is_radiograph(self) -> bool:
        """Whether the open case is a single picture."""
        return is_radiograph(self.volume)

    def xray_picture(self, lung_boxes: Mapping[str, Sequence[float]]) -> Any:
        """The radiograph with lung boxes and Grad-CAM, uint8 [row, column, 3]; None without one."""
        if not self.is_radiograph:
            return None
        return radiograph_picture(self.volume, lung_boxes, self.heat.values, self.heat.strength)

    @property
    def has_heat(self) -> bool:
        """Whether the open radiograph has a Grad-CAM."""
        return self.heat.node is not None

    def set_heat_visible(self, is_visible: bool) -> None:
        """Switch the Grad-CAM."""
        self.heat.set_visible(is_visible)

    def set_heat_strength(self, strength: float) -> None:
        """How much the Grad-CAM takes from the radiograph, from 0 to 1."""
        self.heat.set_strength(strength)

    def keep(self, draft: Optional[str]) -> None:
        """Keep a draft (JSON text) in the scene, so that it is saved with it; None: it has been submitted."""
        self.keeping.store(draft)

    def kept(self, case_id: str) -> Optional[Dict[str, Any]]:
        """The draft of a case that the scene carries."""
        draft = self.keeping.load()
        return draft if draft and draft.get("case_id") == case_id else None
