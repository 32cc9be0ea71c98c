"""``pneumoscreen demo``: the whole way once, as a clinic would walk it: studies, server, REST client, reports."""

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import SimpleITK as sitk
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .. import RESEARCH_USE_ONLY
from ..case import SIDES, Case
from ..errors import PneumoScreenError
from ..images import Input, Refused, find_inputs, read_input
from ..phantoms.studies import write_studies
from ..report.wording import display_name
from .client import Client, ServerError

SEED = 42
START_LIMIT_S = 120.0
STOP_LIMIT_S = 15.0
_POLL_S = 0.3
_SERVER_LOG = "server.log"
_MARK = ".pneumoscreen-demo"


def run_demo(out: Path, ct: Path | None = None) -> int:
    """Screen three phantoms, or the given CT, over a server of its own; everything lies in ``out`` afterwards.

    Args:
        out: folder for studies, documents and reports; made where missing.
        ct: a CT (file or DICOM folder) or a folder of several, instead of phantoms.

    Returns:
        0 if every case was screened and its document is valid, else 1.

    Raises:
        PneumoScreenError: if the CT cannot be read or the server does not start.
    """
    console = Console()
    if threading.current_thread() is threading.main_thread():
        # A polite kill must stop the server too, as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    studies = _fresh_studies(out)
    console.print(f"[bold]PneumoScreen demo[/bold]  {RESEARCH_USE_ONLY}")
    # The server imports for seconds; the studies are made meanwhile, and it finds them when they are needed.
    with _server(studies, out / _SERVER_LOG) as (process, client_of):
        with console.status("Making three phantom cases" if ct is None else f"Reading {ct}"):
            images = _phantoms(studies) if ct is None else _copy(ct, studies)
        with console.status("Starting the server"):
            client = client_of()
            client.wait_until_ready(START_LIMIT_S, lambda: process.poll() is None)
        console.print(f"Server: {client.address}   studies: {studies}")
        cases, failures = _screen(client, images, out, console)
    for sentence in failures:
        console.print(f"[red]{sentence}[/red]")
    _print_results(console, cases, out, studies)
    return 1 if failures or not cases else 0


def _fresh_studies(out: Path) -> Path:
    """An empty studies folder in ``out``; one that an earlier demo made is replaced, anything else is left alone."""
    studies = out / "studies"
    if studies.exists() and not (studies / _MARK).exists():
        raise ServerError(f"{studies} is there already and no demo made it; name another output folder")
    try:
        shutil.rmtree(studies, ignore_errors=True)
        studies.mkdir(parents=True)
        (studies / _MARK).touch()
    except OSError as error:
        raise ServerError(f"{studies} cannot be made ({error.strerror}); name another output folder") from None
    return studies


def _phantoms(studies: Path) -> list[str]:
    """One phantom of each verdict; ids in the order in which they are screened."""
    with _hidden_until_whole(studies) as folder:
        paths = write_studies(folder, 3, SEED)
        shutil.rmtree(folder / "labels")  # the truth stays out of the demo: nothing is to be looked up
    return [path.name.removesuffix(".nii.gz") for path in paths]


def _copy(ct: Path, studies: Path) -> list[str]:
    """The readable CTs behind a path, as NIfTI files among the studies."""
    ids = []
    refused: list[str] = []
    with _hidden_until_whole(studies) as folder:
        for found in find_inputs([ct]):
            if isinstance(found, Refused):
                refused.append(found.reason)
                continue
            ids.append(_copy_one(found, folder))
    if not ids:
        raise ServerError(refused[0] if refused else f"{ct} holds no CT; name a DICOM folder, NIfTI, NRRD or MHA file")
    return ids


def _copy_one(found: Input, folder: Path) -> str:
    name = found.path.name.lower()
    if found.path.is_file() and name.endswith((".nii", ".nii.gz", ".nrrd", ".mha")):
        # Copied as it is: the server shall read, and if need be repair, what the user has.
        ending = next(e for e in (".nii.gz", ".nii", ".nrrd", ".mha") if name.endswith(e))
        shutil.copyfile(found.path, folder / f"{found.case_id}{ending}")
    else:
        volume = read_input(found)
        sitk.WriteImage(volume.to_sitk(volume.hu), folder / f"{found.case_id}.nii.gz", useCompression=True)
    return found.case_id


