"""Measures what a reader waits for: ``python -m tests.slicer_extension.bench``; prints CPU seconds, fails never.

The panel and Slicer's own views on the doubles, drawn through EGL without a graphics card, so slower than in the
application. The case is as large as a common chest CT and lies on the disk, as after fetching ahead; the server's
answers are there at once.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from tests.slicer_extension.cases import measured
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


def measure(name: str, work: Callable[[], Any], draw: Callable[[], Any], times: int = 1) -> None:
    """Print the CPU seconds of some work with drawing all views, the mean of several times."""
    before = time.process_time()
    for _ in range(times):
        work()
        draw()
    print(f"{name}: {(time.process_time() - before) / times:.3f} s")


def bench(panel: Panel, folder: Path) -> None:
    """All figures."""
    from PneumoScreenLib.session.download import Opened

    scan, masks = write_scan(folder)
    layout = (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal"))
    views = [SliceView(panel.double, name, orientation, (400, 400)) for name, orientation in layout]
    views.append(ThreeDView(panel.double, size=(400, 400)))
    panel.show()

    def draw() -> None:
        panel.settle()
        for view in views:
            view.render()

    session = panel.session
    document = measured().to_dict()
    measure(
        "open a fetched case",
        lambda: session._opened(Opened("ct-0007", str(scan), document, 0, False)),
        draw,
    )
    measure("its masks and lungs in 3-D", lambda: session.view.show_masks(str(masks)), draw)
    measure("select the next region", lambda: session.correct("select_next"), draw, 6)
    measure("ground glass on", session.view.toggle_ground_glass, draw)
    measure("ground glass off", session.view.toggle_ground_glass, draw)
    first = measured().regions[0]
    places = [(80.0 - i % 20 * 8.0, 50.0 - i // 20 * 10.0, -60.0 + i / 2) for i in range(REGIONS)]
    many = [replace(first, id=f"r{i}", center_mm=place) for i, place in enumerate(places)]
    document = replace(measured(), case_id="many", regions=tuple(many)).to_dict()
    session._opened(Opened("many", str(scan), document, 0, False))
    draw()
    measure(f"{REGIONS} regions: select the next", lambda: session.correct("select_next"), draw, 10)
    measure(f"{REGIONS} regions: label and go on", lambda: session.correct("irrelevant"), draw, 10)
    node = views[0].node
    measure(f"{REGIONS} regions: a slice on", lambda: node.SetSliceOffset(node.GetSliceOffset() + 2.5), draw, 10)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root, running_panel(Path(root) / "settings") as running:
        bench(running, Path(root))
