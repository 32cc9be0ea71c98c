"""``pneumoscreen tokens``: make, list and revoke the server's API tokens."""

import json
from datetime import datetime
from pathlib import Path

from ..server.access.identity import Role
from ..server.access.tokens import Token, TokenFile, file_to_change
from .terminal import complain


def add_token(reader: str, role: str, days: int | None, file: Path | None) -> None:
    """Make a token: the token alone on standard output, what to do with it on standard error.

    Raises:
        PneumoScreenError: if the name cannot be one or the file cannot be changed.
    """
    tokens = TokenFile(file_to_change(file))
    entry, text = tokens.add(reader, Role[role.upper()], days)
    complain(
        f"Token {entry.id} of {entry.reader} ({entry.role}), expires {_day(entry.expires)}; kept as a hash in "
        f"{tokens.path}. It is shown this once; clients send it as the header Authorization: Bearer TOKEN"
    )
    print(text)


def list_tokens(file: Path | None, *, as_json: bool) -> None:
    """Print all tokens, as a table or as JSON; no hash is shown.

    Raises:
        PneumoScreenError: if the file cannot be read.
    """
    path = file_to_change(file)
    tokens = TokenFile(path).read()
    if as_json:
        print(json.dumps([_listed(token) for token in tokens], indent=2, ensure_ascii=False))
        return
    if not tokens:
        complain(f"there is no token in {path}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "reader", "role", "created", "expires", "state")
    for column in table.columns:
        column.overflow = "fold"  # a piped table is 80 columns wide; no id or name may be cut
    for token in tokens:
        table.add_row(token.id, token.reader, token.role, _day(token.created), _day(token.expires), token.state)
    Console(markup=False).print(table)


def revoke_token(token_id: str, file: Path | None) -> None:
    """Revoke a token; a running server refuses it from its next request on.

    Raises:
        PneumoScreenError: if there is no such token or the file cannot be changed.
    """
    token = TokenFile(file_to_change(file)).revoke(token_id)
    print(f"{token.id} of {token.reader} is revoked")


def _listed(token: Token) -> dict[str, object]:
    return {**token.model_dump(mode="json", exclude={"hash"}), "state": token.state}


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d}"
