"""An archive that is killed again and again loses nothing: ``python -m tests.archive.kills --folder F``; by hand.

Makes phantoms, screens them by ``pneumoscreen archive``, kills all its processes at once at random moments, lets the
last run end, and looks whether each case is there once and whole. The moments are shares of the rows done and of the
time that a row takes, so that a slow machine changes nothing. The same command goes on where it was stopped itself.
"""

import argparse
import csv
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tests.archive.kills_source import images_in, make_source

from pneumoscreen.archive.manifest import FILE, SCREENED, WAITING, Manifest, Row
from pneumoscreen.archive.summary import MOST_ROWS, PAGE, TABLE
from pneumoscreen.case import Case

COMPARED = 60
_POLL_S = 0.02
_BEGINNING_S = 20.0
"""What a run may take before its first row."""


@dataclass
class Told:
    """What was done and found.

    Attributes:
        images: in the source.
        states: of the rows.
        kills: rows done at each kill.
        kills_without_a_row: of these, in runs that had entered none yet.
        ended_before: runs that were over before the moment of their kill.
        leftovers_met: files half written that a kill left behind; the next run is to delete them.
        redone: documents of which a killed run had not entered the row.
        documents: that parse and are valid.
        compared: with those of ``screen``.
        cpu_s, wall_s: of all runs of ``archive``.
        faults: sentences; none where all is well.
    """

    images: int
    states: dict[str, int] = field(default_factory=dict)
    kills: list[int] = field(default_factory=list)
    kills_without_a_row: int = 0
    ended_before: int = 0
    leftovers_met: int = 0
    redone: int = 0
    documents: int = 0
    compared: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    faults: list[str] = field(default_factory=list)


def main() -> int:
    """Make, kill, look, and print what was found; 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cts", type=int, default=1000)
    parser.add_argument("--xrays", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--processes", type=int)
    given = parser.parse_args()
    # With other threads sums of another order differ in the last digit.
    os.environ["OMP_NUM_THREADS"] = "1"
    folder: Path = given.folder.resolve()
    source, out = folder / "source", folder / "out"
    source.mkdir(parents=True, exist_ok=True)
    _say(f"making {given.cts} CTs and {given.xrays} X-rays in {source}")
    make_source(source, given.cts, given.xrays, given.seed)
    told = Told(len(images_in(source)))
    options = [] if given.processes is None else ["--processes", str(given.processes)]
    command = [*_program("archive"), str(source), "--out", str(out), "--device", "cpu", *options]
    begun = time.monotonic()
    for moment in _moments(given.kills, told.images, given.seed):
        _run(command, out, told, moment)
    _run(command, out, told, None)
    told.wall_s = round(time.monotonic() - begun, 1)
    told.cpu_s = round(told.cpu_s, 1)
    told.faults += _faults(source, out, told)
    told.faults += _differences(source, out, folder / "alone", told, given.seed)
    print(json.dumps(asdict(told), indent=1))
    return 1 if told.faults else 0


def _program(name: str) -> list[str]:
    return [sys.executable, "-m", "pneumoscreen", name]


def _moments(kills: int, images: int, seed: int) -> Iterator[tuple[int, float]]:
    """Rows done, and how many times a row's time after that.

    Every fifth kill falls into the beginning of a run, the last one into the writing of table and page.
    """
    rng = np.random.default_rng(seed)
    for number, rows in enumerate(sorted(rng.integers(0, images, max(kills - 1, 0)).tolist())):
        yield 0 if number % 5 == 4 else rows, float(rng.uniform(0, 2))
    if kills:
        yield images, float(rng.uniform(0, 0.2))


def _run(command: list[str], out: Path, told: Told, moment: tuple[int, float] | None) -> None:
    """One run, killed at a moment; without one it must end by itself."""
    before, begun = _done(out), time.monotonic()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (out.parent / "log.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    first, done = None, before
    while process.poll() is None:
        done = _done(out)
        if done > before and first is None:
            first = time.monotonic()
        if moment is not None and done >= moment[0]:
            rows, since = done - before, time.monotonic() - (first or begun)
            time.sleep(moment[1] * (since / rows if rows > 1 else _BEGINNING_S / 2))
            if process.poll() is None:
                _kill(process, out, told, before)
                return
        time.sleep(_POLL_S)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told.cpu_s += used.ru_utime + used.ru_stime - spent.ru_utime - spent.ru_stime
    if moment is not None:
        told.ended_before += 1
    if process.returncode != 0:
        told.faults.append(f"a run ended with status {process.returncode}; see {out.parent / 'log.txt'}")


def _kill(process: "subprocess.Popen[bytes]", out: Path, told: Told, before: int) -> None:
    group = _group(process.pid)
    for member in group:
        try:
            times = member.cpu_times()
            told.cpu_s += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(_group(process.pid))
    rows = _rows(out)
    done = [row for row in rows if row[1] != WAITING]
    told.kills.append(len(done))
    told.kills_without_a_row += len(done) == before
    told.leftovers_met += len(_leftovers(out))
    told.redone += len(list((out / "cases").glob("*/*.json"))) - sum(row[1] == SCREENED for row in done)
    _say(f"killed with {len(done)} of {told.images} done")


def _group(leader: int) -> list[psutil.Process]:
    """The processes of a group, without those that ended and wait for a parent to notice."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found


