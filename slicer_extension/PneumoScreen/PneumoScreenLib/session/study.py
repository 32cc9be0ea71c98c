"""A reader study: the model's findings stay hidden until the reader has given a diagnosis; both are told apart.

What travels with a submission is said of the diagnosis: whether the model was shown before it was given, and the
seconds that it took. A diagnosis that is changed after the model was shown was given with the model.
"""

from typing import Any, Dict, Optional

from ..reading.reading import Reading
from ..signal import Signal


class Study:
    """Whether the model is shown.

    Attributes:
        is_on: the reader's switch, for the cases that are opened from now on.
        is_hidden: whether the findings of the open case are hidden now.
        switched: when the switch is another than before.
    """

    def __init__(self) -> None:
        self.is_on, self.is_hidden = False, False
        self.switched = Signal()
        self._diagnosis: Optional[str] = None
        self._seconds = 0.0

    def switch(self, is_on: bool) -> None:
        """Hide the model from now on, or no more."""
        self.is_on = is_on
        self.switched.emit()

    def begin(self, reading: Reading, is_read_only: bool) -> None:
        """Another reading is open; one that has a diagnosis was begun with the model before the eyes."""
        self._diagnosis = None
        self.is_hidden = self.is_on and not is_read_only and reading.case.diagnosis is None

    def follow(self, reading: Reading, seconds: float) -> bool:
        """The reading has changed: whether the model is to be shown now."""
        if not self.is_hidden or reading.case.diagnosis is None:
            return False
        self._diagnosis, self._seconds, self.is_hidden = reading.case.diagnosis, seconds, False
        return True

    def told(self, reading: Reading, seconds: float) -> Dict[str, Any]:
        """How the reading came about, as the document says it."""
        is_unaided = self._diagnosis is not None and reading.case.diagnosis == self._diagnosis
        return {"seconds": round(self._seconds if is_unaided else seconds, 1), "model_shown": not is_unaided}
