"""Fixtures shared by all tests."""

import os
import signal
from pathlib import Path

import pytest

# A shell without job control starts its background jobs, and so all their children, with Ctrl-C ignored;
# a handler here lets the programs under test be interrupted all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real scans beside the repository; required in CI, optional elsewhere."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the real scans are not at {folder}, and CI must test on them")
        pytest.skip(f"no real scans at {folder}")
    return folder
