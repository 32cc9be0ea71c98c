"""The manifest as people and spreadsheets read it: ``images.csv`` and ``archive.html``."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ..case_kinds import KINDS
from ..csv_table import writing_rows
from ..output import replacing
from ..report.archive_page import ArchivePage, Seconds, TableRow, render_archive
from .manifest import FAILED, REFUSED, SCREENED, STATES, Manifest, Row

TABLE, PAGE = "images.csv", "archive.html"
MOST_ROWS = 100_000
"""Ours: images in the page's table: 18 MB, which a browser opens in seconds; it draws a hundred at a time."""
_TENTHS = 10
_NAMES = {"waiting": "Not done yet", SCREENED: "Screened", REFUSED: "Refused", FAILED: "Failed, is tried again"}


def write_summary(manifest: Manifest, out: Path) -> None:
    """Write table and page into the output folder.

    Raises:
        OutputError: if one cannot be written.
    """
    names = [field.name for field in fields(Row) if field.name not in ("key", "stamp", "seen")]
    with replacing(out / TABLE) as part, writing_rows(part, names) as write:
        for row in manifest.rows(order="place"):
            write([getattr(row, name) for name in names])
    with replacing(out / PAGE) as part:
        part.write_text(render_archive(page_of(manifest)), encoding="utf-8")


def page_of(manifest: Manifest) -> ArchivePage:
    """What the page shows of a manifest."""
    states = manifest.counts("state")
    last = manifest.last_full_search()
    gone = 0 if last is None else sum(manifest.counts("state", "seen < ?", last).values())
    return ArchivePage(
        total=sum(states.values()),
        gone=gone,
        states=[(_NAMES[name], states[name]) for name in STATES if name in states],
        verdicts=list(_verdicts(manifest)),
        infections=list(_infections(manifest)),
        kinds=list(_kinds(manifest)),
        seconds=_seconds(manifest),
        rows=list(_table(manifest)),
    )


def _verdicts(manifest: Manifest) -> Iterator[tuple[str, str, int, float]]:
    for modality, total in manifest.counts("modality", "state = ?", SCREENED).items():
        for words, count in manifest.counts("words", "state = ? AND modality = ?", SCREENED, modality).items():
            yield _modality(modality), words, count, count / total


def _infections(manifest: Manifest) -> Iterator[tuple[str, list[tuple[str, int, float]]]]:
    tenth = f"MIN(CAST(infection * {_TENTHS} AS INTEGER), {_TENTHS - 1})"
    for modality in manifest.counts("modality", "infection IS NOT NULL"):
        counts = manifest.counts(tenth, "infection IS NOT NULL AND modality = ?", modality)
        most = max(counts.values())
        bars = []
        for place in range(_TENTHS):
            count = counts.get(str(place), 0)
            name = f"{100 * place // _TENTHS} to {100 * (place + 1) // _TENTHS} %"
            bars.append((name, count, count / most))
        yield _modality(modality), bars


def _kinds(manifest: Manifest) -> Iterator[tuple[str, int, str]]:
    for kind, count in manifest.counts("kind", "state IN (?, ?)", REFUSED, FAILED).items():
        example = next(manifest.rows("kind = ? AND state IN (?, ?)", "rowid LIMIT 1", kind, REFUSED, FAILED))
        yield _in_words(kind), count, example.reason


def _in_words(kind: str) -> str:
    """The type of an error as words: ``MissingSlicesError`` is "Missing slices"; CT stays as it is."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", kind.removesuffix("Error"))
    return " ".join(word if place == 0 or word.isupper() else word.lower() for place, word in enumerate(words))


def _seconds(manifest: Manifest) -> Seconds | None:
    times = [row.seconds for row in manifest.rows(f"state = '{SCREENED}' AND copy_of = ''") if row.seconds is not None]
    if not times:
        return None
    median, high, longest = np.percentile(times, (50, 95, 100)).tolist()
    return Seconds(median, high, longest)


def _table(manifest: Manifest) -> Iterator[TableRow]:
    order = f"state = '{SCREENED}', infection IS NULL, infection DESC, place LIMIT {MOST_ROWS}"
    for row in manifest.rows(order=order):
        link = quote(f"{row.folder}/{row.case_id}.html") if row.state == SCREENED else ""
        yield row.place, row.state, row.words, row.infection, row.seconds, link, _reason(row)


def _reason(row: Row) -> str:
    return f"the same bytes as {row.copy_of}" if row.copy_of else row.reason


def _modality(name: str) -> str:
    return KINDS[name].short if name in KINDS else name
