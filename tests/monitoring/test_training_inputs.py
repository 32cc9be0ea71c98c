"""The newest images beside the training's: no shift, no alarm; a shift, an alarm; never a reason to retrain."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pneumoscreen.case import Case, ImageInfo, LungInfo, ModelInfo
from pneumoscreen.metrics.inputs import CARD_INPUTS, kept_figures
from pneumoscreen.models.store import ModelStore
from pneumoscreen.monitoring.page import monitoring_to_text, render_monitoring
from pneumoscreen.monitoring.readings import HELP, readings_of
from pneumoscreen.monitoring.records import Records, Scan, models_in_words
from pneumoscreen.monitoring.training_inputs import MEANING, TrainingInputs, beside_training, cards_of
from pneumoscreen.verdict import DEFAULT_CLASSES

from .clinic import Clinic, scan

MODELS = {"ct_candidates": ModelInfo(5, "aa"), "ct_classifier": ModelInfo(6, "bb")}
CARD = {"network": {}, "data": "x", "seed": 0, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}


def images(chance: np.random.Generator, count: int, lungs_ml: float = 4600.0) -> list[Case]:
    """Scans as a site has them: two protocols, two matrices, lungs of all sizes (SD 700 ml)."""
    found = []
    for number in range(count):
        thick = chance.random() < 0.4
        volume = float(chance.normal(lungs_ml, 700.0))
        info = ImageInfo(
            (512 if chance.random() < 0.9 else 768,) * 2 + (int(chance.integers(50, 75) if thick else 260),),
            (float(chance.normal(0.72, 0.05)),) * 2 + (5.0 if thick else 1.25,),
            f"{number}",
        )
        lungs = {"left": LungInfo(0.46 * volume, 0.0), "right": LungInfo(0.54 * volume, 0.0)}
        found.append(Case(f"c{number}", "CT", info, lungs=lungs, models=MODELS))
    return found


def records(documents: list[Case]) -> Records:
    scans = tuple(
        Scan(one.case_id, one.case_id, f"{i:06d}", f"{i:06d}", models_in_words(one), one)
        for i, one in enumerate(documents)
    )
    return Records("CT", DEFAULT_CLASSES, (), (), scans, 0, 0)


def look(chance: np.random.Generator, trained: int, newest: int, lungs_ml: float = 4600.0) -> list[TrainingInputs]:
    cards = {
        name: {CARD_INPUTS: kept_figures([(one.case_id, one) for one in images(chance, trained)], name)}
        for name in MODELS
    }
    return beside_training(records(images(chance, newest, lungs_ml)), 50, lambda name, model: cards[name])


def alarms(found: list[TrainingInputs]) -> set[str]:
    return {drift.feature.key for each in found for drift in each.drifts if drift.is_alarm}


@pytest.mark.parametrize(("trained", "newest"), [(250, 50), (30, 30)])
def test_without_a_shift_alarms_are_rare(trained: int, newest: int) -> None:
    chance = np.random.default_rng(0)
    assert sum(bool(alarms(look(chance, trained, newest))) for _ in range(60)) <= 2


def test_a_shift_of_one_and_a_half_deviations_is_an_alarm_of_that_figure_alone() -> None:
    chance = np.random.default_rng(1)
    found = [alarms(look(chance, 250, 50, 4600.0 + 1.5 * 700.0)) for _ in range(20)]
    assert sum("lungs_ml" in each for each in found) >= 19
    assert sum(bool(each - {"lungs_ml"}) for each in found) <= 1


def test_the_same_scanner_gives_no_distance_whatever_digits_its_spacing_has() -> None:
    spacing = 0.683593750123
    trained, newest = (
        [replace(one, image=replace(one.image, spacing_mm=(spacing,) * 3)) for one in images(chance, 40)]
        for chance in (np.random.default_rng(2), np.random.default_rng(3))
    )
    card = json.loads(json.dumps({CARD_INPUTS: kept_figures([(one.case_id, one) for one in trained], "")}))
    found = beside_training(records(newest), 50, lambda name, model: card)
    assert {d.feature.key: d.distance for d in found[0].drifts}["pixel_mm"] == 0.0


def test_few_images_raise_no_alarm_and_the_newest_of_each_patient_counts() -> None:
    chance = np.random.default_rng(4)
    assert not alarms(look(chance, 250, 29, 20000.0)) and not alarms(look(chance, 29, 50, 20000.0))
    documents = images(chance, 60)
    scans = records(documents)
    twice = replace(scans, scans=tuple(replace(one, patient=str(i % 30)) for i, one in enumerate(scans.scans)))
    card = {CARD_INPUTS: kept_figures([("p", documents[0])], "")}
    found = beside_training(twice, 50, lambda name, model: card)
    volumes = [one.lungs["left"].volume_ml / 0.46 for one in documents[30:]]
    drift = next(drift for drift in found[0].drifts if drift.feature.key == "lungs_ml")
    assert drift.newest.tolist() == pytest.approx(volumes)


def clinic_of(folder: Path, trained: list[Case], sha: str | None = None) -> tuple[Clinic, Any]:
    """A site whose store holds the candidate network with such a card, and 40 scans that it screened."""
    store = ModelStore(folder / "models")
    inputs = kept_figures([(one.case_id, one) for one in trained], "phantoms")
    version = store.publish("ct_candidates", {"w": torch.zeros(2)}, {**CARD, CARD_INPUTS: inputs})
    sha = sha or store.load("ct_candidates").sha256
    clinic = Clinic.at(folder / "clinic")
    for number in range(40):
        case = scan(f"c{number:03d}", spacing_mm=(0.7, 0.7, 5.0))
        clinic.screen(replace(case, models={"ct_candidates": ModelInfo(version, sha)}), number)
    return clinic, store


def test_page_text_figures_and_metrics_tell_it_and_the_advice_does_not_move(tmp_path: Path) -> None:
    trained = [replace(one, lungs={}) for one in images(np.random.default_rng(5), 60)]
    clinic, _ = clinic_of(tmp_path, trained)
    found = clinic.monitoring()
    (ct,) = found.modalities
    assert ct.recommendation.advice == "not_enough" and not ct.alarms, "its own images have not changed"
    slices = next(sentence for sentence in ct.differences if sentence.startswith("Distance of slices"))
    assert (
        "the median is 5.00 mm in the newest 40 scans and was 1.25 mm in the training of Candidate network 1" in slices
    )
    assert "has changed" not in slices, "a difference from the training is no change"
    page, text = render_monitoring(found), monitoring_to_text(found)
    for content in (page, text):
        assert slices in content and MEANING in content
    assert "Candidate network 1: phantoms" in page and ">differs<" in page
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))["modalities"][0]
    assert document["differences_from_training"] == ct.differences
    assert document["training"][0]["network"] == "ct_candidates" and document["training"][0]["of"] == "phantoms"
    told = {
        reading.labels["figure"]: reading.value
        for reading in readings_of(found)
        if reading.name == "training_alarm" and reading.labels["network"] == "ct_candidates"
    }
    assert told["slice_mm"] == 1.0 and set(told) == {"slice_mm", "slices", "pixel_mm", "width_pixels"}
    assert {"training_alarm", "training_distance"} <= set(HELP)


def test_a_network_whose_card_is_not_here_or_of_other_weights_is_named(tmp_path: Path) -> None:
    clinic, store = clinic_of(tmp_path, images(np.random.default_rng(6), 40), sha="ff" * 32)
    assert cards_of(store)("ct_candidates", ModelInfo(9, "ff" * 32)) is None
    (ct,) = clinic.monitoring().modalities
    assert ct.differences == ["No card here tells what the training images of Candidate network 1 were like."]
