"""The figures of the X-ray method on the disk: as JSON, as text and as a page."""

import json
from pathlib import Path

from ...models.durable import replace_durably
from .page import render_radiograph_page
from .summary import RadiographSummary
from .text import radiographs_to_text


def write_summary(out: Path, summary: RadiographSummary) -> None:
    """Write ``evaluation.json``, ``.txt`` and ``.html`` into a folder that is there.

    Raises:
        OSError: if it cannot be written.
    """
    files = {
        "evaluation.json": json.dumps(summary.to_dict(), indent=1, allow_nan=False) + "\n",
        "evaluation.txt": radiographs_to_text(summary),
        "evaluation.html": render_radiograph_page(summary),
    }
    for name, content in files.items():
        replace_durably(out / name, content.encode())
