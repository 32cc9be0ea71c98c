"""Gathers the pages of the documentation, for ``make docs``: ``python -m scripts.docs_pages FOLDER``.

They lie there as in the repository, so that every link between them stays as it is: README.md, docs/, and what these
link to outside of docs/. The reference is made of the program itself: the commands of their help, the case document of
its JSON Schema, the Python interface and the steps of both methods (docs/house.md) of their docstrings.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
SITE = DOCS / "site"
LIB = REPOSITORY / "lib"
SCHEMA = LIB / "pneumoscreen" / "case.schema.json"
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^\| ([^|]+) \| `([^`|]+)\.py` \| `(\w+)` \|$", re.MULTILINE)
WALKS = {"steps_ct": ("CT", "a CT"), "steps_xray": ("X-ray", "an X-ray")}
INTERFACE = {
    "Screening": ("api",),
    "The case document": ("case", "regions", "verdict", "evidence"),
    "Errors": ("errors",),
    "A further modality": ("methods", "method", "case_kinds"),
    "The next case": ("active_learning.strategies", "active_learning.scores"),
    "The patch classifier": ("ct.trunks", "ct.classifier"),
    "Images": ("images.volume", "images.radiograph"),
    "Studies and models": ("studies.split", "models.store"),
    "Training": ("training.loop", "training.recipes"),
}
"""What a program that uses this one meets, by heading: modules of the package."""
MADE = ("commands", "case_document", "python", *WALKS)
"""Pages of docs/ that are made of the program; the site alone has them."""


def links(page: Path) -> Iterator[Path]:
    """The files that a page links to, without those on the web."""
    for target in LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            yield (page.parent / target).resolve()


def linked(pages: list[Path]) -> set[Path]:
    """Some pages, and all files that they and the pages among these link to."""
    found: set[Path] = set()
    waiting = list(pages)
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            waiting += links(page) if page.suffix == ".md" else ()
    return found


def commands() -> str:
    """The page on the command line, made by Typer of the help texts."""
    words = ["typer", "pneumoscreen.cli", "utils", "docs", "--name", "pneumoscreen", "--title", "The command line"]
    done = subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True, encoding="utf-8")
    return done.stdout


def case_document() -> str:
    """The page on the case document, of its JSON Schema: a table for each kind of object."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [
        f"# The case document\n\n{schema['description']} This is `{schema['title']}`, "
        "[as JSON Schema](../lib/pneumoscreen/case.schema.json) a part of the package. What the fields mean stands in "
        "the [Python interface](python.md#the-case-document). Fields with * are always there.\n"
    ]
    for name, kind in [("The document", schema), *schema["$defs"].items()]:
        needed = kind.get("required", ())
        rows = [f"| `{field}`{' *' * (field in needed)} | {_held(of)} |" for field, of in kind["properties"].items()]
        parts.append("\n".join([f"## {name}\n", "| field | holds |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def _held(schema: dict[str, Any]) -> str:
    """What a field holds, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_held, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array" and "items" in schema:
        return f"list of {_held(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        names = ", ".join(f"`{name}`" for name in schema.get("propertyNames", {}).get("enum", ())) or "names"
        return f"by {names}: {_held(schema['additionalProperties'])}"
    bounds = [f" {word} {schema[key]}" for word, key in (("from", "minimum"), ("to", "maximum")) if key in schema]
    return "".join([str(kind).replace("null", "nothing"), *bounds])


def interface() -> str:
    """The page on what other programs use of this one."""
    parts = ["# The Python interface\n"]
    for title, modules in INTERFACE.items():
        parts.append(f"## {title}\n")
        parts += [f"::: pneumoscreen.{module}\n    options: {{heading_level: 3}}\n" for module in modules]
    return "\n".join(parts)


def steps(modality: str, walk: str) -> str:
    """A page of what the code says of the steps that docs/house.md names: of the file, then of the function."""
    section = (DOCS / "house.md").read_text(encoding="utf-8").split(f"## The walk of {walk}\n")[1].split("\n## ")[0]
    parts = [f"# The steps of a screened {modality}\n\nWhat the code says of each step, in [their order](house.md).\n"]
    shown: set[str] = set()
    for what, path, function in _STEP.findall(section):
        module = f"pneumoscreen.{path.replace('/', '.')}"
        parts.append(f"## {what[0].upper()}{what[1:]}\n")
        if module not in shown:
            parts.append(f"::: {module}\n    options: {{members: false, heading_level: 3}}\n")
            shown.add(module)
        name = _qualified(LIB / "pneumoscreen" / f"{path}.py", function)
        parts.append(f"::: {module}.{name}\n    options: {{heading_level: 3}}\n")
    return "\n".join(parts)


def _qualified(path: Path, function: str) -> str:
    """The name of a function or method in its module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    owners = [owner.name for owner in classes if any(getattr(node, "name", "") == function for node in owner.body)]
    return ".".join([*owners[:1], function])


def gather(out: Path) -> None:
    """Write all pages, and what they link to, into a folder that is made anew."""
    shutil.rmtree(out, ignore_errors=True)
    for path in {*linked([REPOSITORY / "README.md", *DOCS.glob("*.md")]), *SITE.iterdir(), SCHEMA}:
        target = out / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    made = {"commands": commands(), "case_document": case_document(), "python": interface()}
    made |= {name: steps(modality, walk) for name, (modality, walk) in WALKS.items()}
    for name in MADE:
        (out / "docs" / f"{name}.md").write_text(made[name], encoding="utf-8")


if __name__ == "__main__":
    gather(Path(sys.argv[1]).resolve())
