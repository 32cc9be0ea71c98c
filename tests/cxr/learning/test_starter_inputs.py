"""The command that tells the shipped cards what the training pictures are like."""

from pathlib import Path

import pytest

from pneumoscreen.cxr.learning import starter, starter_inputs
from pneumoscreen.cxr.networks import DISCRIMINATION, NETWORKS
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.errors import ModelError
from pneumoscreen.metrics.inputs import figures_of_card
from pneumoscreen.models.store import ModelStore


def published(folder: Path, command: str) -> ModelStore:
    store = ModelStore(folder)
    card = {"network": {}, "data": "phantoms", "seed": 0, "command": command, "figures": {}, "licence": "Apache-2.0"}
    store.publish(DISCRIMINATION, {}, card)
    return store


def test_the_card_tells_of_training_phantoms_and_the_weights_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter_inputs, "PICTURES", 3)
    store = published(tmp_path, starter.COMMAND)
    before = store.load(DISCRIMINATION)
    starter_inputs.tell_inputs(tmp_path, store, [DISCRIMINATION])
    after = store.load(DISCRIMINATION)
    assert after.sha256 == before.sha256 and after.card["inputs"]["of"].startswith("3 training pictures")
    phantoms = [generate_radiograph(seed) for seed in starter.PHANTOMS[::600]]
    widths = sorted(phantom.radiograph.pixels.shape[1] for phantom in phantoms)
    found = figures_of_card(after.card)
    assert found["width_pixels"].tolist() == widths and len(found["lung_boxes_percent"]) == 3


def test_weights_of_another_recipe_are_left_alone(tmp_path: Path) -> None:
    store = published(tmp_path, "pneumoscreen train")
    with pytest.raises(ModelError, match="cxr_discrimination version 1 was not made by python -m"):
        starter_inputs.tell_inputs(tmp_path, store, [DISCRIMINATION])
    assert "inputs" not in store.card(DISCRIMINATION, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_shipped_cards_tell_it(name: str) -> None:
    found = figures_of_card(ModelStore().load(name).card)
    assert set(found) == {"width_pixels", "height_pixels", "pixel_mm", "lung_boxes_percent"}
    assert all(len(values) >= 60 for values in found.values())
