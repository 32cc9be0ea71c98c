"""Who is speaking: the reader and role behind a request, as every part of the server asks for it.

Thread contract: the speaker is a context variable. ``access`` sets it once a request; FastAPI hands the context on
to the thread that runs an endpoint, so that stock code far below the route knows it too.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a speaker may do; each role may do what those before it may."""

    MONITOR = 0
    READER = 1
    TRAINER = 2
    ADMINISTRATOR = 3

    @property
    def label(self) -> str:
        """The role's name as users write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Speaker:
    """Who speaks.

    Attributes:
        reader: the name under which annotations and audit entries are kept.
        role: what the speaker may do.
        is_known: whether a token says who it is; False for the single user of a server on loopback.
    """

    reader: str
    role: Role
    is_known: bool = True


SINGLE_USER = Speaker("local", Role.ADMINISTRATOR, is_known=False)
"""Whoever sits at the machine of a server on loopback that has no tokens."""

_speaker: ContextVar[Speaker] = ContextVar("speaker", default=SINGLE_USER)


def speaker() -> Speaker:
    """Who speaks in the present request."""
    return _speaker.get()


def set_speaker(who: Speaker) -> None:
    """Name the speaker of the present request; only ``access`` calls this."""
    _speaker.set(who)
