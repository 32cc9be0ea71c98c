"""The three patches of the selected region as pictures, each with its slice, label and confidence."""

from typing import Any, Optional

from ..contract import Region
from ..translation import _
from ..widgets import style
from ..wording import display_name, percent

COUNT = 3


class PatchesPanel:
    """Draws what the classifier saw.

    Args:
        ui: widgets of the ``.ui`` file.
        session: gives the selected region and the picture of a patch.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session = ui, session
        for index in range(COUNT):
            style.as_quiet(self._label(index))
        session.reading_changed.connect(self.update)
        session.selection_changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show the patches of the selected region; a new box has none until the server has seen it."""
        region: Optional[Region] = self.session.selected_region()
        self.ui.patchFrame.visible = region is not None
        if region is None:
            return
        for index in range(COUNT):
            patch = region.patches[index] if index < len(region.patches) else None
            self._picture(index).visible = patch is not None or index == 0
            self._label(index).visible = patch is not None or index == 0
            if patch is None:
                self._picture(index).clear()
                self._label(index).text = _("No patches yet: press “Classify new boxes”.") if index == 0 else ""
                continue
            self._draw(self._picture(index), self.session.view.patch_picture(region, patch))
            colour = style.colour_of(patch.label, self.ui.patchFrame, self.session.classes)
            place = _("slice {number}").format(number=patch.slice)
            self._label(index).text = (
                f"{place}<br><span style='color:{colour}'>{display_name(patch.label)}</span> "
                f"{style.unbroken(percent(patch.confidence))}"
            )

    def _draw(self, label: Any, rows: Any) -> None:
        if rows is None:
            label.text = "–"
            return
        size = label.size
        side = min(size.width(), size.height())
        label.setPixmap(style.fitted(style.grey_picture(rows), side, side, label))

    def _picture(self, index: int) -> Any:
        return getattr(self.ui, f"patchPicture{index}")

    def _label(self, index: int) -> Any:
        return getattr(self.ui, f"patchLabel{index}")
