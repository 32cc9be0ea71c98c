"""Folders to export: results, and annotated studies."""

import contextlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pneumoscreen.cli import main
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def export() -> Run:
    """Runs ``pneumoscreen export`` in this process."""

    def run(*words: object) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["export", *map(str, words)])
        assert "Traceback" not in err.getvalue()
        return Ended(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def written_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three CTs and three X-rays with their truth, one of each diagnosis; not to be changed."""
    folder = tmp_path_factory.mktemp("written") / "studies"
    write_studies(folder, 3, 1, PhantomSpec(matrix=64, slices=20))
    write_radiograph_studies(folder, 3, 1, RadiographSpec(size=128))
    return folder


@pytest.fixture
def studies(written_studies: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return Path(shutil.copytree(written_studies, tmp_path / "studies"))
