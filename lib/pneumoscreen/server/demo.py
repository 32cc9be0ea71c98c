"""``pneumoscreen demo``: the whole way once, as a clinic would walk it: studies, server, REST client, reports."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .. import RESEARCH_USE_ONLY
from ..case import SIDES, Case
from ..errors import PneumoScreenError
from ..images import Input, Refused, find_inputs, read_input
from ..methods import METHODS, method_for
from ..report.wording import case_verdict_name, display_name
from ..studies.layout import PICTURE_ENDINGS, VOLUME_ENDINGS, split_name
from ..subprocesses.parent import PARENT_VARIABLE
from . import WORK_FOLDER
from .access.tokens import NO_TOKENS
from .client import Client, ServerError
from .site_settings import without_site

START_LIMIT_S = 120.0
STOP_LIMIT_S = 15.0
OFFER_LIMIT_S = 60.0
"""Ours: time for the server to see that the studies are complete, which takes it seconds."""
_POLL_S = 0.3
_SHORT_ID = 24
_SERVER_LOG = "server.log"
_MARK = ".pneumoscreen-demo"


@dataclass(frozen=True)
class _Study:
    """An image among the demo's studies; ``made_as`` is what a phantom was made to show."""

    image: str
    modality: str
    made_as: str | None = None


def run_demo(out: Path, ct: Path | None = None) -> int:
    """Screen the phantoms of all methods, or the given CT, over a server of its own; all lies in ``out`` afterwards.

    Args:
        out: folder for studies, documents and reports; made where missing.
        ct: a CT or X-ray (file or DICOM folder) or a folder of several, instead of phantoms.

    Returns:
        0 if every case was screened; else 2 for a given CT, 1 for phantoms. One line on standard error for each.

    Raises:
        PneumoScreenError: if there is no CT behind the path or the server does not start.
    """
    console = Console()
    if threading.current_thread() is threading.main_thread():
        # A polite kill must stop the server too, as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    inputs, failures = ([], []) if ct is None else _inputs(ct)
    studies_folder = _fresh_studies(out)
    console.print(f"[bold]PneumoScreen demo[/bold]  {RESEARCH_USE_ONLY}")
    # The server imports for seconds; the studies are made meanwhile, and it finds them when they are needed.
    with _server(studies_folder, out / _SERVER_LOG) as (process, client_of):
        with console.status("Making synthetic images" if ct is None else f"Reading {ct}"):
            studies = _phantoms(studies_folder) if ct is None else _copy(inputs, studies_folder, failures)
        if studies:
            with console.status("Starting the server"):
                client = client_of()
                client.wait_until_ready(START_LIMIT_S, lambda: process.poll() is None)
                # One that does not come is asked for all the same: the server then says why.
                client.wait_until_offered([study.image for study in studies], OFFER_LIMIT_S)
            console.print(f"Server: {client.address}   studies: {studies_folder}", soft_wrap=True, highlight=False)
        cases = _screen(client, studies, out, console, failures) if studies else []
    for sentence in failures:
        print(" ".join(sentence.split()), file=sys.stderr, flush=True)
    if cases:
        _print_results(console, cases, out, studies_folder)
    return 0 if not failures else 1 if ct is None else 2


def _inputs(ct: Path) -> tuple[list[Input], list[str]]:
    """The CTs behind a path, and a sentence for each that is refused.

    Raises:
        ServerError: if every one is refused.
    """
    found = find_inputs([ct])
    refused = [item.reason for item in found if isinstance(item, Refused)]
    inputs = [item for item in found if isinstance(item, Input)]
    if not inputs:
        raise ServerError(refused[0] if refused else f"{ct} holds no CT; name a DICOM folder, NIfTI, NRRD or MHA file")
    return inputs, refused


def _fresh_studies(out: Path) -> Path:
    """An empty studies folder in ``out``; what an earlier demo made is replaced, anything else is left alone."""
    studies = out / "studies"
    if studies.exists() and not (studies / _MARK).exists():
        raise ServerError(f"{studies} is there already and no demo made it; name another output folder")
    try:
        for old in (studies / WORK_FOLDER / "reports").glob("*.html"):
            for ending in (".html", ".json"):
                (out / f"{old.stem}{ending}").unlink(missing_ok=True)
        shutil.rmtree(studies, ignore_errors=True)
        studies.mkdir(parents=True)
        (studies / _MARK).touch()
    except OSError as error:
        raise ServerError(f"{studies} cannot be made ({error.strerror}); name another output folder") from None
    return studies


def _phantoms(studies: Path) -> list[_Study]:
    """What each method is shown on, in the order in which it is screened; the truth does not reach the server."""
    made = []
    with _hidden_until_whole(studies) as folder, tempfile.TemporaryDirectory(dir=studies.parent) as beside:
        for method in METHODS:
            for asked in method.demonstration:
                (image,) = method.phantoms(asked)(Path(beside), lambda done, cases: None)
                image.rename(folder / image.name)
                made.append(_Study(split_name(image.name)[0], method.modality, asked.diagnosis))
    return made


def _copy(inputs: list[Input], studies: Path, failures: list[str]) -> list[_Study]:
    """Copy CTs into the studies; a sentence goes to ``failures`` for each that cannot be."""
    copied = []
    with _hidden_until_whole(studies) as folder:
        for found in inputs:
            try:
                _copy_one(found, folder)
            except PneumoScreenError as error:
                failures.append(str(error))
                continue
            copied.append(_Study(found.case_id, found.modality))
    return copied


