"""Prepared cases: the patches of a screening with their truth, kept on the disk as they were cut."""

from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.candidates.finding import CandidateModel, find_candidates
from pneumoscreen.ct.learning.classifier_data import SOURCES
from pneumoscreen.ct.lungs.segmentation import segment_lungs
from pneumoscreen.ct.patches import extract_patches
from pneumoscreen.ct.phantoms.phantom import Phantom, generate_phantom
from pneumoscreen.ct.simulation import CtSubject, PreparedCase, patch_images, prepare_case
from pneumoscreen.ct.truth import label_patch, label_region
from pneumoscreen.models.store import ModelStore
from pneumoscreen.simulation.pool import Recipe
from pneumoscreen.simulation.subject import CaseFolder
from pneumoscreen.verdict import DEFAULT_CLASSES

from ..simulation.conftest import SETTINGS, store, subject

__all__ = ["store", "subject"]

RECIPE = Recipe(500_001, "covid19")


@pytest.fixture(scope="module")
def network(store: ModelStore) -> CandidateModel:
    return CandidateModel.load(store.load("ct_candidates"))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return generate_phantom(RECIPE.seed, RECIPE.diagnosis, SETTINGS.phantom)


@pytest.fixture(scope="module")
def prepared(network: CandidateModel, phantom: Phantom) -> PreparedCase:
    return prepare_case(phantom, RECIPE.seed, network, SETTINGS)


def test_screened_patches_are_those_of_the_candidate_regions(
    prepared: PreparedCase, network: CandidateModel, phantom: Phantom
) -> None:
    lungs = segment_lungs(phantom.volume)
    boxes = find_candidates(phantom.volume, lungs, network).boxes
    cut = [extract_patches(phantom.volume, lungs, box) for box in boxes]
    screened = prepared.screened
    assert len(prepared.regions) == len(boxes) > 0
    assert np.bincount(screened.regions).tolist() == [len(patches) for patches in cut]
    assert list(prepared.regions) == [label_region(box, phantom) for box in boxes]
    truth = [label_patch(box, p.z, phantom) for box, patches in zip(boxes, cut, strict=True) for p in patches]
    assert [DEFAULT_CLASSES.patch_labels[label] for label in screened.labels] == truth
    for image, original in zip(patch_images(screened), (p for patches in cut for p in patches), strict=True):
        assert np.abs(image.pixels - original.pixels).max() <= 0.5 / 255 + 1e-6
        assert image.distance_from_edge == pytest.approx(original.distance_from_edge, abs=1e-6)


def test_a_correction_also_teaches_the_lesions_that_no_region_shows(prepared: PreparedCase, phantom: Phantom) -> None:
    labelled = prepared.labelled
    findings = labelled.select(labelled.sources == SOURCES.index("finding"))
    assert len(np.unique(findings.regions)) == len(phantom.lesions)
    assert DEFAULT_CLASSES.patch_labels.index("covid19") in findings.labels
    assert set(labelled.patients) == {RECIPE.case_id}


def test_a_kept_case_is_the_same(tmp_path: Path, subject: CtSubject, prepared: PreparedCase) -> None:
    folder = CaseFolder(tmp_path, subject)
    assert not folder.holds(RECIPE)
    folder.prepare(RECIPE, lambda stage, share: None)
    assert folder.holds(RECIPE)
    again = folder.load(RECIPE)
    assert (again.case_id, again.diagnosis, again.regions) == (RECIPE.case_id, "covid19", prepared.regions)
    for name in ("pixels", "labels", "distances", "regions", "sources", "patients"):
        np.testing.assert_array_equal(getattr(again.labelled, name), getattr(prepared.labelled, name))


def test_other_patches_lie_in_another_folder(tmp_path: Path, store: ModelStore) -> None:
    def folder(sha256: str = "abc", **changes: object) -> Path:
        subject = CtSubject(SETTINGS.model_copy(update=changes), store)
        subject.network_sha256 = sha256
        return CaseFolder(tmp_path, subject).folder

    assert folder(sha256="def") != folder()
    assert folder(phantom=SETTINGS.phantom.model_copy(update={"matrix": 128})) != folder()
    # Neither what is trained for how long, nor which phantoms are used, changes a case.
    assert folder(steps=9, first_seed=7, first_phantom=3) == folder()
