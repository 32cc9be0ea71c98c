"""The container: what the file names is there, and the image, once built, screens as a user without rights."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from .conftest import REPOSITORY

FILE = REPOSITORY / "deploy" / "Containerfile"
WHEELHOUSE = REPOSITORY / "build" / "wheelhouse-cpu"


def _lines() -> list[str]:
    return FILE.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    ignored = FILE.with_name("Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [word for line in _lines() if re.match(r"COPY (?!--from)", line) for word in line.split()[1:-1]]
    assert {"lib", "apps", "requirements.txt", "deploy/install.sh"} <= set(copied)
    for name in copied:
        if name.startswith("build/"):
            assert "!build/wheelhouse-*" in ignored
        else:
            assert (REPOSITORY / name).exists(), name
            assert f"!{name}" in ignored, name


def test_it_runs_without_rights_and_writes_into_volumes_only() -> None:
    last = _lines()[max(number for number, line in enumerate(_lines()) if line.startswith("FROM ")) :]
    assert "USER 10001:10001" in last
    (volumes,) = (json.loads(line.removeprefix("VOLUME ")) for line in last if line.startswith("VOLUME "))
    said = " ".join(last)
    for variable in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "PNEUMOSCREEN_STUDIES", "PNEUMOSCREEN_MODELS"):
        (place,) = re.findall(rf"\b{variable}=(\S+)", said)
        assert any(place == volume or place.startswith(f"{volume}/") for volume in volumes), variable
    assert "pip install" not in said, "it is installed in the stage before, from wheels"


def test_the_lock_is_for_the_python_of_debian_12() -> None:
    pins = re.findall(r"^([\w.-]+)==", (REPOSITORY / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pins) > 100
    wanted = {name: metadata(name).get("Requires-Python") or ">=3" for name in pins}
    too_new = {name: versions for name, versions in wanted.items() if not SpecifierSet(versions).contains("3.11.2")}
    assert too_new == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_installed_from_wheels_alone_the_demonstration_runs(tmp_path: Path) -> None:
    """In a bare directory, by the steps that the Containerfile runs."""
    if not WHEELHOUSE.is_dir():
        pytest.skip(f"there is no {WHEELHOUSE}: make {WHEELHOUSE.relative_to(REPOSITORY)}")
    if not (python := shutil.which("python3.11") or (sys.version_info[:2] == (3, 11) and sys.executable)):
        pytest.skip("no Python 3.11 to install into")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(python)
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    target = tmp_path / "installed"
    words = ["sh", str(REPOSITORY / "deploy" / "install.sh"), str(REPOSITORY), str(WHEELHOUSE), str(target)]
    subprocess.run(words, env=environment, check=True, timeout=1800)
    done = subprocess.run(
        [target / "bin" / "pneumoscreen", "demo", "--out", tmp_path / "demo"],
        env={**environment, "PNEUMOSCREEN_MODELS": str(target / "models")},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    documents = [path for path in (tmp_path / "demo").glob("*.json") if "verdict" in path.read_text(encoding="utf-8")]
    assert len(documents) == 4
