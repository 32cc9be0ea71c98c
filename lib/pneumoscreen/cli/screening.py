"""Commands that screen: images, an archive, the demonstration, the measurement of speed."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import Device, LogFiles, LogMegabytes, ModelDir, Ray, RayCpus, RayGpus
from .pacs import CaFile, ClientCert, Days, User


def screen(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT…", help="DICOM folder, NIfTI, NRRD or MHA file, or a folder of such cases."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the case documents and reports; made where missing.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON array, an object an input, instead of a line a case.")
    ] = False,
    index: Annotated[bool, typer.Option("--index", help="Also write OUT/index.html, a table of all cases.")] = False,
    anonymous_ids: Annotated[
        bool, typer.Option("--anonymous-ids", help="Name cases by hashes: folder names may be patients' names.")
    ] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> int:
    """Screen CTs and X-rays: OUT/<case_id>.json and .html, and a line <case_id> <verdict> <confidence> <seconds>.

    Exit status 0: all screened. 2: an input could not be screened; the others were.
    """
    from ..commands.screen import screen_inputs

    return screen_inputs(
        inputs,
        out,
        as_json=json,
        with_index=index,
        anonymous_ids=anonymous_ids,
        model_dir=model_dir,
        device=device,
    )


def archive(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="Folder or file of scans, a .txt with a path a line, or the address of a PACS: https://host/dicom-web.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for manifest, documents, reports and page; made where missing.")],
    processes: Annotated[
        int | None,
        typer.Option(help="Processes beside each other.", show_default="what cores and memory allow"),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Screen anew what other networks or another version screened.")
    ] = False,
    anonymous_ids: Annotated[
        bool, typer.Option("--anonymous-ids", help="Name cases by hashes: folder names may be patients' names.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end instead of lines.")] = False,
    ray: Ray = None,
    ray_cpus: RayCpus = None,
    ray_gpus: RayGpus = None,
    user: User = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    days: Days = 0,
    dates: Annotated[
        str | None, typer.Option(help="Take studies of these days, as in 20240101-20241231; in place of --days.")
    ] = None,
    modality: Annotated[str | None, options.modality(lambda method: f"of a PACS take only {method.images}")] = None,
    log_file: Annotated[
        Path | None, typer.Option(help="Write a line of JSON for each image, without names.", show_default="none")
    ] = None,
    log_mb: LogMegabytes = 50,
    log_files: LogFiles = 5,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> int:
    """Screen a whole archive: each image once, in several processes; after a kill the same command goes on.

    Of a PACS one image a study is screened, chosen as by `pacs watch`; each process fetches its own and deletes it.
    A bearer token stands in PNEUMOSCREEN_PACS_TOKEN.

    OUT/manifest.sqlite says what became of each image, OUT/images.csv and OUT/archive.html show it, documents and
    reports lie in OUT/cases. What was refused is not tried again, what failed is. Exit status 0: all screened. 2: some
    were refused. 1: some failed.
    """
    from ..archive.command import run_archive
    from ..archive.studies import StudyChoice
    from ..server.logs import LogChoice, LogFormat, set_up_log
    from ..workers.asked import Workers

    if log_file is not None:
        set_up_log(LogChoice(LogFormat.JSON, log_file, log_mb, log_files))
    return run_archive(
        sources,
        out,
        update=update,
        anonymous_ids=anonymous_ids,
        model_dir=model_dir,
        device=device,
        as_json=json,
        workers=Workers.of(processes, ray, ray_cpus, ray_gpus, device),
        choice=StudyChoice(user, ca_file, client_cert, days, dates, modality),
    )


def demo(
    out: Annotated[Path, typer.Option(help="Folder for scans, documents and reports.")] = Path("demo-output"),
    ct: Annotated[Path | None, typer.Option(help="Screen this CT or X-ray instead of synthetic ones.")] = None,
) -> int:
    """Make three synthetic CTs and an X-ray, start the server, screen them over REST and print the verdicts."""
    from ..output import prepare_folder
    from ..server.demo import run_demo

    return int(run_demo(prepare_folder(out), ct=ct) or 0)


def bench(
    out: Annotated[Path, typer.Option(help="File for the figures; scans are kept beside it.")] = Path(
        "build/bench.json"
    ),
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Measure time and memory of a screening and how fast the server answers meanwhile."""
    from ..bench.run import run_bench

    run_bench(out, model_dir=model_dir, device=device)
