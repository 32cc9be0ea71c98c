"""``pneumoscreen archive``: a whole archive screened by one command, which goes on where it was killed."""

import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..commands.device import pick_device
from ..commands.screen import STATUS_BAD_INPUT, STATUS_FAULT, STATUS_OK
from ..commands.terminal import complain
from ..output import prepare_folder
from ..studies.audit import case_digest
from ..workers.asked import UNASKED, Workers
from ..workers.machine import usual_processes
from ..workers.pool import Pool
from ..workers.processes import Processes
from .jobs import Job, sources_of
from .manifest import FAILED, REFUSED, SCREENED, Manifest, Row
from .run import Request, Tally, screen_archive
from .studies import StudyChoice, query_of
from .summary import PAGE, TABLE, write_summary
from .worker import Place, Worker, twin_in

_EVERY_S = 10.0
"""Ours: seconds between two lines that say how far the run is."""
_MINUTE = 60.0

logger = logging.getLogger(__name__)


def run_archive(
    sources: Sequence[str | Path],
    out: Path,
    *,
    update: bool = False,
    anonymous_ids: bool = False,
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
    workers: Workers = UNASKED,
    choice: StudyChoice | None = None,
) -> int:
    """Screen what is left to do of an archive, and write manifest, table and page.

    Args:
        sources: files, folders, lists of these (``.txt``), and the address of a PACS.
        out: folder of the results; made where missing.
        update: screen anew what other networks or another version of the program screened.
        anonymous_ids: hashes stand for names of files and folders.
        model_dir: root of the model store; None takes the project's own.
        device: as of the other commands.
        as_json: print one JSON object instead of the lines at the end.
        workers: who screens; without a number as many processes as cores and memory allow.
        choice: how a PACS is asked, and for what.

    Returns:
        The exit status: 0 where all are screened, 2 where some were refused, 1 where some failed.

    Raises:
        PneumoScreenError: if sources, folder or networks cannot be used.
    """
    query, paths = query_of(sources, choice or StudyChoice())
    found = sources_of(paths)
    if workers.ray is None:
        device = pick_device(device)
    out = prepare_folder(out)
    complain(RESEARCH_USE_ONLY)
    place = Place(out.resolve(), model_dir, anonymous_ids, query.access if query else None)
    work, ask = Worker(place), partial(twin_in, place.out)
    pool: Pool[Job, Row]
    if workers.ray is None:
        # Never this process, which has to outlive what it screens.
        pool = Processes(work, place.out, workers.processes or usual_processes(device), device, ask)
    else:
        pool = workers.pool(work, place.out, device, ask)
    manifest = Manifest(out)
    try:
        try:
            tally = screen_archive(Request(found, place, update, query), pool, manifest, _tell, _Meter())
        finally:
            # Also after an interruption: what was done so far can be looked at.
            write_summary(manifest, out)
        states = manifest.counts("state")
    finally:
        manifest.close()
    logger.info("ended", extra={"about": _figures(tally)})
    print(_as_json(tally, states) if as_json else _as_text(tally, states, out))
    if tally.lost:
        complain(f"{tally.lost}; not all was found, give the same command again")
    if states.get(FAILED) or tally.lost:
        return STATUS_FAULT
    return STATUS_BAD_INPUT if states.get(REFUSED) else STATUS_OK


def _tell(row: Row) -> None:
    """A line for each image that was not screened; in the log one for each, without what may be a name."""
    about = {"image": row.key, "modality": row.modality, "seconds": row.seconds}
    about |= ({"case": case_digest(row.case_id)} if row.case_id else {}) | ({"kind": row.kind} if row.kind else {})
    logger.info(row.state, extra={"about": about})
    if row.state != SCREENED:
        complain(row.reason if row.reason.startswith(row.place) else f"{row.place}: {row.reason}")


class _Meter:
    """Says how far a run is: now and then, on one line that stays in place where a terminal is there."""

    def __init__(self) -> None:
        self._next = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, tally: Tally) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (1.0 if self._is_terminal else _EVERY_S)
        text = progress_line(tally, now)
        if self._is_terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        else:
            complain(text)


def progress_line(tally: Tally, now: float) -> str:
    """How far a run is, at which rate, and how long it will take."""
    of = f"{tally.found}" if tally.is_all_found else f"{tally.found} found so far"
    text = f"{tally.before + tally.done} of {of}, {tally.rate(now) * _MINUTE:.1f} a minute"
    left = tally.left_s(now)
    return text if left is None else f"{text}, about {max(left / _MINUTE, 0.0):.0f} min left"


def _as_text(tally: Tally, states: dict[str, int], out: Path) -> str:
    parts = [f"{tally.screened} screened", f"{tally.before} done before"]
    parts += [f"{tally.copies} of the same bytes as another"] if tally.copies else []
    parts += [f"{states[name]} {name}" for name in (REFUSED, FAILED) if states.get(name)]
    return f"{sum(states.values())} images: {', '.join(parts)}\n{out / PAGE}\n{out / TABLE}"


def _as_json(tally: Tally, states: dict[str, int]) -> str:
    return json.dumps({"states": states, "run": _figures(tally)}, indent=2)


def _figures(tally: Tally) -> dict[str, int]:
    return {name: value for name, value in asdict(tally).items() if name not in ("begun", "is_all_found", "lost")}
