"""An archive whose images are empty files and whose workers only say that they screened them: what a run itself costs.

``python -m tests.archive.simulated 100 1000 10000`` prints CPU seconds a row for each number of images.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pneumoscreen.archive.jobs import Job
from pneumoscreen.archive.manifest import SCREENED, Manifest, Row
from pneumoscreen.archive.run import Request, Tally, screen_archive
from pneumoscreen.archive.summary import PAGE, TABLE, write_summary
from pneumoscreen.archive.worker import CASES, Place, twin_in
from pneumoscreen.workers.here import Here
from pneumoscreen.workers.pool import Ask, Work

WARD = 100


class Simulated(Work[Job, Row]):
    """Asks for an image of the same bytes and writes an empty document, as a worker does, and screens nothing."""

    def begin(self, device: str, ask: Ask | None) -> None:
        """Keep what it asks with."""
        assert ask is not None
        self._ask = ask

    def __call__(self, job: Job, out: Path) -> Row:
        """Say that an image was screened."""
        assert self._ask(job.key, "{}") is None
        folder = f"{CASES}/{job.key[:2]}"
        (out / folder).mkdir(parents=True, exist_ok=True)
        (out / folder / f"{job.key}.json").touch()
        return Row(
            job.key, job.place, "CT", job.stamp, SCREENED, case_id=job.key, folder=folder, sha256=job.key,
            verdict="covid19", words="COVID-19", decided=True, infection=int(job.key[:4], 16) / 65536, models="{}",
            program="0.1.0", seconds=int(job.key[:2], 16) / 100, ended=time.time(),
        )  # fmt: skip


def make_images(source: Path, count: int) -> Path:
    """So many files in folders of some."""
    for number in range(count):
        file = source / f"ward-{number // WARD:04d}" / f"patient-{number:06d}" / "ct.nii.gz"
        file.parent.mkdir(parents=True)
        file.touch()
    return source


def run(source: Path, out: Path) -> Tally:
    """One run of the archive, without the summary."""
    out.mkdir(exist_ok=True)
    manifest = Manifest(out)
    try:
        pool = Here(Simulated(), out, "cpu", partial(twin_in, out))
        request = Request([source], Place(out, None, False))
        return screen_archive(request, pool, manifest, lambda row: None, lambda tally: None)
    finally:
        manifest.close()


def summarise(out: Path) -> None:
    """Table and page."""
    manifest = Manifest(out)
    try:
        write_summary(manifest, out)
    finally:
        manifest.close()


def _timed(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def _measured(count: int, folder: Path) -> str:
    source, out = make_images(folder / "source", count), folder / "out"
    seconds = [_timed(act) for act in (lambda: run(source, out), lambda: run(source, out), lambda: summarise(out))]
    first, again, summary = (1000 * second / count for second in seconds)
    page, table = ((out / name).stat().st_size / 1e6 for name in (PAGE, TABLE))
    return f"{count:>8} {first:>11.3f} {again:>13.3f} {summary:>15.3f} {page:>8.2f} {table:>9.2f}"


def main() -> None:
    """Measure."""
    print(f"{'rows':>8} {'run ms/row':>11} {'again ms/row':>13} {'summary ms/row':>15} {'page MB':>8} {'table MB':>9}")
    for count in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            print(_measured(count, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
