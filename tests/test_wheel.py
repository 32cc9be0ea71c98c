"""The wheel is a working program by itself: modules, app, networks."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.models.places import app_folder
from pneumoscreen.models.store import ModelStore

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, unpacked."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PARTS:
        shutil.copy(REPOSITORY / name, source)
    shutil.copytree(REPOSITORY / "lib", source / "lib", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (source / "apps").symlink_to(REPOSITORY / "apps")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run([*command, "--wheel-dir", str(out), str(source)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = out.glob("pneumoscreen-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out / "unpacked")
    return out / "unpacked"


def test_it_holds_the_networks_in_use_and_what_types_need(unpacked: Path) -> None:
    package = unpacked / "pneumoscreen"
    assert app_folder(package) == package / "app"
    for name in ("py.typed", "case.schema.json", "app/main.py", "report/templates", "cxr/imagenet"):
        assert (package / name).exists(), name
    ours, theirs = ModelStore(), ModelStore(package / "app" / "model")
    assert theirs.names() == ours.names()
    for name in ours.names():
        assert theirs.versions(name) == [max(ours.versions(name))]
        assert theirs.load(name).sha256 == ours.load(name).sha256


def test_it_screens_away_from_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    write_radiograph_studies(tmp_path / "films", 1, 1, RadiographSpec())
    (film,) = (path for path in (tmp_path / "films").iterdir() if path.is_file() and path.suffix != ".json")
    code = (
        "import json, sys, pneumoscreen\n"
        "result = pneumoscreen.screen(sys.argv[1])\n"
        "result.report('report.html')\n"
        "print(json.dumps([pneumoscreen.__file__, result.verdict.label]))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PNEUMOSCREEN_MODELS"}
    ended = subprocess.run(
        [sys.executable, "-c", code, str(film)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(unpacked)},
    )
    assert ended.returncode == 0, ended.stderr
    place, label = json.loads(ended.stdout)
    assert Path(place).is_relative_to(unpacked) and label
    assert "Research use only" in (tmp_path / "report.html").read_text(encoding="utf-8")