def _rows(out: Path) -> list[tuple[str, str]]:
    """Key and state, read beside the run that writes."""
    if not (out / FILE).exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{out / FILE}?mode=ro", uri=True)) as base:
            return base.execute("SELECT key, state FROM images").fetchall()
    except sqlite3.OperationalError:
        return []  # its table is not made yet


def _done(out: Path) -> int:
    return sum(state != WAITING for _, state in _rows(out))


def _leftovers(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.name.endswith(".part")]


def _faults(source: Path, out: Path, told: Told) -> Iterator[str]:
    """Sentences on what was lost, is torn, or is left over."""
    manifest = Manifest(out)
    try:
        rows = list(manifest.rows())
    finally:
        manifest.close()
    told.states = {state: sum(row.state == state for row in rows) for state in sorted({row.state for row in rows})}
    expected = sorted(f"{source.name}/{path.relative_to(source).as_posix()}" for path in images_in(source))
    if sorted(row.place for row in rows) != expected:
        yield f"the manifest has {len(rows)} rows, not each of the {len(expected)} images once"
    screened = [row for row in rows if row.state == SCREENED]
    yield from (f"{row.place} is {row.state}: {row.reason}" for row in rows if row.state != SCREENED)
    yield from (f"{row.place} is a copy of {row.copy_of}" for row in screened if row.copy_of)
    for row in screened:
        fault = _document_fault(row, out)
        told.documents += not fault
        if fault:
            yield f"{row.place}: {fault}"
    known = {f"{row.folder}/{row.case_id}{ending}" for row in screened for ending in (".json", ".html")}
    there = {path.relative_to(out).as_posix() for path in (out / "cases").rglob("*") if path.is_file()}
    yield from (f"{name} belongs to no row" for name in sorted(there - known))
    yield from (f"{name} is lost" for name in sorted(known - there))
    yield from (f"{path.relative_to(out)} is left over" for path in _leftovers(out))
    yield from _summary_faults(rows, out)


def _document_fault(row: Row, out: Path) -> str:
    try:
        case = Case.from_json((out / row.folder / f"{row.case_id}.json").read_text(encoding="utf-8"))
        page = (out / row.folder / f"{row.case_id}.html").read_text(encoding="utf-8")
    except Exception as error:  # whatever it is, the document is not whole
        return f"{type(error).__name__}: {error}"
    if (case.case_id, case.image.sha256) != (row.case_id, row.sha256):
        return "the document is another one's"
    return "" if page.rstrip().endswith("</html>") else "the report is torn"


def _summary_faults(rows: list[Row], out: Path) -> Iterator[str]:
    with (out / TABLE).open(encoding="utf-8", newline="") as file:
        table = sorted((row["place"], row["state"]) for row in csv.DictReader(file))
    if table != sorted((row.place, row.state) for row in rows):
        yield f"{TABLE} has {len(table)} rows that are not the manifest's"
    page = (out / PAGE).read_text(encoding="utf-8")
    listed = re.search(r'<script type="application/json" id="rows">(.*?)</script>', page, re.DOTALL)
    shown = len(json.loads(listed[1])) if listed else 0
    if shown != min(len(rows), MOST_ROWS) or not page.rstrip().endswith("</html>"):
        yield f"{PAGE} has {shown} rows or is torn"


def _differences(source: Path, out: Path, alone: Path, told: Told, seed: int) -> Iterator[str]:
    """Sentences on documents that are not those of ``screen``, which screens some of the images by itself."""
    images = images_in(source)
    chosen = np.random.default_rng([seed, 3]).choice(len(images), min(COMPARED, len(images)), replace=False)
    shutil.rmtree(alone, ignore_errors=True)
    # Under the same names: ids and sources of documents are made of them.
    part = alone / source.name
    for image in (images[number] for number in sorted(chosen)):
        target = part / image.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if image.is_dir() else shutil.copyfile)(image, target)
    command = [*_program("screen"), str(part), "--out", str(alone / "out"), "--device", "cpu"]
    subprocess.run(command, capture_output=True, check=False)
    screened = {path.name: path for path in (out / "cases").glob("*/*.json")}
    for path in sorted((alone / "out").glob("*.json")):
        told.compared += 1
        if path.name not in screened or _untimed(path) != _untimed(screened[path.name]):
            yield f"{path.name} is not as by screen"
    if told.compared != len(chosen):
        yield f"screen wrote {told.compared} documents of {len(chosen)} images"


def _untimed(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in document.items() if name != "timings_s"}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
