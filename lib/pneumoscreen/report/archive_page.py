"""The page of an archive: what was done, how the verdicts spread, and every image in a table that sorts and filters.

It needs no network. Its one script is named in the page's policy by its hash, so that no text of a file's name can run.
"""

import base64
import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .page import environment

TableRow = tuple[str, str, str, float | None, float | None, str, str]
"""Place, state, verdict, probability of an infection, seconds, link to the report, reason."""


@dataclass(frozen=True)
class Seconds:
    """How long screenings took: the median, what one of twenty exceeds, the longest."""

    median: float
    high: float
    longest: float


@dataclass(frozen=True)
class ArchivePage:
    """What the page shows.

    Attributes:
        total: images.
        gone: of these, how many the source no longer holds.
        states: name and number.
        verdicts: modality, verdict, number, share of the modality.
        infections: for each modality the tenths of the probability: name, number, share of the largest.
        kinds: type of error, number, one example.
        seconds: None where nothing was screened.
        rows: of the table.
    """

    total: int
    gone: int
    states: Sequence[tuple[str, int]]
    verdicts: Sequence[tuple[str, str, int, float]]
    infections: Sequence[tuple[str, Sequence[tuple[str, int, float]]]]
    kinds: Sequence[tuple[str, int, str]]
    seconds: Seconds | None
    rows: Sequence[TableRow]


def render_archive(page: ArchivePage) -> str:
    """The HTML of the page."""
    templates = environment()
    assert templates.loader is not None
    script, _, _ = templates.loader.get_source(templates, "archive.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return templates.get_template("archive.html.j2").render(
        **vars(page),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        written=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
    )
