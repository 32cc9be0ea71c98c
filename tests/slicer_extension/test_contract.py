import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "slicer_extension" / "PneumoScreen"
LIBRARY = MODULE / "PneumoScreenLib"


def test_a_checkout_takes_the_one_copy_and_nothing_else_of_the_library() -> None:
    code = (
        "before = list(sys.path); from PneumoScreenLib import contract\nfrom PneumoScreenLib.reading import reading\n"
        "print(sys.modules['pneumoscreen.case'].__file__)\n"
        "print([name for name in ('torch', 'pydantic', 'SimpleITK', 'numpy') if name in sys.modules])\n"
        "print(sys.path == before)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(MODULE)!r})\n{code}"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    case, heavy, is_unchanged = done.stdout.splitlines()
    assert Path(case) == REPOSITORY / "lib" / "pneumoscreen" / "case.py"
    assert heavy == "[]" and is_unchanged == "True"


def _contract_files() -> list[str]:
    """The files that CMake puts into a package."""
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    return text.split("set(CONTRACT_FILES", 1)[1].split(")", 1)[0].split()


def test_a_package_takes_its_own_copy(tmp_path: Path) -> None:
    library, shared = tmp_path / "PneumoScreenLib", tmp_path / "PneumoScreenLib" / "_shared" / "pneumoscreen"
    shared.mkdir(parents=True)
    for name in ("__init__", "contract"):
        (library / f"{name}.py").write_bytes((LIBRARY / f"{name}.py").read_bytes())
    for name in _contract_files():
        (shared / name).write_bytes((REPOSITORY / "lib" / "pneumoscreen" / name).read_bytes())
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport PneumoScreenLib.contract as c"
    code += "\nprint(c.Case.__module__)\nprint(sys.modules['pneumoscreen'].__file__)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == ["pneumoscreen.case", str(shared / "__init__.py")]


def test_an_incomplete_installation_says_what_to_do(tmp_path: Path) -> None:
    library = tmp_path / "a" / "b" / "PneumoScreenLib"
    library.mkdir(parents=True)
    for name in ("__init__", "contract"):
        (library / f"{name}.py").write_bytes((LIBRARY / f"{name}.py").read_bytes())
    code = f"import sys; sys.path.insert(0, {str(library.parent)!r})\nimport PneumoScreenLib.contract"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, encoding="utf-8")
    assert "install it again" in done.stderr
