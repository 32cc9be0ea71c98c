"""``pneumoscreen phantom``: studies folders of CT and X-ray phantoms, and of lesions put onto another scan."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.cli import main


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("healthy")
    arguments = ["--cases", "1", "--seed", "8", "--matrix", "128", "--slices", "40"]
    assert main(["phantom", "--out", str(folder), *arguments, "--diagnosis", "no_infection_found"]) == 0
    return folder / "phantom-000008.nii.gz"


def test_lesions_come_onto_the_clear_side_and_its_mirror_image(scan: Path, tmp_path: Path) -> None:
    assert main(["phantom", "--onto", str(scan), "--clear-side", "right", "--out", str(tmp_path), "--cases", "2"]) == 0
    upright, mirrored = (
        Case.from_json(
            (tmp_path / "labels" / "final" / f"phantom-000008-implant-00000{n}.json").read_text(encoding="utf-8")
        )
        for n in (1, 2)
    )
    assert {region.side for region in upright.regions} == {"right"}
    assert {region.side for region in mirrored.regions} == {"left"}
    assert (upright.diagnosis, mirrored.diagnosis) == ("covid19", "influenza_a")
    before = sitk.GetArrayFromImage(sitk.ReadImage(scan))
    after = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "phantom-000008-implant-000001.nii.gz"))
    assert np.count_nonzero(before != after) > 100


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--clear-side", "upper"], "--clear-side upper"),
        (["--diagnosis", "plague", "--cases", "1"], "--diagnosis plague"),
        (["--matrix", "8"], "--matrix 8"),
    ],
)
def test_mistake_is_one_sentence(
    arguments: list[str], reason: str, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onto = ["--onto", str(scan)] if "--clear-side" in arguments else []
    assert main(["phantom", "--out", str(tmp_path), *onto, *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_radiographs_of_one_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--modality", "cxr", "--cases", "2", "--seed", "5", "--matrix", "128", "--diagnosis", "cap"]
    assert main(["phantom", "--out", str(tmp_path), *arguments]) == 0
    pictures = [tmp_path / f"xray-00000{seed}.png" for seed in (5, 6)]
    assert capsys.readouterr().out.split() == [str(path) for path in pictures]
    for picture in pictures:
        assert max(sitk.ReadImage(picture).GetSize()) == 128
        document = tmp_path / "labels" / "final" / f"{picture.stem}.json"
        case = Case.from_json(document.read_text(encoding="utf-8"))
        assert (case.modality, case.diagnosis) == ("CXR", "cap")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--diagnosis", "influenza_a"], "--diagnosis influenza_a"),
        (["--matrix", "8"], "--matrix 8"),
        (["--slices", "30"], "--slices 30"),
        (["--onto", "scan.nii.gz"], "--onto scan.nii.gz"),
    ],
)
def test_mistake_with_radiographs_is_one_sentence(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["phantom", "--out", str(tmp_path), "--modality", "cxr", *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
