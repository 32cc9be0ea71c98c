"""The page on the house names files that exist and steps that a screening really takes."""

import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk

from pneumoscreen.api import screen
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies

REPOSITORY = Path(__file__).parents[1]
LIB = REPOSITORY / "lib" / "pneumoscreen"
PAGE = (REPOSITORY / "docs" / "house.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\|[^|]+\| `([^`|]+\.py)` \| `(\w+)` \|$", re.MULTILINE)


def steps(walk: str) -> list[tuple[str, str]]:
    """File and function of each step of a walk."""
    section = PAGE.split(f"## The walk of {walk}\n")[1].split("\n## ")[0]
    return ROW.findall(section)


def called_by(act: Callable[[], object]) -> set[tuple[str, str]]:
    """File below the package and name of every function of it that runs."""
    found: set[tuple[str, str]] = set()

    def note(frame, event, arg) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(LIB)):
            found.add((Path(path).relative_to(LIB).as_posix(), frame.f_code.co_name))

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("walk", ["a CT", "an X-ray"])
def test_each_step_stands_in_its_file(walk: str) -> None:
    assert len(steps(walk)) > 10
    for path, name in steps(walk):
        tree = ast.parse((LIB / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{path} {name}"


def test_every_file_and_folder_that_the_page_names_exists() -> None:
    beside = {"learning/", "figures/", "phantoms/", "report/", "importers/"}
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", PAGE)) - {"lib/pneumoscreen/"}
    assert [path for path in named - beside if not ((LIB / path).exists() or (REPOSITORY / path).exists())] == []
    assert [room + part for room in ("ct/", "cxr/") for part in beside if not (LIB / room / part).is_dir()] == []


def test_a_ct_takes_each_step(tmp_path: Path) -> None:
    volume = generate_phantom(3, "covid19", PhantomSpec(matrix=160, slices=32)).volume
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(volume.to_sitk(volume.hu), path)
    called = called_by(lambda: screen(path, device="cpu").report(tmp_path / "report.html"))
    assert [step for step in steps("a CT") if step not in called] == []


def test_an_xray_takes_each_step(tmp_path: Path) -> None:
    path = write_radiograph_studies(tmp_path, 1, 5, label="covid19")[0]
    called = called_by(lambda: screen(path, device="cpu").report(tmp_path / "report.html"))
    assert [step for step in steps("an X-ray") if step not in called] == []
