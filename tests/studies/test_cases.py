"""Labelled cases from a studies folder, as the phantom writer makes it."""

import json
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.ct.candidates.finding import CandidateSettings
from pneumoscreen.ct.learning.candidate_data import CaseCache, prepare_case, read_prepared
from pneumoscreen.ct.learning.candidate_studies import prepare_study
from pneumoscreen.ct.learning.truth import complete_truth
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.ct.study_cases import StudyCase, load_study
from pneumoscreen.errors import CaseError, PneumoScreenError
from pneumoscreen.studies.cases import Study, find_scans, find_studies
from pneumoscreen.studies.layout import FINAL_LABELS, nested_id
from pneumoscreen.verdict import DEFAULT_CLASSES

from ..images.conftest import make_chest, write_series

SPEC = PhantomSpec(matrix=96, thickness_mm=8.0)


@pytest.fixture(scope="module")
def studies_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    write_studies(folder, cases=3, seed=1, spec=SPEC)
    return folder


def test_a_study_is_the_phantom_it_was_written_from(studies_folder: Path) -> None:
    first = find_studies(studies_folder)[0]
    case, phantom = load_study(first), generate_phantom(1, "covid19", SPEC)
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
    case = load_study(find_studies(tmp_path)[0])
    assert case.infection is None and len(case.lesions) > 0
    assert (case.lungs > 0).mean() > 0.05


def test_unlabelled_scans_are_passed_over(studies_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PneumoScreenError, match="no labelled scan"):
        find_studies(tmp_path)
    with pytest.raises(PneumoScreenError, match="not a folder"):
        find_studies(tmp_path / "absent")
    assert [study.case_id for study in find_studies(studies_folder)] == [f"phantom-{n:06d}" for n in (1, 2, 3)]


def test_preparation_names_what_is_broken(studies_folder: Path, tmp_path: Path) -> None:
    studies = find_studies(studies_folder)
    cache = CaseCache(tmp_path / "cache", CandidateSettings().grid)
    whole = json.loads(studies[0].document.read_text(encoding="utf-8"))

    def with_document(document: str) -> Study:
        (tmp_path / "changed.json").write_text(document, encoding="utf-8")
        return replace(studies[0], document=tmp_path / "changed.json")

    with pytest.raises(CaseError, match=r"changed\.json: the case document is not valid JSON"):
        prepare_study(with_document("{"), "a", cache)
    contradiction = {**whole, "diagnosis": "no_infection_found"}
    with pytest.raises(CaseError, match="field diagnosis is no_infection_found"):
        prepare_study(with_document(json.dumps(contradiction)), "a", cache)
    assert not list(cache.folder.rglob("*.npz"))


def test_corrected_labels_are_prepared_anew_and_the_old_ones_go(studies_folder: Path, tmp_path: Path) -> None:
    study = find_studies(studies_folder)[0]
    cache = CaseCache(tmp_path / "cache", CandidateSettings().grid)
    first = prepare_study(study, study.origin(), cache)
    assert prepare_study(study, study.origin(), cache) == first, "prepared once"
    document = json.loads(study.document.read_text(encoding="utf-8"))
    removed = next(region for region in document["regions"] if region["reader"]["label"] == "covid19")
    document["regions"].remove(removed)
    (tmp_path / "corrected.json").write_text(json.dumps(document), encoding="utf-8")
    corrected = replace(study, document=tmp_path / "corrected.json")
    assert corrected.origin() != study.origin()
    before = read_prepared(first)
    after = read_prepared(prepare_study(corrected, corrected.origin(), cache))
    assert len(after.boxes) == len(before.boxes) - 1
    assert before.infection is not None and after.infection is not None
    assert 0 < after.infection.sum() < before.infection.sum(), "a region taken away leaves the mask"
    assert not first.exists()


@pytest.fixture(scope="module")
def document(studies_folder: Path) -> dict[str, Any]:
    """The truth of a phantom with infections, as a document."""
    return dict(json.loads(find_studies(studies_folder)[0].document.read_text(encoding="utf-8")))


def _loaded(studies_folder: Path, tmp_path: Path, document: dict[str, Any]) -> StudyCase:
    path = tmp_path / "reader.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_study(replace(find_studies(studies_folder)[0], document=path))


def test_a_region_keeps_its_voxels_whatever_its_label_and_id(
    studies_folder: Path, tmp_path: Path, document: dict[str, Any]
) -> None:
    true = load_study(find_studies(studies_folder)[0])
    regions = [{**region, "id": f"r{9 - place}"} for place, region in enumerate(document["regions"])]
    relabelled = {**regions[0], "reader": {**regions[0]["reader"], "label": "irrelevant"}}
    case = _loaded(studies_folder, tmp_path, {**document, "regions": [relabelled, *regions[1:]][::-1]})
    assert [lesion.number for lesion in case.lesions] == [lesion.number for lesion in true.lesions][::-1]
    assert case.lesions[-1].label == "irrelevant"


def test_a_moved_or_added_region_takes_nobody_elses_voxels(
    studies_folder: Path, tmp_path: Path, document: dict[str, Any]
) -> None:
    infected = next(r for r in document["regions"] if r["reader"]["label"] == "covid19")
    others = [region for region in document["regions"] if region is not infected]
    moved = {**infected, "center_mm": [c + s for c, s in zip(infected["center_mm"], infected["size_mm"], strict=True)]}
    # Its digits and its place are those of a number in the mask.
    added = {**moved, "id": "r1", "size_mm": [9.0, 9.0, 9.0]}
    case = _loaded(studies_folder, tmp_path, {**document, "regions": [added, moved, *others]})
    assert [lesion.number for lesion in case.lesions[:2]] == [0, 0]
    assert all(lesion.number > 0 for lesion in case.lesions[2:])
    complete = complete_truth(case, DEFAULT_CLASSES)
    assert len({lesion.number for lesion in complete.lesions}) == len(complete.lesions)
    prepared = prepare_case(case, CandidateSettings().grid)
    assert prepared.infection is None, "a mask that lacks an infection would teach it as healthy"
    untouched = case.lesions[2].number
    assert case.infection is not None
    assert (complete.infection == untouched).sum() > 0.5 * (case.infection == untouched).sum()


def test_labels_are_found_under_the_servers_ids(studies_folder: Path, tmp_path: Path) -> None:
    scan = (studies_folder / "phantom-000001.nii.gz").read_bytes()
    label = (studies_folder / FINAL_LABELS / "phantom-000001.json").read_bytes()
    (tmp_path / FINAL_LABELS).mkdir(parents=True)
    for name in ("Scan 1 (b).nii.gz", "by hand!.nii.gz", "twice.nii.gz"):
        (tmp_path / name).write_bytes(scan)
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "twice.nii.gz")), tmp_path / "twice.nrrd")
    write_series(tmp_path / "patient" / "study" / "series", make_chest())
    nested = nested_id(PurePath("patient/study/series"))
    for name in ("Scan 1 (b)", "by_hand", "twice", nested):
        (tmp_path / FINAL_LABELS / f"{name}.json").write_bytes(label)
    assert [study.case_id for study in find_studies(tmp_path)] == sorted(["Scan 1 (b)", "by_hand", nested, "twice"])
    twice = next(study for study in find_studies(tmp_path) if study.case_id == "twice")
    assert twice.scan.path.name == "twice.nii.gz"
    assert {study.case_id for study in find_scans(tmp_path)} == {"Scan 1 (b)", "by_hand", nested, "twice", "twice_2"}
