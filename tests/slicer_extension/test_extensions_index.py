"""What the Extensions Index checks of an extension, as far as that goes without a network.

After ``scripts/check_description_files.py`` and ``schemas/`` of github.com/Slicer/ExtensionsIndex (August 2026). Not
checked: that the links lead somewhere, and the topic of the repository.
"""

import json
import re
import struct
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
EXTENSION = REPOSITORY / "slicer_extension"
ENTRY = EXTENSION / "PneumoScreen.json"
KINDS = {
    **dict.fromkeys(("$schema", "category", "scm_url", "scm_revision", "scm_type", "build_subdirectory"), str),
    "build_dependencies": list,
    "enabled": bool,
    "tier": int,
}
"""Kind of each field that the schema (version 1.0.1) allows."""
CATEGORIES = ("Active Learning", "Analysis", "Chest Imaging Platform", "DICOM", "Informatics", "Remote", "Segmentation")
"""Of the Index's list, those that could fit."""
LIMIT_MB = 100
README = (REPOSITORY / "slicer_extension/README.md").read_text(encoding="utf-8")
CMAKE = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")


@pytest.fixture
def entry() -> dict[str, object]:
    content = ENTRY.read_bytes()
    assert b"\r" not in content
    return dict(json.loads(content))


def test_the_entry_keeps_to_the_schema_that_it_names(entry: dict[str, object]) -> None:
    assert str(entry["$schema"]).endswith("/slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert {"$schema", "category", "scm_url"} <= set(entry) <= set(KINDS)
    assert all(type(value) is KINDS[name] for name, value in entry.items())
    assert all(isinstance(name, str) for name in entry["build_dependencies"])
    assert entry.get("scm_type", "git") in ("git", "local")


def test_the_category_is_a_known_one_and_the_same_everywhere(entry: dict[str, object]) -> None:
    assert entry["category"] in CATEGORIES
    assert f'set(EXTENSION_CATEGORY "{entry["category"]}")' in CMAKE
    module = (REPOSITORY / "slicer_extension/PneumoScreen/PneumoScreen.py").read_text(encoding="utf-8")
    assert f'"qSlicerAbstractCoreModule", "{entry["category"]}"' in module


def test_the_address_names_a_repository_as_the_index_wants_it(entry: dict[str, object]) -> None:
    address = str(entry["scm_url"])
    assert address.startswith("https://") and re.search(r"/Slicer[^/]*\.git$", address)
    assert not ENTRY.stem.lower().startswith("slicer")
    assert entry["tier"] in (1, 3, 5) and entry["build_dependencies"] == []


def test_the_file_at_the_root_describes_the_extension() -> None:
    (project, *_) = re.findall(r"project\s*\(\s*([^\s\)]+)", CMAKE)
    assert project == ENTRY.stem
    for name in ("ICONURL", "SCREENSHOTURLS"):
        (found,) = re.findall(rf'set\s*\(EXTENSION_{name}\s*"([^"]+)"\s*\)', CMAKE)
        assert all(each.startswith("https://") and each.endswith(".png") for each in found.split())
    assert 'set(EXTENSION_DEPENDS "NA")' in CMAKE, "as the entry's empty list says"


def test_icon_and_screenshots_are_pictures_of_this_repository() -> None:
    """Their addresses wait for a home; what they name is here, as the Index's check will find it there."""
    folders = (EXTENSION / "PneumoScreen/Resources/Icons", EXTENSION / "Screenshots")
    for name, folder in zip(("ICONURL", "SCREENSHOTURLS"), folders, strict=True):
        (found,) = re.findall(rf'set\s*\(EXTENSION_{name}\s*"([^"]+)"\s*\)', CMAKE)
        for address in found.split():
            path = folder / address.rsplit("/", 1)[1]
            assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n"), path
    width, height = struct.unpack(">II", (folders[0] / "PneumoScreen.png").read_bytes()[16:24])
    assert width == height == 128, "as the Extensions Manager shows icons"


@pytest.mark.parametrize("name", ["HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION"])
def test_what_the_extensions_manager_shows_is_said(name: str) -> None:
    (said,) = re.findall(rf'set\s*\(EXTENSION_{name}\s+"([^"]+)"\s*\)', CMAKE)
    assert said.strip() and (name != "DESCRIPTION" or "Research use only" in said)


def test_every_picture_and_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    assert len(named) > 3
    assert not [name for name in named if not (EXTENSION / name).is_file()]


def test_the_page_says_where_scans_go() -> None:
    assert "Scans and readings go to the server that you name, and nowhere else" in README
    assert "Research use only" in README


def test_the_licence_lies_at_the_root_and_is_named_on_the_page() -> None:
    # By one of the names that the Index looks for.
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert re.search(r"## Licence\n+Apache 2\.0", README)


def test_the_page_says_what_a_user_must_know() -> None:
    assert "needs a PneumoScreen server" in README
    assert "## Tutorial" in README and "## Publication" in README
    assert "Xu" in README and re.search(r"https://doi\.org/10\.", README)
    assert re.search(r"!\[[^]]+\]\(Screenshots/[a-z-]+\.png\)", README)


def test_the_checked_out_repository_is_below_the_limit() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("no git here: an archive of the sources")
    files = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    total = sum(path.stat().st_size for path in files if path.is_file())
    assert total / 2**20 < LIMIT_MB
