"""Draw the pictures of docs/pacs.md: the demonstration of the PACS as OHIF shows it (``make pacs-pictures``)."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from .chromium import Chromium
from .reading_room import MEASUREMENTS, SEGMENTS, ReadingRoom

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURES = REPOSITORY / "docs" / "pictures"
_QUALITY = 85


@contextmanager
def demonstration() -> Iterator[list[str]]:
    """Run the demonstration; the links to its studies while it stays."""
    environment = {**os.environ, "PYTHONPATH": ":".join([str(REPOSITORY / "lib"), *sys.path])}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-u", "-m", "scripts.demo_pacs", "--stay", "--out", f"{folder}/out"]
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        links = []
        for line in process.stdout:
            links += re.findall(r"in OHIF: (\S+)", line)
            if line.startswith("press Enter"):
                break
        try:
            yield links
        finally:
            process.communicate("\n", timeout=60)


def main() -> int:
    """Draw them all."""
    with demonstration() as links, Chromium(1300, 880) as browser:
        room = ReadingRoom(browser)
        room.open(links[0])
        room.panel(SEGMENTS)
        segment = next(row for row in room.rows(4) if row.startswith("r2:"))
        room.slice_after(lambda: room.choose(segment))
        keep(browser, "ohif_segments.jpg")
        room.panel(MEASUREMENTS)
        room.load("SR")
        finding = next(row for row in room.rows(4) if row.startswith("r2:"))
        room.choose(finding)
        browser.wait_until("document.body.innerText.includes('Max: ')")
        keep(browser, "ohif_findings.jpg")
        room.open(links[2])
        room.panel(MEASUREMENTS)
        room.rows(3)
        browser.wait_until("document.body.innerText.includes('Max: ')")
        keep(browser, "ohif_xray.jpg")
    return 0


def keep(browser: Chromium, name: str) -> None:
    """Write what the window shows."""
    browser.run("new Promise(done => setTimeout(done, 2000))")
    Image.fromarray(browser.picture()).save(PICTURES / name, quality=_QUALITY, optimize=True)
    print(PICTURES / name)


if __name__ == "__main__":
    sys.exit(main())
