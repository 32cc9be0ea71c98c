"""The extension as Slicer builds and loads it: CMake files, names of widgets, Python 3.9, only what Slicer ships."""

import ast
import itertools
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from difflib import SequenceMatcher
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
EXTENSION = REPOSITORY / "slicer_extension"
MODULE = EXTENSION / "PneumoScreen"
STUB = Path(__file__).with_name("doubles") / "cmake_stub"
PANEL = MODULE / "Resources/UI/PneumoScreen.ui"
SOURCES = sorted(EXTENSION.rglob("*.py"))
SHIPPED = {"numpy", "requests", "vtk", "slicer", "qt", "ctk", "pneumoscreen", "PneumoScreen", "PneumoScreenLib"}
SCRIPTED = "lib/Slicer-5.6/qt-scripted-modules"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))


def imported(tree: ast.Module) -> set[str]:
    """Top-level packages that a file imports, at its top or inside functions."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {name.split(".")[0] for name in names}


def configured(source: Path, folder: Path) -> Path:
    """A build tree of the extension, configured against the stub and installed."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.fail("cmake is missing; install the Debian package cmake")
    configure = [cmake, "-S", str(source), "-B", str(folder), f"-DSlicer_DIR={STUB}", "-DBUILD_TESTING=ON"]
    outcome = subprocess.run(configure, capture_output=True, encoding="utf-8", check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "CMake Warning" not in outcome.stderr
    install = [cmake, "--install", str(folder), "--prefix", str(folder / "package")]
    subprocess.run(install, capture_output=True, encoding="utf-8", check=True)
    return folder


@pytest.fixture(scope="module", params=[REPOSITORY, EXTENSION], ids=["root", "slicer_extension"])
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configured as the Extensions Index does it, and as the README says."""
    return configured(request.param, tmp_path_factory.mktemp("build"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(EXTENSION)))
def test_every_file_is_python_3_9_and_imports_only_what_slicer_ships(path: Path) -> None:
    tree = parsed(path)
    assert imported(tree) <= SHIPPED | set(sys.stdlib_module_names)
    for node in ast.walk(tree):
        # `X | Y` in an annotation is evaluated when the function is made; 3.9 cannot.
        annotations = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for annotation in filter(None, annotations):
            assert not any(isinstance(part, ast.BinOp) for part in ast.walk(annotation)), ast.unparse(annotation)
        # What 3.10 brought and the type checker, which knows no older one, lets pass.
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("zip", "dataclass", "isinstance"):
            assert not {"strict", "slots", "kw_only", "match_args"} & {word.arg for word in node.keywords}
            assert not (ast.unparse(node.func) == "isinstance" and isinstance(node.args[1], ast.BinOp))
        if isinstance(node, (ast.Name, ast.Attribute)):
            assert getattr(node, "attr", getattr(node, "id", "")) not in (
                "pairwise",
                "bit_count",
                "aiter",
                "anext",
                "UTC",
            )


def test_the_module_file_only_wires() -> None:
    assert len((MODULE / "PneumoScreen.py").read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(EXTENSION)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


def test_no_two_modules_of_a_room_have_nearly_one_name() -> None:
    """``training.py`` beside ``trainings.py`` is read as one."""
    for room in (MODULE / "PneumoScreenLib").glob("**/"):
        stems = sorted(path.stem for path in room.glob("*.py"))
        stems += sorted(path.parent.name for path in room.glob("*/__init__.py"))
        for first, second in itertools.combinations(stems, 2):
            assert SequenceMatcher(None, first, second).ratio() < 0.85, (room.name, first, second)


def test_every_widget_that_the_code_names_is_in_the_ui_file() -> None:
    widgets = {element.get("name") for element in ElementTree.parse(PANEL).iter("widget")}
    used = set()
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute):
                owner = node.value
                is_ui = (isinstance(owner, ast.Name) and owner.id == "ui") or (
                    isinstance(owner, ast.Attribute) and owner.attr == "ui"
                )
                if is_ui:
                    used.add(node.attr)
    assert len(used) > 50
    assert used <= widgets


def test_every_button_and_choice_of_the_ui_file_is_used_and_explained() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    for element in ElementTree.parse(PANEL).iter("widget"):
        name, kind = str(element.get("name")), element.get("class")
        if kind in ("QPushButton", "QComboBox", "QCheckBox", "QLineEdit", "QTableWidget", "qMRMLNodeComboBox"):
            assert re.search(rf"\bui\.{name}\b", code), f"{name} does nothing"
            assert element.find("property[@name='toolTip']") is not None, f"{name} has no tooltip"


def test_what_a_reader_types_into_or_looks_at_has_a_name_for_screen_readers() -> None:
    root = ElementTree.parse(PANEL)
    buddies = {each.findtext("cstring") for each in root.iter("property") if each.get("name") == "buddy"}
    silent = ("QWidget", "QFrame", "QLabel", "qMRMLWidget", "ctkCollapsibleButton", "QPushButton", "QCheckBox")
    for element in root.iter("widget"):
        name, kind = str(element.get("name")), element.get("class")
        has_name = element.find("property[@name='accessibleName']") is not None
        if kind not in silent or (kind == "QLabel" and ("Picture" in name or name == "curveLabel")):
            assert has_name or name in buddies, f"{name} has neither an accessible name nor a label"
        if kind in ("QPushButton", "QCheckBox"):
            assert element.findtext("property[@name='text']/string"), f"{name} has no text"


def test_names_of_widgets_are_unique() -> None:
    names = [element.get("name") for element in ElementTree.parse(PANEL).iter() if element.get("name")]
    widgets = [element.get("name") for element in ElementTree.parse(PANEL).iter("widget")]
    assert len(set(widgets)) == len(widgets) and len(names) > len(widgets)


def test_what_is_written_is_packaged(build: Path) -> None:
    wanted = [path.relative_to(MODULE) for path in (MODULE / "PneumoScreenLib").rglob("*.py")]
    wanted += [Path("PneumoScreen.py"), *(path.relative_to(MODULE) for path in (MODULE / "Resources").rglob("*.png"))]
    wanted += [path.relative_to(MODULE) for path in (MODULE / "Testing/Python").glob("*.py")]
    wanted += [Path("Resources/UI/PneumoScreen.ui"), Path("Resources/SampleData/phantom.nrrd")]
    for place in (build / SCRIPTED, build / "package" / SCRIPTED):
        for path in wanted:
            if "__pycache__" not in path.parts:
                assert (place / path).read_bytes() == (MODULE / path).read_bytes()
        assert not list(place.rglob("*.svg"))


@pytest.mark.parametrize("place", [SCRIPTED, f"package/{SCRIPTED}"], ids=["build tree", "package"])
def test_the_package_brings_the_contract_along(build: Path, place: str, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(build / place, moved)
    program = "from PneumoScreenLib.contract import Case, Verdict; import pneumoscreen.case as c; print(c.__file__)"
    # Without the site's packages, where this project is installed.
    outcome = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(moved)!r}); {program}"],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    assert Path(outcome.stdout.strip()).is_relative_to(moved)


def test_there_is_one_copy_of_the_contract_in_the_repository() -> None:
    for name in ("case.py", "evidence.py", "regions.py", "verdict.py"):
        original = (REPOSITORY / "lib/pneumoscreen" / name).read_bytes()
        assert not [path for path in EXTENSION.rglob("*.py") if path.read_bytes() == original]


def test_the_sample_is_small() -> None:
    assert (MODULE / "Resources/SampleData/phantom.nrrd").stat().st_size < 1_500_000
