"""Measures what a reader waits for: ``python -m tests.slicer_extension.bench``; prints CPU seconds, fails never.

The panel and Slicer's own views on the doubles, drawn through EGL without a graphics card, so slower than in the
application: what is ours stands beside it. The views were drawn before, and boxes of the case before are all in them.
The case is as large as a common chest CT and lies on the disk, as after fetching ahead; the server's answers are there
at once.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from tests.slicer_extension.cases import many, measured
from tests.slicer_extension.doubles.headless_views import SliceView, ThreeDView
from tests.slicer_extension.doubles.running_panel import Panel, running_panel

SIZE, SPACING = (512, 512, 120), (0.7, 0.7, 2.5)
REGIONS = 200


def write_scan(folder: Path) -> tuple[Path, Path]:
    """A body with two lungs and its masks, as files."""
    k, j, i = np.ogrid[: SIZE[2], : SIZE[1], : SIZE[0]]
    hu = np.full(SIZE[::-1], -1000, np.int16)
    hu[np.broadcast_to(((i - 256) / 230) ** 2 + ((j - 256) / 170) ** 2 < 1, hu.shape)] = 40
    masks = np.zeros(hu.shape, np.uint8)
    for value, middle in ((2, 150), (1, 362)):
        inside = ((i - middle) / 85) ** 2 + ((j - 256) / 120) ** 2 + ((k - 60) / 52) ** 2 < 1
        hu[inside] = -850
        masks[inside] = value
    paths = folder / "scan.nrrd", folder / "masks.nrrd"
    for path, values in zip(paths, (hu, masks), strict=True):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing(SPACING)
        image.SetOrigin([-(n - 1) / 2 * s for n, s in zip(SIZE, SPACING, strict=True)])
        sitk.WriteImage(image, str(path))
    return paths


class Clock:
    """Measures a piece of work in its three parts.

    Args:
        panel: in which it is done.
        views: that are drawn after it.
    """

    def __init__(self, panel: Panel, views: list[Any]) -> None:
        self._panel, self._views, self._longest = panel, views, 0.0

    def measure(self, name: str, work: Callable[[], Any], times: int = 1) -> None:
        """Print the CPU seconds until a reader sees what was done, the mean of several times.

        ``ours`` is the panel with the scene, its widgets in all views included, in two turns of the event loop, or as
        many as a case takes to come; then the views are drawn. What comes and goes while nothing else happens, such as
        boxes, is not waited for; of its turns the longest is told, too, without what is drawn after each.
        """
        ours = drawing = idle = longest = between = 0.0
        for _ in range(times):
            turns = [self._timed(work), self._timed(lambda: self._panel.settle(1))]
            while self._panel.session.is_arriving:
                turns.append(self._timed(lambda: self._panel.settle(1)))
            ours, longest = ours + sum(turns), max(longest, *turns)
            drawing += self._timed(self._draw)
            idle += self._timed(self.rest)
            between = max(between, self._longest)
        each = f"ours {ours / times:.3f}, longest turn {longest:.3f}, drawing {drawing / times:.3f}; "
        each += f"when idle {idle / times:.3f}, longest turn {between:.3f}"
        print(f"{name}: {(ours + drawing) / times:.3f} s ({each})")

    def rest(self) -> None:
        """Let all happen that waits until nothing else does."""
        self._longest = self._timed(lambda: self._panel.settle(1))
        while self._panel.session.view.boxes.is_at_work:
            self._longest = max(self._longest, self._timed(lambda: self._panel.settle(1)))
        self._panel.settle()
        self._draw()

    def _draw(self) -> None:
        for view in self._views:
            view.render()

    def _timed(self, work: Callable[[], Any]) -> float:
        before = time.process_time()
        work()
        return time.process_time() - before


def opened(case_id: str, scan: Path, regions: Sequence[Any] | None = None) -> Any:
    """What the server has of a case."""
    from PneumoScreenLib.session.download import Opened

    case = replace(measured(), case_id=case_id, **({} if regions is None else {"regions": tuple(regions)}))
    return Opened(case_id, str(scan), case.to_dict(), 0, False)


def bench(panel: Panel, folder: Path) -> None:
    """All figures."""
    scan, masks = write_scan(folder)
    before = folder / "before.nrrd"
    shutil.copy(scan, before)
    layout = (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal"))
    views = [SliceView(panel.double, name, orientation, (400, 400)) for name, orientation in layout]
    views.append(ThreeDView(panel.double, size=(400, 400)))
    panel.show()
    session, clock = panel.session, Clock(panel, views)

    def opening(*values: Any) -> Callable[[], None]:
        # The document is made before the clock runs: it would be the server's work.
        found = opened(*values)
        return lambda: session.arrive(found)

    clock.measure("open the first case", opening("ct-0001", before))
    clock.measure("open a fetched case", opening("ct-0007", scan))
    clock.measure("its masks and lungs in 3-D", lambda: session.view.show_masks(str(masks)))
    clock.measure("select the next region", lambda: session.correct("select_next"), 6)
    clock.measure("label and go on", lambda: session.correct("irrelevant"), 5)
    clock.measure("ground glass on", session.view.toggle_ground_glass)
    clock.measure("ground glass off", session.view.toggle_ground_glass)
    clock.measure(f"{REGIONS} regions: open", opening("many", before, many(REGIONS).regions))
    clock.measure(f"{REGIONS} regions: select the next", lambda: session.correct("select_next"), 10)
    clock.measure(f"{REGIONS} regions: label and go on", lambda: session.correct("irrelevant"), 10)
    node = views[0].node
    clock.measure(f"{REGIONS} regions: a slice on", lambda: node.SetSliceOffset(node.GetSliceOffset() + 2.5), 10)
    clock.measure(f"{REGIONS} regions: accept the rest", lambda: session.correct("accept_rest"))
    clock.measure(f"{REGIONS} regions: leave", opening("ct-0008", scan))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root, running_panel(Path(root) / "settings") as running:
        bench(running, Path(root))