@contextlib.contextmanager
def _hidden_until_whole(studies: Path) -> Iterator[Path]:
    """A hidden folder whose files move among the studies at the end: the server never sees half a file."""
    folder = studies / ".incoming"
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.rename(studies / path.name)
    folder.rmdir()


@contextlib.contextmanager
def _server(studies: Path, log: Path) -> Iterator[tuple["subprocess.Popen[str]", "ClientOf"]]:
    """A server process on a free port, which ends with the block whatever happens in it."""
    command = [sys.executable, "-m", "pneumoscreen", "serve", "--studies", str(studies), "--port", "0"]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True, start_new_session=True
        )
    address = ClientOf(process, log)
    try:
        yield process, address
    finally:
        _stop(process)


class ClientOf:
    """The client of a server process, once it has printed its address."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._log = log
        self._address: str | None = None
        self._known = threading.Event()
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def __call__(self) -> Client:
        """Wait for the address.

        Raises:
            ServerError: if the server ends before, or takes too long.
        """
        self._known.wait(START_LIMIT_S)
        if self._address is None:
            raise ServerError(f"the server did not start; its messages are in {self._log}")
        return Client(self._address)

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:  # to its end: a full pipe would stop the server
            if " at http://" in line and self._address is None:
                self._address = line.split(" at ")[1].split()[0]
                self._known.set()
        self._known.set()


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _screen(client: Client, images: list[str], out: Path, console: Console) -> tuple[list[Case], list[str]]:
    """Screen every image over REST, save documents and reports; returns valid cases and what went wrong."""
    cases, failures = [], []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"), TimeElapsedColumn())
    pool = ThreadPoolExecutor(1)
    with Progress(*columns, console=console) as bars, _left_at_once(pool):
        for image in images:
            bar = bars.add_task(image, total=1.0, stage="")
            work = pool.submit(client.infer, "ct_screening", image, None, "json")
            while not work.done():
                now = client.progress(image) or {"fraction": 0.0, "stage": ""}
                bars.update(bar, completed=now["fraction"], stage=now["stage"])
                time.sleep(_POLL_S)
            try:
                case = Case.from_dict(work.result().document)
                (out / f"{image}.json").write_text(case.to_json(), encoding="utf-8")
                client.save_report(image, out / f"{image}.html")
            except (PneumoScreenError, OSError) as error:
                bars.update(bar, stage="failed")
                failures.append(f"{image}: {error}")
                continue
            bars.update(bar, completed=1.0, stage="done")
            cases.append(case)
    return cases, failures


@contextlib.contextmanager
def _left_at_once(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Do not wait for a running request when Ctrl-C ends the block: the server is stopped next, which ends it."""
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _print_results(console: Console, cases: list[Case], out: Path, studies: Path) -> None:
    table = Table("case", "verdict", "confidence", "regions", "affected L / R", "seconds")
    table.columns[0].overflow = "fold"
    for case in cases:
        table.add_row(*_row(case))
    console.print(table)
    console.print(f"Reports (open in a browser) and case documents: {out.resolve()}/*.html, *.json", soft_wrap=True)
    console.print(
        "\nTo work on these cases in 3D Slicer:\n"
        f"  1. start the server again:  make serve STUDIES={studies}\n"
        "  2. in Slicer, module MONAI Label (extension MONAILabel): server http://127.0.0.1:8000, green arrow\n"
        "  3. Next Sample, then Auto Segmentation with the model ct_screening: its regions appear as segments",
        soft_wrap=True,
        highlight=False,
    )


def _row(case: Case) -> tuple[str, ...]:
    verdict = case.verdict
    confidence = verdict.confidence.get(verdict.label) if verdict else None
    lungs = [case.lungs.get(side) for side in SIDES]
    affected = ["-" if lung is None else f"{lung.affected_percent:.1f} %" for lung in lungs]
    return (
        case.case_id,
        display_name(verdict.label) if verdict else "-",
        "-" if confidence is None else f"{confidence:.2f}",
        str(len(case.regions)),
        " / ".join(affected),
        f"{case.timings_s.get('total', 0.0):.1f}",
    )
