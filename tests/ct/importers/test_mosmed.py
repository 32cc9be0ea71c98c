"""MosMedData: what is known of each severity, and that nothing is claimed of scans without a mask."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.ct.study_cases import load_study
from pneumoscreen.images.volume import LEFT
from pneumoscreen.studies.cases import find_studies

from .conftest import ORIENTATIONS, Imported, ball, write


def layout(root: Path, covid: Phantom, clear: Phantom, orientation: str = "LPS") -> Path:
    """Four studies: clear, masked and not masked CT-1, CT-3 without a mask."""
    studies = root / "COVID19_1110" / "studies"
    write(studies / "CT-0" / "study_0001.nii.gz", clear, clear.volume.hu, orientation)
    for folder, number in (("CT-1", "0254"), ("CT-1", "0255"), ("CT-3", "1064")):
        write(studies / folder / f"study_{number}.nii.gz", covid, covid.volume.hu, orientation)
    write(root / "COVID19_1110" / "masks" / "study_0255_mask.nii.gz", covid, ball(covid, LEFT), orientation)
    return root


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_each_severity(
    orientation: str, covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    imported = run_import(layout(tmp_path / "in", covid, clear, orientation))
    assert imported.actions() == {
        "study_0001": "imported",
        "study_0254": "image only",
        "study_0255": "imported",
        "study_1064": "image only",
    }
    nothing, masked = imported.document("study_0001"), imported.load("study_0255")
    assert nothing.diagnosis == "no_infection_found" and nothing.regions == ()
    assert masked.infection is not None and np.array_equal(masked.infection, ball(covid, LEFT))
    assert [region.side for region in imported.document("study_0255").regions] == ["left"]


def test_a_scan_without_a_mask_teaches_nothing(
    covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    imported = run_import(layout(tmp_path / "in", covid, clear))
    assert (imported.studies / "study_0254.nii.gz").is_file()
    assert [study.case_id for study in find_studies(imported.studies)] == ["study_0001", "study_0255"]
    for study in find_studies(imported.studies):
        case = load_study(study)
        assert (case.diagnosis == "no_infection_found") == (len(case.lesions) == 0)


def test_a_diagnosis_that_contradicts_the_data_is_refused(
    covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    imported = run_import(layout(tmp_path / "in", covid, clear), diagnosis="influenza_a")
    assert imported.actions()["study_0001"] == imported.actions()["study_0255"] == "refused"
    assert all("leave --diagnosis out" in reason for reason in imported.reasons())


def test_an_empty_mask_is_no_finding(
    covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    root = layout(tmp_path / "in", covid, clear)
    empty = np.zeros(covid.lungs.shape, dtype=np.uint8)
    write(root / "COVID19_1110" / "masks" / "study_0255_mask.nii.gz", covid, empty)
    imported = run_import(root)
    assert imported.actions()["study_0255"] == "refused"
    assert any("marks are empty" in reason for reason in imported.reasons())
