"""Labelled cases from a studies folder, as the phantom writer makes it."""

from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.errors import ConfigError, PneumoScreenError
from pneumoscreen.phantoms import PhantomSpec, generate_phantom
from pneumoscreen.phantoms.studies import write_studies
from pneumoscreen.studies.cases import find_studies
from pneumoscreen.training.candidate_data import read_prepared
from pneumoscreen.training.candidate_studies import prepare_studies
from pneumoscreen.training.candidates import CandidateTrainingSettings

SPEC = PhantomSpec(matrix=96, thickness_mm=8.0)


@pytest.fixture(scope="module")
def studies_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    write_studies(folder, cases=3, seed=1, spec=SPEC)
    return folder


def test_a_study_is_the_phantom_it_was_written_from(studies_folder: Path) -> None:
    first = find_studies(studies_folder)[0]
    case, phantom = first.load(), generate_phantom(1, "covid19", SPEC)
    assert case.diagnosis == phantom.diagnosis == "covid19"
    assert np.array_equal(case.volume.hu, phantom.volume.hu)
    assert np.array_equal(case.lungs, phantom.lungs)
    assert case.infection is not None and np.array_equal(case.infection, phantom.infection)
    assert [(m.number, m.label) for m in case.lesions] == [(t.number, t.label) for t in phantom.lesions]
    for marked, true in zip(case.lesions, phantom.lesions, strict=True):
        assert np.allclose(marked.box, true.box, atol=0.05)


def test_without_masks_lungs_are_segmented_and_boxes_remain(studies_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels" / "final").mkdir(parents=True)
    for name in ("phantom-000001.nii.gz", "labels/final/phantom-000001.json"):
        (tmp_path / name).write_bytes((studies_folder / name).read_bytes())
    case = find_studies(tmp_path)[0].load()
    assert case.infection is None and len(case.lesions) > 0
    assert (case.lungs > 0).mean() > 0.05


def test_unlabelled_scans_are_passed_over(studies_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PneumoScreenError, match="no labelled scan"):
        find_studies(tmp_path)
    with pytest.raises(PneumoScreenError, match="not a folder"):
        find_studies(tmp_path / "absent")
    assert [study.case_id for study in find_studies(studies_folder)] == [f"phantom-{n:06d}" for n in (1, 2, 3)]


def test_preparation_divides_by_patient_and_names_what_is_broken(studies_folder: Path, tmp_path: Path) -> None:
    studies = find_studies(studies_folder)
    document = studies[1].document
    whole = document.read_text(encoding="utf-8")
    lines: list[str] = []
    try:
        document.write_text("{", encoding="utf-8")
        settings = CandidateTrainingSettings(validation_share=0.0)
        training, validation = prepare_studies(studies, settings, tmp_path, lines.append)
    finally:
        document.write_text(whole, encoding="utf-8")
    assert [path.stem for path in training] == ["phantom-000001", "phantom-000003"] and validation == []
    assert any("phantom-000002 is left out" in line and str(document) in line for line in lines)
    assert len(read_prepared(training[0]).boxes) > 0
    lines.clear()
    assert len(prepare_studies(studies[:1], settings, tmp_path, lines.append)[0]) == 1
    assert lines == [], "prepared once"


def test_a_split_that_leaves_nothing_to_train_on_is_refused(studies_folder: Path, tmp_path: Path) -> None:
    settings = CandidateTrainingSettings(validation_share=0.999)
    with pytest.raises(ConfigError, match="no training case left"):
        prepare_studies(find_studies(studies_folder), settings, tmp_path, lambda line: None)
