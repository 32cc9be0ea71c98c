"""Commands for the store of models."""

from pathlib import Path
from typing import Annotated

import typer

from .options import ModelDir

AuditedStudies = Annotated[
    Path | None,
    typer.Option("--studies", help="Enter it into this studies folder's audit log, beside that of the models."),
]

app = typer.Typer(
    help="List models, publish a candidate, go back to an earlier version.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_models(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    model_dir: ModelDir = None,
) -> None:
    """Print every model: its versions, which is in use, figures, what is damaged, and the candidates with reasons."""
    from ..commands.models import list_models as print_models

    print_models(model_dir=model_dir, as_json=json)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str, typer.Argument(help="Version number, or id of a candidate.")],
    model_dir: ModelDir = None,
) -> None:
    """Print the card of a version or candidate as JSON."""
    from ..commands.models import show_model as print_card

    print_card(name, version, model_dir=model_dir)


@app.command("publish")
def publish_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    candidate: Annotated[str, typer.Argument(help="Id of the candidate; `models list` shows it.")],
    studies: AuditedStudies = None,
    model_dir: ModelDir = None,
) -> None:
    """Publish a kept candidate by hand: it becomes the next version and comes into use."""
    from ..commands.models import publish_candidate

    publish_candidate(name, candidate, model_dir=model_dir, studies=studies)


@app.command("rollback")
def rollback_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    to: Annotated[
        int | None, typer.Option(min=1, help="The version to put into use.", show_default="the one before")
    ] = None,
    studies: AuditedStudies = None,
    model_dir: ModelDir = None,
) -> None:
    """Put the version before the one in use, or another, into use."""
    from ..commands.models import roll_back

    roll_back(name, to, model_dir=model_dir, studies=studies)
