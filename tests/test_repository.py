"""What surrounds the code says the same as the code: hooks before a commit, templates, citation, pins of the pages."""

import re
from pathlib import Path

import yaml

import pneumoscreen

REPOSITORY = Path(__file__).parents[1]


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_a_commit_is_checked_by_the_linters_of_make() -> None:
    (local,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    hooks = {hook["entry"].removeprefix("env ").removesuffix(" --force-exclude") for hook in local["hooks"]}
    recipe = text("Makefile").split("\nlint: ")[1].split("\n\n")[0].replace("$(BIN)", ".venv/bin")
    lines = {line.strip().lstrip("@") for line in recipe.splitlines()[1:] if not line.strip().startswith("@#")}
    wanted = {re.sub(r"^(\.venv/bin/ruff \w+).*", r"\1", line) for line in lines}
    assert hooks == wanted
    assert (local["repo"], {hook["language"] for hook in local["hooks"]}) == ("local", {"system"})


def test_each_issue_template_asks_for_something_and_warns_of_patients_data() -> None:
    templates = sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert [path.stem for path in templates] == ["fault", "verdict", "wish"]
    for path in templates:
        template = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "labels", "body"} == set(template)
        assert any(part.get("validations", {}).get("required") for part in template["body"])
    assert all("No patient's data" in path.read_text(encoding="utf-8") for path in templates[:2])
    assert "No patient's data" in text(".github/PULL_REQUEST_TEMPLATE.md")


def test_the_citation_is_of_this_version_and_names_both_papers_as_the_front_page_does() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == pneumoscreen.__version__
    front = " ".join(text("README.md").split())
    assert all(f"*{reference['title']}*" in front for reference in citation["references"])


def test_what_builds_the_pages_is_pinned_exactly() -> None:
    lines = [line for line in text("requirements-docs.txt").splitlines() if line and not line.startswith("#")]
    assert len(lines) > 20
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_the_site_loads_nothing_from_elsewhere() -> None:
    settings = yaml.safe_load(text("mkdocs.yml"))
    assert settings["theme"]["font"] is False and settings["use_directory_urls"] is False
    # Without a file of our own the theme would load the search's helper from the web.
    assert settings["extra"]["polyfills"] == ["docs/site/iframe-worker.js"]
