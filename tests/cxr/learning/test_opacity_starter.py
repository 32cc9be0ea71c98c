"""The command that makes the shipped localiser, on a small folder of phantoms in place of films."""

from pathlib import Path

import pytest
import torch
from tests.cxr.importers.test_public_films import TABLES
from tests.cxr.radiographs import class_model

from pneumoscreen.cxr.discrimination import DiscriminationModel
from pneumoscreen.cxr.learning.lung_tuning import TuningSettings
from pneumoscreen.cxr.learning.opacity_starter import (
    OpacityStarterSettings,
    leave_types_undecided,
    make_opacity_weights,
)
from pneumoscreen.cxr.localization import LocalizationModel
from pneumoscreen.cxr.lung_boxes import LungBoxModel
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture
from pneumoscreen.models.store import ModelStore

FILMS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    rows = ["path,source,right_opacity,left_opacity,right_any,left_any"]
    boxes = ["path,source,finding,present,x,y,w,h"]
    (folder / "nih").mkdir()
    for number in range(FILMS):
        phantom = generate_radiograph(number, ("cap", "healthy")[number % 2], RadiographSpec(size=160))
        name = f"nih/0000000{number}_000.png"
        write_picture(phantom.radiograph, folder / name)
        sides = f"{int(phantom.sides['right'])},{int(phantom.sides['left'])}"
        rows.append(f"{name},RSNA 2018,{sides},{sides}")
        if any(phantom.sides.values()):
            boxes.append(f"{name},RSNA 2018,Lung opacity,1,20,30,40,40")
    head = {name: text.splitlines()[0] + "\n" for name, text in TABLES.items()}
    for name, text in {**head, "nih_lungs.csv": "\n".join(rows), "nih_boxes.csv": "\n".join(boxes)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_weights_with_a_calibration_are_published_and_made_again(folder: Path, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    shipped = ModelStore().load("cxr_lung_boxes")
    store.publish("cxr_lung_boxes", shipped.state, {**shipped.card, "network": shipped.card["network"]})
    settings = OpacityStarterSettings(phantoms=2, tuning=TuningSettings(epochs=1, batch=4, folds=2))
    for version in (1, 2):
        make_opacity_weights(folder, tmp_path / "work", settings, store)
        assert store.load("cxr_localization").version == version
    first, again = store.load("cxr_localization", 1), store.load("cxr_localization", 2)
    assert first.sha256 == again.sha256
    figures = first.card["figures"]
    assert figures["patients"] == FILMS
    for what, count in (("all_films", FILMS), ("all_lungs", 2 * FILMS), ("phantom_lungs", 4)):
        assert figures[what]["infected"] + figures[what]["clear"] == count
    assert set(figures["certain_lungs"]["auc"]) == {"estimate", "low", "high"}
    assert "NIH Clinical Center" in first.card["data"]
    # The mean of twice the same is the same; of others it lies between.
    make_opacity_weights(folder, tmp_path / "work", settings.model_copy(update={"averaged": True}), store)
    assert store.load("cxr_localization", 3).sha256 == first.sha256
    other = {name: value + 1 if value.is_floating_point() else value for name, value in first.state.items()}
    network = {**first.card["network"], "opacity": {**first.card["network"]["opacity"], "intercept": 5.0}}
    store.publish("cxr_localization", other, {**first.card, "network": network})
    make_opacity_weights(folder, tmp_path / "work", settings.model_copy(update={"averaged": True}), store)
    mean = store.load("cxr_localization", 5)
    for name, value in first.state.items():
        wanted = value + 0.5 if value.is_floating_point() else value
        assert torch.allclose(mean.state[name], wanted, rtol=2e-3, atol=3e-3)  # half precision is kept
    intercept = first.card["network"]["opacity"]["intercept"]
    assert mean.card["network"]["opacity"]["intercept"] == pytest.approx((intercept + 5.0) / 2)
    assert "of version 4" in mean.card["data"]
    assert "not of the mean" in mean.card["figures"]["population"]
    model = LocalizationModel.load(first)
    assert model.calibration is not None
    assert model.calibration.calibrated_on.startswith(f"{FILMS} NIH films of {FILMS} patients")
    LungBoxModel.load(store.load("cxr_lung_boxes"))


def test_a_class_network_of_phantoms_tells_no_types(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    model = class_model()
    card = {"data": "phantoms", "seed": 0, "command": "test", "figures": {}, "licence": "Apache-2.0"}
    store.publish("cxr_discrimination", model.state(), {**card, "network": model.card_network()})
    leave_types_undecided(store)
    leave_types_undecided(store)
    weights = store.load("cxr_discrimination")
    assert (weights.version, weights.card["data"]) == (2, "phantoms")
    assert DiscriminationModel.load(weights).settings.tells_types is False
