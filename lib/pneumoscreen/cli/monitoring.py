"""``pneumoscreen monitor``: its options."""

from pathlib import Path
from typing import Annotated

import typer

from .options import ModelDir


def monitor(
    studies: Annotated[Path, typer.Argument(metavar="STUDIES", help="Studies folder of a server.")],
    out: Annotated[Path, typer.Option(help="Folder for page and figures; made where missing.")],
    cases: Annotated[
        int | None, typer.Option(min=1, help="Submissions a period.", show_default="a period is a month")
    ] = None,
    reference: Annotated[
        int, typer.Option(min=30, help="Patients whose images, the first ones here, are the reference for drift.")
    ] = 100,
    newest: Annotated[int, typer.Option(min=30, help="Patients that count as the newest.")] = 50,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Name readers by hashes, and the folder not at all.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON instead of text.")] = False,
    model_dir: ModelDir = None,
) -> None:
    """The model in use: do readers agree with it, does its probability hold, are the scans as they were, and is it
    time to retrain? Writes OUT/monitoring.html and OUT/monitoring.json.

    Example: pneumoscreen monitor /data/studies --out monitoring

    It reads documents only, no pixels, and changes nothing (docs/monitoring.md).
    """
    from ..commands.monitor import monitor as run

    run(
        studies,
        out,
        cases=cases,
        reference=reference,
        newest=newest,
        anonymous=anonymous,
        model_dir=model_dir,
        as_json=json,
    )
