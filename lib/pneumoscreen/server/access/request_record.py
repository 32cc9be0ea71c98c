"""What is kept of a request while it is served: its id, and why it was refused.

The id is made here and told in the header ``X-Request-ID``. One that a client brings is not taken: it could be a name.

Thread contract: the record is a context variable; FastAPI hands it on to the thread that runs an endpoint.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

REQUESTS = "pneumoscreen.server.requests"
"""Logger of the lines of requests."""


@dataclass
class RequestRecord:
    """One request. ``route`` is the entry of the table of permissions: a path may hold a patient's name."""

    method: str
    route: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    refusal: str = ""
    status: int = 0
    seconds: float = 0.0


_record: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)


def request_id() -> str:
    """Id of the request that is being served; empty outside of one."""
    record = _record.get()
    return "" if record is None else record.id


def note_refusal(kind: str) -> None:
    """Keep why the present request is refused: a short word, never what the client sent."""
    record = _record.get()
    if record is not None:
        record.refusal = kind


@contextmanager
def recorded(record: RequestRecord) -> Iterator[None]:
    """While the block runs, the request of this record is served."""
    token = _record.set(record)
    try:
        yield
    finally:
        _record.reset(token)
