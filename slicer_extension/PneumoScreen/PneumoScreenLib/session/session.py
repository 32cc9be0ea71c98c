"""A reader's session: what a reader does with the open case, one method each. No widgets."""

import json
import os
from typing import Any, Dict, List, Optional, Sequence

from ..background import in_one_turn
from ..connection.asking import Message
from ..connection.connection import NOT_CONNECTED
from ..contract import CXR_CLASSES, CXR_LOCATIONS, Region
from ..reading.progress import is_open
from ..reading.reading import Reading
from ..translation import _
from .arrival import Arrival

HIDDEN = _("The model is shown once you have given your diagnosis.")


class Session(Arrival):
    """Screens and corrects the open case; the panels show what stands here."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.view.connect(self._moved, self.select, self._placed, self._deleted)

    def open_sample(self, path: str) -> None:
        """Show the synthetic case that comes with the extension, with its stored screening; nothing is sent."""
        name = os.path.basename(path).split(".")[0]
        self._turns.stop()
        if not in_one_turn(self._show(name, path, on_server=False)):
            return
        screening = os.path.join(os.path.dirname(path), f"{name}.json")
        if os.path.isfile(screening):
            with open(screening, encoding="utf-8") as file:
                self.show(self._reading_of(json.load(file)))
        self.asking.say(Message(_("This is a synthetic CT with its stored screening: try all keys, nothing is sent.")))

    def next_case(self, skip: Optional[bool] = None) -> None:
        """Open the case that the chosen strategy names; an open one that is not submitted is passed over."""
        skips = self.is_on_server and self.reading is not None and not self.is_submitted if skip is None else skip
        args = {"strategy": self.strategy, "skip": skips}
        self.asking.run("next_case", args, self._chosen, lambda: self.next_case(skips), _("Asking for the next case …"))

    def _chosen(self, found: Dict[str, Any]) -> None:
        case_id = found.get("id") or found.get("case_id")
        if case_id:
            self.lending.take(str(case_id))
            self.open(str(case_id))
        else:
            self.asking.say(Message(_("Every case has been read; there is no next one.")))

    def send(self, path: str, case_id: str) -> None:
        """Send a volume file to the server as a new case, and open it there."""

        def sent(answer: Any) -> None:
            self.connection.refresh()
            self.open(case_id)

        args = {"path": path, "case_id": case_id}
        self.asking.run(
            "upload", args, sent, lambda: self.send(path, case_id), _("Sending {case_id} …").format(case_id=case_id)
        )

    # Screening --------------------------------------------------------------------------------------------------------

    def why_not_screen(self) -> Optional[str]:
        """Why the open case cannot be screened now; None where it can."""
        if self.connection.server is None:
            return NOT_CONNECTED
        if self.case_id is None:
            return _("Open a case first.")
        if not self.is_on_server:
            return _("This volume is not on the server: press “Send to server” first.")
        if self.asking.is_busy:
            return _("Wait for what is running, or cancel it.")
        if self.reading is not None and self.reading.is_modified:
            return _("Submit or undo your corrections first: screening starts from the model's regions again.")
        return None

    def screen(self) -> None:
        """Let the server screen the open case."""
        self.note.settle()
        case_id = self.case_id

        def screened(document: Dict[str, Any]) -> None:
            if case_id == self.case_id:
                self.show(self._reading_of(document))
                self._ask_for_masks()

        if self.why_not_screen() is None:
            call = "screen_xray" if self.view.is_radiograph else "screen"
            self.asking.run(call, {"case_id": case_id}, screened, self.screen, _("Screening …"))

    def boxes_to_classify(self) -> List[Region]:
        """New and moved regions that the server has not seen."""
        regions = () if self.reading is None else self.reading.case.regions
        return [region for region in regions if not region.patches]

    def classify(self) -> None:
        """Ask the server for patches and votes of new and moved regions."""
        reading = self.reading
        wanted = {region.id for region in self.boxes_to_classify()}

        def classified(regions: Sequence[Dict[str, Any]]) -> None:
            if reading is not None and reading is self.reading:
                reading.classified(regions)

        if reading is not None and wanted:
            regions = [region for region in reading.case.to_dict()["regions"] if region["id"] in wanted]
            args = {"case_id": self.case_id, "regions": regions}
            self.asking.run("classify", args, classified, self.classify, _("Classifying …"))

    # Correcting -------------------------------------------------------------------------------------------------------

    def select(self, region_id: str) -> None:
        """Look at a region: table, boxes and views follow."""
        if self.reading is not None:
            self.reading.select(region_id)

    def correct(self, action: str) -> None:
        """Do to the selected region what a key or a button says; ``action`` is a label or a method of the reading."""
        self.note.settle()
        reading = self.reading
        if reading is None or (self.is_read_only and not action.startswith("select_")):
            return
        if self.study.is_hidden and action not in ("undo", "redo"):
            self.asking.say(Message(HIDDEN))
            return
        selected = reading.selected
        if action in (*self.classes.patch_labels, "accept") and selected is not None:
            self._say_and_go_on(reading, selected, action)
        elif action == "accept_rest":
            reading.accept_rest()
        elif action == "delete" and selected is not None:
            reading.delete(selected)
        elif action in ("undo", "redo", "select_next", "select_previous"):
            getattr(reading, action)()

    @property
    def is_xray(self) -> bool:
        """Whether what is read is a radiograph."""
        return self.reading is not None and self.reading.case.cxr is not None

    def correct_xray(self, said: str) -> None:
        """Say a class or a side of a radiograph, or ``accept``; what is not said is as before, else the model's."""
        self.note.settle()
        reading = self.reading
        cxr = None if reading is None else reading.case.cxr
        if reading is None or cxr is None or self.is_read_only:
            return
        if self.study.is_hidden:
            self.asking.say(Message(HIDDEN))
            return
        before = cxr.reader or {}
        label = before.get("label") or max(cxr.probabilities, key=lambda name: cxr.probabilities[name])
        location = before.get("location") or cxr.location
        if said in CXR_LOCATIONS:
            location = said
        elif said in CXR_CLASSES:
            label = said
            # A healthy lung is affected nowhere; a side is asked for again where another class follows.
            location = "none" if said == CXR_CLASSES[1] else location if location != "none" else "bipulmonary"
        reading.mark_xray(label, location)

    def _say_and_go_on(self, reading: Reading, region_id: str, action: str) -> None:
        """One key a region: what was said, the next one that nobody has spoken on is looked at."""
        following = reading.next_open(region_id)
        if action == "accept":
            reading.accept(region_id)
        else:
            reading.mark(region_id, action)
        if following is not None and not is_open(reading.region(region_id)):
            reading.select(following)

    def edit_box(self) -> None:
        """Give the selected box its handles, or take them."""
        if self.reading is not None and not self.is_read_only:
            self.view.edit_box()

    def place_box(self) -> None:
        """Let the reader place a new box in a slice view; an X-ray has no regions."""
        is_ct = self.reading is not None and self.reading.case.modality == "CT"
        if is_ct and not self.is_read_only and not self.study.is_hidden:
            self.view.place()

    def _placed(self, center_mm: Sequence[float], size_mm: Sequence[float]) -> None:
        self.note.settle()
        if self.reading is not None and not self.is_read_only:
            side = self.view.side_of(center_mm, size_mm)
            self.reading.select(self.reading.add(center_mm, size_mm, side=side))

    def _moved(self, region_id: str, center_mm: Sequence[float], size_mm: Sequence[float]) -> None:
        self.note.settle()
        if self.reading is not None and not self.is_read_only:
            self.reading.move(region_id, center_mm, size_mm, self.view.side_of(center_mm, size_mm))

    def _deleted(self, region_ids: Sequence[str]) -> None:
        """A box that was deleted in Slicer's Data tree is deleted as by the key; another reader's reading keeps it."""
        self.note.settle()
        reading = self.reading
        if reading is None:
            return
        if self.is_read_only:
            self.view.show(reading.case, reading.selected)
            self.asking.say(Message(_("This is another reader's work: its boxes cannot be deleted.")))
            return
        for region_id in region_ids:
            reading.delete(region_id)
        noun = _("1 region") if len(region_ids) == 1 else _("{count} regions").format(count=len(region_ids))
        self.asking.say(
            Message(_("{noun} deleted in the Data tree. Undo brings back what was deleted.").format(noun=noun))
        )
