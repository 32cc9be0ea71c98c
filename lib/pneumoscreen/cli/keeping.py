"""Commands that keep what a server has: backup and restore."""

from pathlib import Path
from typing import Annotated

import typer

from .options import ModelDir

Studies = Annotated[Path, typer.Option(envvar="PNEUMOSCREEN_STUDIES", help="Folder of the studies.")]


def backup(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The archive (ZIP); must not be there yet.")],
    studies: Studies,
    images: Annotated[bool, typer.Option("--images", help="The images go in as well.")] = False,
    model_dir: ModelDir = None,
) -> None:
    """Back up annotations, labels, split, audit log, state and models; the server may go on meanwhile."""
    from ..commands.keeping import backup as make

    make(out, studies, model_dir, images)


def restore(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    studies: Studies,
    model_dir: Annotated[Path | None, typer.Option("--model-dir", help="Folder that its models go to.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Set aside what is there already, in a hidden folder beside it.")
    ] = False,
) -> None:
    """Put a backup back, once every file of it is checked. Stop the server first."""
    from ..commands.keeping import restore as put_back

    put_back(archive, studies, model_dir, overwrite)
