"""API tokens: who may speak to the server, in one file that holds no secret.

A token is ``pns_<id>_<secret>``. The secret is 256 random bits, so the file keeps a plain SHA-256 of the token: a slow
hash protects passwords, which people choose; nobody guesses 256 bits. The token itself is shown once, when it is made.

Where the file lies (ours): in the user's configuration folder (``~/.config/pneumoscreen/tokens.json`` on Linux), not
among the studies. Whoever may drop scans into that folder must not be able to drop tokens as well, and neither a copy
of the studies nor a dataset that the server packs may carry rights along. ``--tokens FILE`` or ``PNEUMOSCREEN_TOKENS``
names another file, one for each server if a site wants that; ``none`` in its place: a server without tokens.

Concurrency contract: every change holds ``<file>.lock`` and replaces the file as a whole, so that readers need no lock.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer
from filelock import FileLock, Timeout
from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from ...config import Settings
from ...errors import PneumoScreenError
from ...models.atomic_files import replace_durably
from ...studies.layout import LONGEST_NAME, is_reader_name
from .identity import Role, Speaker

TOKENS_VARIABLE = "PNEUMOSCREEN_TOKENS"
NO_TOKENS = "none"
SCHEMA = "pneumoscreen.tokens/1"
LONGEST_LIFE_DAYS = 3650
PREFIX = "pns_"

_ID_BYTES = 6
_SECRET_BYTES = 32
_TOKEN = re.compile(rf"{PREFIX}([0-9a-f]{{{2 * _ID_BYTES}}})_[0-9a-f]{{{2 * _SECRET_BYTES}}}")
_LOCK_LIMIT_S = 30.0
_WRITABLE_BY_OTHERS = 0o022


class TokensError(PneumoScreenError):
    """A token file or a token's entry that cannot be used as it is."""


def _reader_name(name: str) -> str:
    if not is_reader_name(name):
        raise ValueError("not a reader's name")
    return name


