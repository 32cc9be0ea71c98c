"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..method import Method
from ..methods import METHODS, method_named

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
LogMegabytes = Annotated[
    int, typer.Option(envvar="PNEUMOSCREEN_LOG_MB", min=1, help="Megabytes from which on it is set aside.")
]
LogFiles = Annotated[int, typer.Option(envvar="PNEUMOSCREEN_LOG_FILES", min=1, help="Files set aside that are kept.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")]
Processes = Annotated[
    int | None,
    typer.Option(help="Processes beside each other, or actors of Ray.", show_default="1; with --ray all"),
]
Ray = Annotated[
    str | None,
    typer.Option(metavar="auto|ADDRESS", help="Work on a Ray cluster (docs/cluster.md); auto begins one here."),
]
RayCpus = Annotated[float | None, typer.Option(help="Cores of an actor.", show_default="an equal share, or one")]
RayGpus = Annotated[float | None, typer.Option(help="GPUs of an actor, may be a part of one.", show_default="a half")]


def modality(say: Callable[[Method], str]) -> Any:
    """The option that names a method by its modality.

    Args:
        say: what the help says of a method.
    """
    return typer.Option(
        parser=_method_name,
        metavar=f"<{'|'.join(method.name for method in METHODS)}>",
        help=f"{'; '.join(f'{method.name}: {say(method)}' for method in METHODS)}.",
    )


def _method_name(name: str) -> str:
    try:
        return method_named(name).name
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None
