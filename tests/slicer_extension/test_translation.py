"""Every text that a reader sees can be translated: a literal inside of ``_()``, its values by ``format``."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.slicer_extension.doubles.scripted_module import MODULE

LIBRARY = MODULE / "PneumoScreenLib"
FILES = sorted(path for path in LIBRARY.rglob("*.py") if path.name not in ("contract.py", "translation.py"))
NOT_SEEN = {
    # Names of nodes and of their parts, which scripts and Slicer's own code look for.
    *(
        "PneumoScreen label",
        "PneumoScreen boxes",
        "Colour",
        "PneumoScreen ground glass",
        "PneumoScreen Grad-CAM",
        "PneumoScreen masks",
        "Prior to case",
    ),
    *("PneumoScreen {}", "new box", "Sagittal", "Red", "Yellow", "Max", "Reformat"),
    # Keys, samples of a column's width, parts of the document and of a PDF dialog.
    *("Del", "3 of 3", "Note of {}: ", "HTML (*.html)", "PDF (*.pdf)"),
    # What starts the child process.
    "import sys; sys.path.insert(0, sys.argv.pop()); from PneumoScreenLib.client.worker import main; main()",
    # What a server answers that does not know a route, and how files are sent.
    *("Not Found", "Method Not Allowed", "Authorization", "Server"),
    # What OpenSSL and requests say, by which a failure is told from others.
    *("TLS CA certificate", "has expired", "not yet valid"),
    # For developers: a breach of a contract inside of the extension.
    *("{} is none of {}", "{} ({}) cannot be said of this case"),
    *("{} cannot be read as a volume", "a line was passed over ({}: {})"),
    "a box has a centre and three edges longer than 0 mm, not {} and {}",
}
DAMAGED = "draft_document.py"
"""Its failures are the contract's, and in English like them."""


def texts_of(tree: ast.Module) -> list[tuple[ast.expr, str]]:
    """Literals that are no docstring, and no part of another."""
    inside = {
        id(each.value)
        for node in ast.walk(tree)
        if isinstance(getattr(node, "body", None), list)
        for each in node.body
        if isinstance(each, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in ast.walk(node) if part is not node}
        # Annotations, and messages of a log.
        is_log = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logging.")
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        for part in [*(ast.walk(node) if is_log else ()), *(ast.walk(annotation) if annotation else ())]:
            inside.add(id(part))
    found = []
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node, node.value))
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            found.append((node, text))
    return found


def is_sentence(text: str) -> bool:
    """Whether a literal reads like something for a person: words with a space, or a capital and small letters."""
    if re.search(r"vtkMRML|PneumoScreen\.|color:|px|font|<[a-z/]", text):
        return False
    return bool(re.search(r"[A-Za-z]{2,} [a-z]{2,}|^[A-Z][a-z]+ ?[….]?$", text))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_texts_are_translated(path: Path) -> None:
    if path.name == DAMAGED:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    translated = {
        id(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
    }
    generic = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("TypeVar"))
        for part in ast.walk(node)
    }
    left = [
        text
        for node, text in texts_of(tree)
        if id(node) not in translated | generic and text not in NOT_SEEN and is_sentence(text)
    ]
    assert not left, "put them into _()"


@pytest.mark.parametrize("path", [*FILES, MODULE / "PneumoScreen.py"], ids=lambda path: path.name)
def test_what_is_translated_is_a_literal_that_slicers_tools_find(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            assert isinstance(node.args[0], ast.Constant), ast.unparse(node)
            # `tr` looks for names in braces; a number in them is none that a translator could keep.
            assert not re.search(r"\{\d*\}", node.args[0].value), node.args[0].value


def translated_in(code: str, before: str = "") -> str:
    """What a fresh Python prints, with the extension on its path."""
    program = f"import sys; sys.path.insert(0, {str(MODULE)!r})\n{before}\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()


SLICER = """
import types
slicer, i18n = types.ModuleType("slicer"), types.ModuleType("slicer.i18n")
asked = []
german = {"No infection found": "Keine Infektion gefunden", "Opening {case_id} …": "{case} wird geöffnet …"}
i18n.translate = lambda context, text: (asked.append((context, text)), german.get(text, text))[1]
i18n.getContext = lambda file: file.rpartition("PneumoScreenLib/")[2]
sys.modules["slicer"], sys.modules["slicer.i18n"], slicer.i18n = slicer, i18n, i18n
"""
NAME = "from PneumoScreenLib.wording import display_name; print(display_name('no_infection_found'))"


def test_slicers_translation_is_asked_where_slicer_runs() -> None:
    assert translated_in(NAME, SLICER) == "Keine Infektion gefunden"


def test_a_text_is_looked_up_once_by_the_file_it_stands_in() -> None:
    code = f"{NAME}\nfrom PneumoScreenLib.wording import rule_in_words, duration\nduration(300.0), duration(400.0)"
    shown = translated_in(f"{code}\nprint([each for each in asked if each[1] == '{{minutes}} min'])", SLICER)
    assert shown.splitlines()[1] == "[('wording.py', '{minutes} min')]"


def test_a_translation_without_the_places_of_the_values_is_not_used() -> None:
    code = "from PneumoScreenLib.translation import _; print(_('Opening {case_id} …').format(case_id='ct-1'))"
    assert translated_in(code, SLICER) == "Opening ct-1 …"


def test_without_slicer_or_with_an_old_one_the_texts_stay_as_written() -> None:
    assert translated_in(NAME) == "No infection found"
    old = 'import types; sys.modules["slicer"] = types.ModuleType("slicer")'
    assert translated_in(NAME, old) == "No infection found"


def test_the_child_process_does_not_load_slicer() -> None:
    code = "from PneumoScreenLib.client import worker; print('slicer' in sys.modules)"
    assert translated_in(code) == "False"
