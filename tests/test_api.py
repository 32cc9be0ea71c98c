"""Screening from Python: the real networks, and the same documents as the command line's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pneumoscreen import Screeners, screen
from pneumoscreen.case import Case
from pneumoscreen.cli import main
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.errors import Cancelled, ImageError, ModelError


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    write_studies(folder, 2, 1, PhantomSpec(matrix=96, slices=24))
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_radiograph_studies(folder, 2, 1, RadiographSpec())
    return folder


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in (".gz", ".png", ".dcm"))


def _without_times(case: Case) -> dict[str, object]:
    return {key: value for key, value in case.to_dict().items() if key != "timings_s"}


def test_three_lines_screen_a_ct_as_the_command_line_does(studies: Path, tmp_path: Path) -> None:
    scan = _images(studies)[0]
    result = screen(scan)
    assert result.report(tmp_path / "report.html") == tmp_path / "report.html"
    assert result.save(str(tmp_path / "case.json")).is_file()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Research use only" in page and result.case.case_id in page
    assert result.verdict is result.case.verdict and result.verdict.infection is not None
    assert main(["screen", str(scan), "--out", str(tmp_path / "out")]) == 0
    (document,) = (tmp_path / "out").glob("*.json")
    said = Case.from_json(document.read_text(encoding="utf-8"))
    assert _without_times(Case.from_json((tmp_path / "case.json").read_text(encoding="utf-8"))) == _without_times(said)


def test_networks_are_loaded_once_for_many_films(films: Path, tmp_path: Path) -> None:
    screeners = Screeners(None, "cpu")
    results = [screen(str(film), screeners=screeners) for film in _images(films)]
    assert len({result.case.case_id for result in results}) == len(results) == 2
    assert all(result.case.modality == "CXR" for result in results)
    assert "Research use only" in results[0].report(tmp_path / "film.html").read_text(encoding="utf-8")


def test_progress_goes_up_and_may_cancel(films: Path) -> None:
    told: list[float] = []

    def cancel(stage: str, fraction: float) -> None:
        told.append(fraction)
        if len(told) > 1:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        screen(_images(films)[0], progress=cancel)
    assert told == sorted(told)


def test_what_is_no_image_is_one_sentence(studies: Path, films: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nothing\.nii\.gz"):
        screen(tmp_path / "nothing.nii.gz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="empty"):
        screen(tmp_path / "empty")
    with pytest.raises(ImageError, match=r"holds \d+ images; give one of them"):
        screen(films)
    with pytest.raises(ModelError):
        screen(_images(studies)[0], model_dir=tmp_path / "empty")


def test_the_package_itself_imports_no_other_package() -> None:
    """The rules of the verdict run inside 3D Slicer, where there is none."""
    code = "import sys, json, pneumoscreen; print(json.dumps(sorted(n for n in sys.modules if 'pneumoscreen' in n)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == ["pneumoscreen"]
