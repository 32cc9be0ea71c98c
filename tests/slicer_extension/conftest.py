"""What all tests of the extension need."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def only_own_garbage() -> Iterator[None]:
    """Let the garbage collector walk what the test makes, not all that the session has loaded.

    A full collection of a session with torch and a server takes half a second on a busy machine; the panel, which
    some tests time, has no part in it.
    """
    gc.freeze()
    yield
    gc.unfreeze()
