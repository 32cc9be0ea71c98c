"""Options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ModelDir = Annotated[
    Path | None, typer.Option("--model-dir", help="Folder of published models.", show_default="the project's own")
]
TokensFile = Annotated[
    Path | None,
    typer.Option(
        "--tokens",
        help="File of the API tokens; none for a server without.",
        envvar="PNEUMOSCREEN_TOKENS",
        show_envvar=True,
        show_default="the user's own",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")]


class PhantomModality(StrEnum):
    """What ``phantom`` makes and ``evaluate`` judges."""

    CT = "ct"
    CXR = "cxr"
