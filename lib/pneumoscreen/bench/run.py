"""``pneumoscreen bench``: the figures that the project promises, measured and compared with the promise."""

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from .. import __version__
from .archive import Rates, measure_rates
from .latency import measure_latency
from .process import ScreeningRun, has_gpu, run_screening, two_cores
from .scans import bench_radiograph, bench_scan, bench_scans
from .training import measure_first_word, measure_throughput

THIN, THICK = 300, 70
THICK_RUNS = 3
LATER_CASES = 4
GPU_CASES = 3
ARCHIVE_CASES = 10
RADIOGRAPH_SIDES = (512, 2048)
"""Pixels of the longer side: of a public teaching picture, and of a radiograph as a hospital has it."""
RADIOGRAPH_CASES = 20


@dataclass(frozen=True)
class Figure:
    """One measured value beside its target; a figure without target is for information."""

    name: str
    value: float
    unit: str
    target: float | None = None

    @property
    def verdict(self) -> str:
        """``pass``, ``miss``, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "pass" if self.value <= self.target else "miss"


def run_bench(out: Path, model_dir: Path | None = None, device: str = "auto") -> list[Figure]:
    """Measure, print the table and write it as JSON.

    CPU figures are taken on two cores. Where a GPU is found (and ``device`` is not ``cpu``), the thick
    scan is screened on it as well, several times in one process: the first pays for starting CUDA.

    Raises:
        BenchError: if a measured program fails.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    thick, thin = bench_scan(out.parent, THICK), bench_scan(out.parent, THIN)
    cores = two_cores()
    runs = [run_screening([thick], "cpu", cores, model_dir) for _ in range(THICK_RUNS)]
    with copies_of(thick, 1 + LATER_CASES) as copies:
        row = run_screening(copies, "cpu", cores, model_dir)
    long_run = run_screening([thin], "cpu", cores, model_dir)
    figures = _cpu_figures(runs, row, long_run)
    if device != "cpu" and has_gpu():
        figures += _gpu_figures(thick, model_dir)
    for side in RADIOGRAPH_SIDES:
        figures += _radiograph_figures(bench_radiograph(out.parent, side), side, cores, model_dir)
    figures += _archive_figures(measure_rates(bench_scans(out.parent, THICK, ARCHIVE_CASES), cores, model_dir))
    latency = measure_latency(thick)
    figures += [
        Figure("server: start to first answer", latency.startup_s, "s"),
        Figure("server: /info/ while screening, median", latency.median_ms, "ms", 100.0),
        Figure("server: /info/ while screening, worst", max(latency.answers_ms), "ms"),
        Figure("server: the screening meanwhile", latency.screening_s, "s"),
    ]
    figures += _training_figures(cores, model_dir, device)
    _print(figures, len(cores))
    out.write_text(json.dumps(_document(figures, len(cores)), indent=2) + "\n", encoding="utf-8")
    return figures


def _cpu_figures(runs: list[ScreeningRun], row: ScreeningRun, long_run: ScreeningRun) -> list[Figure]:
    """Of the thick scan alone, several times; of copies of it one after the other; and of the thin scan."""
    first = _medians([run.timings_s[0] for run in runs])
    later = _medians(row.timings_s[1:])
    thin = long_run.timings_s[0]
    size = f"512x512x{THICK}"
    long_size = f"512x512x{THIN}"
    return [
        Figure(f"{size}: the whole command", median(run.wall_s for run in runs), "s", 6.0),
        Figure(f"{size}: the whole command, work of both cores", median(run.cpu_s for run in runs), "s"),
        Figure(f"{size}: first case, read to report", first["total"], "s", 4.0),
        *_stages(f"{size}: first case", first),
        Figure(f"{size}: later cases, read to report", later["total"], "s", 2.0),
        *_stages(f"{size}: later cases", later),
        Figure(f"{size}: peak memory", max(run.peak_gib for run in (*runs, row)), "GiB", 3.0),
        Figure(f"{size}: start and loading beside it", median(run.startup_s for run in runs), "s"),
        Figure(f"{long_size}: read to report", thin["total"], "s", 6.0),
        *_stages(long_size, thin),
        Figure(f"{long_size}: times the {size}", thin["total"] / first["total"], "x", 4.5),
        Figure(f"{long_size}: peak memory", long_run.peak_gib, "GiB", 1.7),
    ]