class Token(Settings):
    """One token as the file keeps it: enough to recognise it, not enough to use it.

    Attributes:
        id: public part of the token; it names the token in lists and records.
        reader: who speaks with it.
        role: what they may do.
        hash: SHA-256 of the whole token, in hex.
        created: when it was made.
        expires: from when on it is refused; None for never.
        revoked: when it was revoked; None for not.
    """

    id: Annotated[str, Field(pattern=rf"^[0-9a-f]{{{2 * _ID_BYTES}}}$")]
    reader: Annotated[str, AfterValidator(_reader_name)]
    role: Literal["monitor", "reader", "trainer", "administrator"]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created: AwareDatetime
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None

    @property
    def state(self) -> Literal["active", "expired", "revoked"]:
        """Whether it opens anything at this moment."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and _now() >= self.expires else "active"

    @property
    def speaker(self) -> Speaker:
        """Who speaks with it."""
        return Speaker(self.reader, Role[self.role.upper()])

    def is_hash_of(self, text: str) -> bool:
        """Whether ``text`` is this token; takes the same time whatever it is."""
        return hmac.compare_digest(self.hash, _hash(text))


class _Content(Settings):
    schema_: Annotated[Literal["pneumoscreen.tokens/1"], Field(alias="schema")]
    tokens: tuple[Token, ...]


def configured_file(named: Path | None = None) -> Path | None:
    """The token file in use: the one named, else that of the environment, else the user's; None for a server without.

    Raises:
        TokensError: if a file is named that is not there: a slip in its name must not leave the server open.
    """
    chosen = str(named) if named is not None else os.environ.get(TOKENS_VARIABLE, "")
    if chosen == NO_TOKENS:
        return None
    if not chosen:
        return default_file()
    path = Path(chosen).absolute()
    if not path.exists():
        raise TokensError(
            f"the token file {path} does not exist; correct its name or make it with: {command_to_make_one(path)}"
        )
    return path


def file_to_change(named: Path | None = None) -> Path:
    """The token file that ``pneumoscreen tokens`` works on; it need not exist yet.

    Raises:
        TokensError: if the environment asks for none.
    """
    chosen = str(named) if named is not None else os.environ.get(TOKENS_VARIABLE, "")
    if chosen == NO_TOKENS:
        raise TokensError(f"{TOKENS_VARIABLE} or --tokens says {NO_TOKENS}, so there is no token file; name one")
    return Path(chosen).absolute() if chosen else default_file()


def default_file() -> Path:
    """The token file of this user."""
    return Path(typer.get_app_dir("pneumoscreen")) / "tokens.json"


def id_within(text: str) -> str | None:
    """The id that a whole token carries; None for what has not the form of one."""
    form = _TOKEN.fullmatch(text)
    return form.group(1) if form else None


def command_to_make_one(path: Path | None = None) -> str:
    """The command that makes a first token for a server which uses ``path``."""
    option = "" if path is None or path == default_file() else f" --tokens {path}"
    return f"pneumoscreen tokens add --reader NAME --role administrator{option}"


class TokenFile:
    """The tokens of one file.

    Args:
        path: the JSON file; absent means that there are no tokens.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Token, ...]:
        """All tokens, oldest first; none where there is no file.

        Raises:
            TokensError: if the file cannot be read, is damaged, or can be written by others.
        """
        try:
            if os.name == "posix" and self.path.stat().st_mode & _WRITABLE_BY_OTHERS:
                raise TokensError(
                    f"other users can write the token file {self.path}; close it with: chmod 600 {self.path}"
                )
            return _parse(self.path.read_bytes(), self.path)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TokensError(
                f"the token file {self.path} cannot be read ({error.strerror}); mend its rights"
            ) from None

    def add(self, reader: str, role: Role, days: int | None = None) -> tuple[Token, str]:
        """Make a token.

        Args:
            reader: who will speak with it.
            role: what they may do.
            days: days until it expires; None for never.

        Returns:
            Its entry, and the token itself, which is kept nowhere.

        Raises:
            TokensError: if the name cannot be one or the file cannot be changed.
        """
        if not is_reader_name(reader):
            raise TokensError(f"{reader!r} cannot be a reader's name; give one line of 1 to {LONGEST_NAME} characters")
        if days is not None and not 1 <= days <= LONGEST_LIFE_DAYS:
            raise TokensError(f"{days} days is not between 1 and {LONGEST_LIFE_DAYS}")
        now = _now()
        with self._changing():
            there = self.read()
            token_id = _fresh_id(token.id for token in there)
            text = f"{PREFIX}{token_id}_{secrets.token_hex(_SECRET_BYTES)}"
            expires = None if days is None else now + timedelta(days=days)
            entry = Token.model_validate(
                {
                    "id": token_id,
                    "reader": reader,
                    "role": role.label,
                    "hash": _hash(text),
                    "created": now,
                    "expires": expires,
                }
            )
            self._write((*there, entry))
        return entry, text

    def revoke(self, token_id: str) -> Token:
        """Revoke a token for good; it stays listed, since records name it. Once revoked it stays as it is.

        Raises:
            TokensError: if there is no such token or the file cannot be changed.
        """
        token_id = id_within(token_id) or token_id  # somebody may have given the whole token
        with self._changing():
            tokens = {token.id: token for token in self.read()}
            if token_id not in tokens:
                raise TokensError(
                    f"there is no token with the id {token_id!r} in {self.path}; pneumoscreen tokens list shows them"
                )
            if tokens[token_id].revoked is None:
                tokens[token_id] = tokens[token_id].model_copy(update={"revoked": _now()})
                self._write(tokens.values())
        return tokens[token_id]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock of the file.

        Raises:
            TokensError: if the folder cannot be written or another process does not let go.
        """
        lock = FileLock(f"{self.path}.lock", timeout=_LOCK_LIMIT_S, mode=0o600)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock.acquire()
        except Timeout:
            raise TokensError(
                f"another process has held {self.path} for {_LOCK_LIMIT_S:.0f} s; end it and try again"
            ) from None
        except OSError as error:
            raise self._unchanged(error) from None
        try:
            yield
        finally:
            lock.release()

    def _write(self, tokens: Iterable[Token]) -> None:
        listed = [token.model_dump(mode="json") for token in tokens]
        content = json.dumps({"schema": SCHEMA, "tokens": listed}, indent=2, ensure_ascii=False)
        try:
            replace_durably(self.path, f"{content}\n".encode(), mode=0o600)
        except OSError as error:
            raise self._unchanged(error) from None

    def _unchanged(self, error: OSError) -> TokensError:
        return TokensError(f"the token file {self.path} cannot be changed ({error.strerror}); mend its rights")


def _parse(content: bytes, path: Path) -> tuple[Token, ...]:
    try:
        tokens = _Content.model_validate_json(content).tokens
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"{place}: {first['msg']}" if place else first["msg"]) from None
    if len({token.id for token in tokens}) < len(tokens):
        raise _damaged(path, "two tokens have one id")
    return tokens


def _damaged(path: Path, reason: str) -> TokensError:
    return TokensError(
        f"the token file {path} is damaged ({reason}); put a whole copy in its place, or delete it and make new tokens"
    )


def _fresh_id(taken: Iterable[str]) -> str:
    there = set(taken)
    return next(new for _ in range(100) if (new := secrets.token_hex(_ID_BYTES)) not in there)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
