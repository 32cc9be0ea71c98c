"""What a reader does in OHIF, for the tests and for the pictures of the docs."""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chromium import PATIENCE_S, Chromium

_LEAF = "[...document.querySelectorAll('*')].filter(e => !e.childElementCount && e.textContent.trim() === {text})"
_ROWS = '[...document.querySelectorAll(\'[data-cy="data-row"] [data-cy="data-row-title"]\')]'
_VIEWPORT = (
    "services.cornerstoneViewportService.getCornerstoneViewport(services.viewportGridService.getActiveViewportId())"
)
_IMAGE = f"{_VIEWPORT}.getCurrentImageId()"
_NEARLY_ALL = 0.9
SEGMENTS, MEASUREMENTS = "panelSegmentation-btn", "trackedMeasurements-btn"


class ReadingRoom:
    """OHIF in a browser.

    Args:
        browser: the window.
    """

    def __init__(self, browser: Chromium) -> None:
        self.browser = browser
        self._is_new = True

    def open(self, link: str) -> None:
        """Open a study and go past what OHIF tells a new user."""
        self.browser.open(link)
        if self._is_new:
            for text in ("Skip all", "Confirm and hide"):
                self.browser.wait_until(f"{_LEAF.format(text=json.dumps(text))}.map(e => (e.click(), true))[0]")
        self._is_new = False
        self.browser.wait_until(_IMAGE)

    def panel(self, button: str) -> None:
        """Open a panel on the right."""
        self.browser.wait_until(
            f"[...document.querySelectorAll('[data-cy=\"{button}\"]')].map(e => (e.click(), true))[0]"
        )

    def rows(self, count: int) -> list[str]:
        """What the panel lists, once it lists so much."""
        found = self.browser.wait_until(f"{_ROWS}.length >= {count} && {_ROWS}.map(e => e.innerText.trim())")
        return list(map(str, found))

    def choose(self, row: str) -> None:
        """Click on what the panel lists; OHIF goes to its slice."""
        self.browser.wait_until(
            f"{_ROWS}.filter(e => e.innerText.trim() === {json.dumps(row)}).map(e => (e.click(), true))[0]"
        )

    def load(self, modality: str) -> None:
        """Double-click on a series of the study."""
        self.browser.wait_until(
            "[...document.querySelectorAll('[data-cy^=\"study-browser-thumbnail\"]')]"
            f".filter(e => e.innerText.startsWith('{modality}'))"
            ".map(e => (e.dispatchEvent(new MouseEvent('dblclick', {bubbles: true})), true))[0]"
        )

    def slice_after(self, action: Callable[[], None]) -> str:
        """SOPInstanceUID of the slice that an action goes to."""
        before = self.browser.wait_until(_IMAGE)
        action()
        shown = self.browser.wait_until(f"{_IMAGE} !== {json.dumps(before)} && {_IMAGE}")
        return str(shown).split("/instances/")[1].split("/")[0]

    def wait_for_colour(
        self, points_mm: NDArray[np.float64], is_it: Callable[[NDArray[np.int_]], NDArray[np.bool_]]
    ) -> None:
        """Wait until nearly all pixels at points of the patient, on the slice that is shown, have a colour.

        Args:
            points_mm: the points.
            is_it: of RGB values whether they are of that colour.

        Raises:
            AssertionError: if they have not.
        """
        end = time.monotonic() + PATIENCE_S
        while True:
            rows, columns = self._on_screen(points_mm).T
            found = self.browser.picture()[rows, columns].astype(int)
            if np.mean(is_it(found)) > _NEARLY_ALL:
                return
            assert time.monotonic() < end, f"the pixels are {found.mean(axis=0)} on average"

    def _on_screen(self, points_mm: NDArray[np.float64]) -> NDArray[np.int_]:
        """Row and column in the window's picture of points of the patient."""
        script = (
            f"(() => {{ const v = {_VIEWPORT}, box = v.canvas.getBoundingClientRect();"
            f"return {json.dumps(points_mm.tolist())}.map(p => v.worldToCanvas(p))"
            ".map(([x, y]) => [box.top + y, box.left + x]); })()"
        )
        return np.rint(np.array(self.browser.run(script))).astype(int)

    def measurements(self) -> dict[str, dict[str, Any]]:
        """OHIF's measurements by their labels: corners in mm and the image."""
        found = self.browser.run(
            "services.measurementService.getMeasurements()"
            ".map(m => ({label: m.label, points: m.points, instance: m.SOPInstanceUID}))"
        )
        return {str(one["label"]): one for one in found}
