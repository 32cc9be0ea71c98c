"""``pneumoscreen pacs``: watch a PACS, screen what comes, store what was found; and show what was done.

``receive`` stands in a module of its own.
"""

import json as json_
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..commands.terminal import complain
from ..limits import GIGABYTE
from ..pacs.choices import PASSWORD
from .options import Device, ModelDir

app = typer.Typer(
    help="Take studies from a PACS or from scanners, screen them and store the results.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
StateFolder = Annotated[
    Path, typer.Option("--state", help="Folder for what was done, fetched series and results that wait to be stored.")
]

User = Annotated[str | None, typer.Option(help=f"User for basic authentication; the password stands in {PASSWORD}.")]
CaFile = Annotated[Path | None, typer.Option(help="Certificates that the PACS' own is checked with.")]
ClientCert = Annotated[Path | None, typer.Option(help="Certificate with key that the PACS asks for.")]
Days = Annotated[int, typer.Option(min=0, help="Take studies of the last days, by StudyDate; 0 takes all.")]
Quiet = Annotated[float, typer.Option(min=0.0, help="Seconds after which a study that no longer grows is complete.")]
First = Annotated[
    list[str] | None,
    typer.Option(help="Screen studies first whose header fits, as in StudyDescription=*stat*; again for later ones."),
]


def say(line: str) -> None:
    """Print what was done with a study as one line."""
    print(" ".join(line.split()), flush=True)


@app.command()
def watch(
    pacs: Annotated[str, typer.Option(help="Address of the DICOMweb service, such as https://host/dicom-web.")],
    state: StateFolder,
    user: User = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    days: Days = 3,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks for new studies.")] = 30.0,
    quiet: Quiet = 60.0,
    cache_gb: Annotated[float, typer.Option(min=0.0, help="Gigabytes that fetched series may take.")] = 20.0,
    once: Annotated[
        bool, typer.Option("--once", help="End when all studies are done, instead of watching on.")
    ] = False,
    first: First = None,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> int:
    """Watch a PACS: screen each new study once and store SEG, SR, PDF and Secondary Capture there. Research use only.

    A bearer token stands in PNEUMOSCREEN_PACS_TOKEN. With --once: exit status 0, or 2 where a study was not screened.
    """
    from .. import RESEARCH_USE_ONLY
    from ..commands.device import pick_device
    from ..pacs.cache import SeriesCache
    from ..pacs.client import Access, Pacs
    from ..pacs.origin import PacsOrigin
    from ..pacs.priority import rules_of
    from ..pacs.screening import FolderScreener
    from ..pacs.state import STORED, State
    from ..pacs.watch import Pace, Watcher

    client = Pacs(Access.of_options(pacs, user, ca_file, client_cert))
    rules, entries = rules_of(first or ()), State(state)
    complain(RESEARCH_USE_ONLY)
    try:
        origin = PacsOrigin(client, SeriesCache(state / "cache", int(cache_gb * GIGABYTE)), days or None)
        screen = FolderScreener(model_dir, pick_device(device))
        watcher = Watcher(origin, client, entries, state, screen, Pace(interval, quiet), say, rules)
        watcher.run(once=once)
        is_done = all(entry.state == STORED for entry in entries.entries())
    finally:
        entries.close()
    return 0 if is_done else 2


@app.command()
def status(
    state: StateFolder,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of lines.")] = False,
) -> None:
    """Print every study with its state, and why it failed; while watcher or receiver run as well."""
    from ..pacs.state import read_entries

    entries = read_entries(state)
    if json:
        print(json_.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False))
        return
    for entry in entries:
        late = f" ({entry.late} images came later)" if entry.late else ""
        reason = f": {entry.reason}" if entry.reason else ""
        print(f"{entry.study_uid} {entry.state} {entry.verdict or '-'}{late}{reason}")
