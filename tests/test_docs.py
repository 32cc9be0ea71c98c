"""The documentation: links lead somewhere, commands exist, the site has every page, tutorials run."""

import ast
import doctest
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from scripts.docs_pages import DOCS, MADE, REPOSITORY, case_document, gather, interface, linked, steps

from pneumoscreen.active_learning import strategies
from pneumoscreen.cli import app
from pneumoscreen.ct import trunks
from pneumoscreen.models.store import ModelStore

PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *DOCS.glob("*.md"),
    *(REPOSITORY / "examples").rglob("*.md"),
    REPOSITORY / "slicer_extension" / "README.md",
]
TUTORIALS = ("first_scan", "first_model")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def ids(pages: list[Path]) -> list[str]:
    return [page.relative_to(REPOSITORY).as_posix() for page in pages]


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_each_link_leads_somewhere(page: Path) -> None:
    missing = []
    for link in _LINK.findall(_INLINE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


def code_lines(page: Path) -> Iterator[str]:
    """Lines of shell and code within a line, with comments and marks of what may be left out taken off."""
    text = page.read_text(encoding="utf-8")
    for language, block in _FENCE.findall(text):
        if language in ("sh", "bash"):
            yield from block.replace("\\\n", " ").splitlines()
    yield from _INLINE.findall(_FENCE.sub("", text))


def called(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Program and words of each call of this project's program or of make."""
    for line in code_lines(page):
        words = re.sub(r"\"[^\"]*\"|'[^']*'|[\[\]]|\s#.*$", " ", line).split()
        for place, word in enumerate(words):
            is_value = place > 0 and re.match(r"-\w", words[place - 1])
            if not is_value and re.fullmatch(r"make|(\S+/bin/)?pneumoscreen", word):
                rest = words[place + 1 :]
                ends = [at for at, one in enumerate(rest) if one in ("|", "&&", "||", ";", "&", ">", "2>", "…")]
                yield word.rpartition("/")[2], rest[: ends[0]] if ends else rest
                break


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_each_command_exists_with_its_options(page: Path) -> None:
    unknown = []
    for program, words in called(page):
        if program != "pneumoscreen":
            continue
        command, rest = typer.main.get_command(app), list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        asked = {word.partition("=")[0].rstrip(".,)") for word in rest if word.startswith("--")}
        names_no_command = hasattr(command, "commands") and rest and re.fullmatch(r"[a-z][a-z-]*", rest[0])
        if names_no_command or not asked <= known | {"--help", "--version"}:
            unknown.append(" ".join(words))
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_each_target_of_make_exists(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    asked = {
        word
        for program, words in called(page)
        if program == "make"
        for word in words
        if re.fullmatch(r"[a-z][a-z-]*", word)
    }
    assert asked <= targets


def test_each_variable_that_a_page_names_is_a_setting_or_read_by_the_program() -> None:
    def variables(*paths: Path) -> set[str]:
        return {name for path in paths for name in re.findall(r"PNEUMOSCREEN_[A-Z_]*[A-Z]", path.read_text("utf-8"))}

    # A test of the server holds the page of all settings to the program.
    settings = DOCS / "settings.md"
    read = variables(settings, *(REPOSITORY / "lib").rglob("*.py"))
    named = variables(*(page for page in PAGES if page != settings))
    assert len(named) > 10
    assert named - read == set()


def nav() -> list[str]:
    def pages(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            for value in entry.values():
                yield from pages(value)
        elif isinstance(entry, list):
            for value in entry:
                yield from pages(value)

    return list(pages(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))


def test_the_nav_holds_every_page_once() -> None:
    wanted = {f"docs/{page.name}" for page in DOCS.glob("*.md")} | {f"docs/{name}.md" for name in MADE}
    assert wanted <= set(nav())
    assert len(nav()) == len(set(nav()))
    made = {f"docs/{name}.md" for name in MADE}
    assert [page for page in nav() if page not in made and not (REPOSITORY / page).is_file()] == []


def test_the_gathered_pages_are_what_the_nav_names(tmp_path: Path) -> None:
    gather(tmp_path)
    assert [page for page in nav() if not (tmp_path / page).is_file()] == []
    assert (tmp_path / "docs" / "pictures" / "report.png").is_file()
    commands = (tmp_path / "docs" / "commands.md").read_text(encoding="utf-8")
    assert "## `pneumoscreen screen`" in commands and "--anonymous-ids" in commands


def test_the_reference_names_modules_and_functions_that_exist() -> None:
    pages = [interface(), steps("CT", "a CT"), steps("X-ray", "an X-ray")]
    names = [name for page in pages for name in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)]
    assert len(names) > 60
    for name in names:
        path, rest = REPOSITORY / "lib", name.split(".")
        while rest and ((path / rest[0]).is_dir() or (path / f"{rest[0]}.py").is_file()):
            path /= rest.pop(0)
        body: list[ast.stmt] = ast.parse((path.with_suffix(".py")).read_text(encoding="utf-8")).body
        for part in rest:
            (found,) = [node for node in body if getattr(node, "name", None) == part]
            body = getattr(found, "body", [])


def test_the_page_on_the_document_has_a_table_for_each_object() -> None:
    page = case_document()
    assert "## Region\n" in page and "| `score` * | number from 0 to 1 |" in page
    assert "| `image` * | [ImageInfo](#imageinfo) |" in page


def test_what_pages_link_to_is_gathered_with_them() -> None:
    assert REPOSITORY / "slicer_extension" / "Screenshots" / "panel-dark.png" in linked([REPOSITORY / "README.md"])


@pytest.mark.parametrize("module", [strategies, trunks], ids=lambda module: module.__name__)
def test_examples_in_docstrings_run(module) -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 2


def script_of(page: Path, port: int) -> str:
    """All blocks of a tutorial as one script, without what installs."""
    blocks = _FENCE.findall(page.read_text(encoding="utf-8"))
    shown = {"sh": "{}", "python": "python3 - <<'END'\n{}END\n"}
    body = "".join(shown[language].format(block) for language, block in blocks)
    body = re.sub(r"^(make |export PATH=|export PROJECT=|mkdir -p trial).*\n", "", body, flags=re.MULTILINE)
    return (
        f"set -eum\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n"
        f'pneumoscreen() {{ {sys.executable} -m pneumoscreen "$@"; }}\n'
        f'python3() {{ {sys.executable} "$@"; }}\n' + body.replace("8000", str(port))
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS)
def test_every_command_of_a_tutorial_runs(tutorial: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "lib"), "PROJECT": str(REPOSITORY)}
    done = subprocess.run(
        ["bash", "-c", script_of(DOCS / f"{tutorial}.md", free_port())],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if name != "PNEUMOSCREEN_MODELS"},
        capture_output=True,
        encoding="utf-8",
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if tutorial == "first_scan":
        assert (tmp_path / "report.html").is_file() and (tmp_path / "results" / "index.html").is_file()
        assert "covid19" in done.stdout
    else:
        used = ModelStore().current("ct_classifier")
        assert used is not None
        lines = done.stdout.splitlines()
        assert lines.index("phantom-000100") < lines.index(str(used + 1))
        assert f"ct_classifier version {used} is in use (before: {used + 1})" in done.stdout