def _medians(timings: list[dict[str, float]]) -> dict[str, float]:
    """The median of each stage over several cases."""
    return {stage: median(case[stage] for case in timings) for stage in timings[0]}


def _stages(what: str, timings: dict[str, float]) -> list[Figure]:
    """Seconds by stage, for information."""
    return [Figure(f"{what}: {stage}", seconds, "s") for stage, seconds in timings.items() if stage != "total"]


def _radiograph_figures(file: Path, side: int, cores: set[int], model_dir: Path | None) -> list[Figure]:
    """One after the other in one process, as a folder of radiographs is screened; the first pays for warming up."""
    with copies_of(file, RADIOGRAPH_CASES) as copies:
        run = run_screening(copies, "cpu", cores, model_dir)
    stages = _medians(run.timings_s[1:])
    seconds = stages["total"] - stages["report"]
    size = f"radiograph {side} px"
    return [
        Figure(f"{size}: file to document", 1000.0 * seconds, "ms", 272.0),
        *(Figure(f"{size}: {stage}", 1000.0 * value, "ms") for stage, value in stages.items() if stage != "total"),
        Figure(f"{size}: with report, one after the other", 1.0 / stages["total"], "images/s"),
        Figure(f"{size}: peak memory", run.peak_gib, "GiB"),
    ]


def _archive_figures(rates: Rates) -> list[Figure]:
    """A higher rate is better, so that it has no target here."""
    size = f"512x512x{THICK}"
    return [
        Figure(f"archive of {size}", rates.archive, "cases/min"),
        Figure(f"archive of {size}: the same by screen", rates.screen, "cases/min"),
        Figure(f"archive of {size}: times as fast as screen", rates.archive / rates.screen, "x"),
    ]


@contextmanager
def copies_of(file: Path, count: int) -> Iterator[list[Path]]:
    """Copies of a file; of links to one file only one would be screened."""
    with tempfile.TemporaryDirectory(prefix="pneumoscreen-bench-") as folder:
        copies = [Path(folder) / f"{number:02d}-{file.name}" for number in range(count)]
        for copy in copies:
            shutil.copyfile(file, copy)
        yield copies


def _gpu_figures(scan: Path, model_dir: Path | None) -> list[Figure]:
    with copies_of(scan, GPU_CASES) as copies:
        run = run_screening(copies, "cuda", set(os.sched_getaffinity(0)), model_dir)
    totals = [timings["total"] for timings in run.timings_s]
    return [
        Figure(f"512x512x{THICK} on the GPU: read to report, first", totals[0], "s"),
        Figure(f"512x512x{THICK} on the GPU: read to report, later", min(totals[1:]), "s", 1.0),
        *_stages(f"512x512x{THICK} on the GPU", run.timings_s[-1]),
    ]


def _training_figures(cores: set[int], model_dir: Path | None, device: str) -> list[Figure]:
    """A higher throughput is better, so that it has no target here."""
    first = measure_first_word(model_dir, cores)
    figures = [
        Figure("training: start to first progress message", first.message_s, "s", 10.0),
        Figure("training: start to first step, 4 small cases prepared", first.step_s, "s"),
    ]
    places = [("cpu", "", cores)]
    if device != "cpu" and has_gpu():
        places.append(("cuda", " on the GPU, mixed precision", set(os.sched_getaffinity(0))))
    for name, where, where_cores in places:
        speed = measure_throughput(name, where_cores)
        figures += [
            Figure(f"training: ct_classifier (M1 and M2){where}", speed.patches, "patches/s"),
            Figure(f"training: ct_candidates{where}", speed.volumes, "volumes/s"),
        ]
    return figures


def _print(figures: list[Figure], cores: int) -> None:
    table = Table(title=f"PneumoScreen {__version__}, CPU figures on {cores} cores of {_processor()}")
    for column, justify in (("what", "left"), ("measured", "right"), ("target", "right"), ("", "left")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    for figure in figures:
        target = "" if figure.target is None else f"<= {figure.target:g} {figure.unit}"
        table.add_row(figure.name, f"{figure.value:.2f} {figure.unit}", target, figure.verdict)
    Console().print(table)


def _document(figures: list[Figure], cores: int) -> dict[str, Any]:
    return {
        "pneumoscreen": __version__,
        "processor": _processor(),
        "cores": cores,
        "figures": [{**asdict(figure), "verdict": figure.verdict or None} for figure in figures],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
