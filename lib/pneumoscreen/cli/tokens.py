"""Commands for the API tokens of a server."""

from enum import StrEnum
from typing import Annotated

import typer

from .options import TokensFile


class TokenRole(StrEnum):
    """What the holder of a token may do; each may do what those before may."""

    MONITOR = "monitor"
    READER = "reader"
    TRAINER = "trainer"
    ADMINISTRATOR = "administrator"


app = typer.Typer(
    help="Make, list and revoke the API tokens by which the server knows who speaks.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("add")
def add_token(
    reader: Annotated[str, typer.Option(help="Name under which the holder's annotations are kept.")],
    role: Annotated[
        TokenRole,
        typer.Option(
            help="monitor: reads /metrics, nothing else. reader: reads, screens, annotates. "
            "trainer: also trains, adjudicates, publishes. administrator: also deletes and reads logs."
        ),
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until it expires.", show_default="never")
    ] = None,
    tokens: TokensFile = None,
) -> None:
    """Make a token and print it, this once; the file keeps a hash of it."""
    from ..commands.tokens import add_token as add

    add(reader, role.value, days, tokens)


@app.command("list")
def list_tokens(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")] = False,
    tokens: TokensFile = None,
) -> None:
    """Print id, reader, role, dates and state of every token."""
    from ..commands.tokens import list_tokens as print_tokens

    print_tokens(tokens, as_json=json)


@app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(metavar="ID", help="Id of the token; `tokens list` shows it.")],
    tokens: TokensFile = None,
) -> None:
    """Revoke a token for good; a running server refuses it at once."""
    from ..commands.tokens import revoke_token as revoke

    revoke(token, tokens)