def _copy_one(found: Input, folder: Path) -> None:
    # Copied as it is where the server offers its kind: the server shall read, and if need be repair, what the user has.
    name = found.path.name.lower()
    ending = next((ending for ending in (*VOLUME_ENDINGS, *PICTURE_ENDINGS) if name.endswith(ending)), None)
    if found.headers:
        series = folder / found.case_id
        series.mkdir()
        for number, path in enumerate(dict.fromkeys(header.path for header in found.headers), start=1):
            shutil.copyfile(path, series / f"{number:05d}.dcm")
    elif found.path.is_file() and ending:
        shutil.copyfile(found.path, folder / f"{found.case_id}{ending}")
    else:
        volume = read_input(found)
        sitk.WriteImage(volume.to_sitk(volume.hu), folder / f"{found.case_id}.nii.gz", useCompression=True)


@contextlib.contextmanager
def _hidden_until_whole(studies: Path) -> Iterator[Path]:
    """A hidden folder whose files move among the studies at the end: the server never sees half a file."""
    folder = studies / ".incoming"
    try:
        folder.mkdir()
        yield folder
        for path in folder.iterdir():
            path.rename(studies / path.name)
        folder.rmdir()
    except OSError as error:
        raise ServerError(f"{studies} cannot be filled ({error.strerror or error}); name another folder") from None


@contextlib.contextmanager
def _server(studies: Path, log: Path) -> Iterator[tuple["subprocess.Popen[str]", "ClientOf"]]:
    """A server process on a free port, which ends with the block whatever happens in it."""
    options = ["--studies", str(studies), "--port", "0", "--tokens", NO_TOKENS]
    command = [sys.executable, "-m", "pneumoscreen", "serve", *options]
    # A demo that is killed cannot stop its server: it watches for that itself.
    environment = {**without_site(os.environ), PARENT_VARIABLE: str(os.getpid())}
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then stops the server
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


def _screen(
    client: Client, studies: list[_Study], out: Path, console: Console, failures: list[str]
) -> list[tuple[_Study, Case]]:
    """Screen every image over REST, save documents and reports; a sentence goes to ``failures`` for each lost one."""
    cases = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"), TimeElapsedColumn())
    pool = ThreadPoolExecutor(1)
    with Progress(*columns, console=console) as bars, _left_at_once(pool):
        for study in studies:
            image = study.image
            bar = bars.add_task(image, total=1.0, stage="")
            work = pool.submit(client.infer, method_for(study.modality).screening_task, image, None, "json")
            while not wait([work], timeout=_POLL_S).done:
                now = client.progress(image) or {"fraction": 0.0, "stage": ""}
                bars.update(bar, completed=now["fraction"], stage=now["stage"])
            try:
                case = Case.from_dict(work.result().document)
                (out / f"{image}.json").write_text(case.to_json(), encoding="utf-8")
                client.save_report(image, out / f"{image}.html")
            except (PneumoScreenError, OSError) as error:
                bars.update(bar, stage="failed")
                failures.append(f"{image}: {error}")
                continue
            bars.update(bar, completed=1.0, stage="done")
            cases.append((study, case))
    return cases


@contextlib.contextmanager
def _left_at_once(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Do not wait for a running request when Ctrl-C ends the block: the server is stopped next, which ends it."""
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _print_results(console: Console, cases: list[tuple[_Study, Case]], out: Path, studies: Path) -> None:
    with_truth = any(study.made_as for study, _ in cases)
    truth = ["made as"] if with_truth else []
    table = Table("case", "verdict", "confi-\ndence", *truth, "regions", "affected\nL / R %, side", "s")
    table.columns[0].no_wrap = len(max((study.image for study, _ in cases), key=len)) <= _SHORT_ID
    table.columns[0].overflow = "fold"
    for study, case in cases:
        table.add_row(*_row(study, case, with_truth))
    console.print(table)
    where = out.resolve()
    console.print(f"Reports (open in a browser) and case documents: {where}/*.html, *.json", soft_wrap=True)
    console.print(
        "\nTo work on these cases in 3D Slicer:\n"
        f"  1. start the server again:  make serve STUDIES={studies}\n"
        "  2. in Slicer, Edit > Application Settings > Modules: add the folder slicer_extension/PneumoScreen, restart\n"
        "  3. module PneumoScreen: Test connection, then Next case (MONAI Label's own module works too)",
        soft_wrap=True,
        highlight=False,
    )


def _row(study: _Study, case: Case, with_truth: bool) -> list[str]:
    verdict = case.verdict
    is_decided = verdict is not None and verdict.decided
    confidence = verdict.confidence.get(verdict.label) if verdict is not None and is_decided else None
    return [
        case.case_id,
        case_verdict_name(case) if verdict else "-",
        "-" if confidence is None else f"{confidence:.2f}",
        *([display_name(study.made_as) if study.made_as else "-"] if with_truth else []),
        str(len(case.regions)) if case.cxr is None else "-",
        _affected(case),
        f"{case.timings_s.get('total', 0.0):.1f}",
    ]


def _affected(case: Case) -> str:
    """Share of each lung of a CT, side of an X-ray."""
    if case.cxr is not None:
        return "both" if case.cxr.location == "bipulmonary" else case.cxr.location
    lungs = [case.lungs.get(side) for side in SIDES]
    return " / ".join("-" if lung is None else f"{lung.affected_percent:.1f}" for lung in lungs)
