"""The command that tells the shipped cards what the training cases are like."""

from pathlib import Path

import pytest

from pneumoscreen.ct.learning import starter_inputs
from pneumoscreen.ct.learning.candidates import CandidateTrainingSettings
from pneumoscreen.ct.learning.classifier import ClassifierTrainingSettings
from pneumoscreen.ct.learning.real_scans import ScansSettings
from pneumoscreen.ct.learning.starter import Worker
from pneumoscreen.ct.networks import CANDIDATES, CLASSIFIER
from pneumoscreen.errors import ModelError
from pneumoscreen.metrics.inputs import figures_of_card
from pneumoscreen.models.store import ModelStore
from pneumoscreen.workers.asked import UNASKED


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    settings = CandidateTrainingSettings(), ClassifierTrainingSettings()
    return Worker(tmp_path, ScansSettings(scans=()), tmp_path, *settings)


def test_it_tells_of_training_phantoms(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(starter_inputs.EVERY, CLASSIFIER, 180)
    found = starter_inputs.documents(worker, CLASSIFIER, 0, 1)
    assert [case.case_id for case in found] == ["phantom-004001", "phantom-004301"]
    assert all(sum(lung.volume_ml for lung in case.lungs.values()) > 1500.0 for case in found)
    assert [case.case_id for case in starter_inputs.documents(worker, CLASSIFIER, 1, 2)] == []


def test_weights_of_another_recipe_are_left_alone(worker: Worker, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    card = {"network": {}, "data": "x", "seed": 0, "command": "pneumoscreen train", "figures": {}, "licence": "none"}
    store.publish(CANDIDATES, {}, card)
    with pytest.raises(ModelError, match="ct_candidates version 1 was not made by python -m"):
        starter_inputs.tell_inputs(worker, UNASKED, store)


@pytest.mark.parametrize("name", [CANDIDATES, CLASSIFIER])
def test_the_shipped_cards_tell_it(name: str) -> None:
    found = figures_of_card(ModelStore().load(name).card)
    assert set(found) == {"slice_mm", "slices", "pixel_mm", "width_pixels", "lungs_ml"}
    assert all(len(values) >= 50 for values in found.values())
