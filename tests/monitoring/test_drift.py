"""Drift: a shift is caught, none is seldom, never on few images, and each patient counts once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.case import LungInfo
from pneumoscreen.metrics.inputs import features_of
from pneumoscreen.monitoring.drift import LEAST, Drift, compared, drifts_of, too_few

from .clinic import INFECTED, Clinic, film, region, scan, simulated

FEATURES = features_of(3)
PLACE = {feature.key: place for place, feature in enumerate(FEATURES)}


def images(chance: np.random.Generator, count: int, lungs_ml: float = 4600.0) -> list[np.ndarray]:
    """Figures as a site has them: a few protocols, and findings that go together."""
    severe = chance.random(count)
    return [
        chance.choice([1.0, 1.25, 5.0], count, p=[0.3, 0.3, 0.4]),
        chance.integers(50, 330, count).astype(float),
        chance.normal(0.72, 0.05, count),
        chance.choice([512.0, 768.0], count, p=[0.9, 0.1]),
        chance.normal(lungs_ml, 700.0, count) - 800.0 * severe,
        30.0 * severe**3,
        1.0 / (1.0 + np.exp(-8.0 * (severe - 0.5))),
        chance.poisson(1.0 + 6.0 * severe).astype(float),
        np.clip(0.5 + 0.5 * severe + chance.normal(0.0, 0.05, count), 0.0, 1.0),
    ]


def looks(times: int, first: int, newest: int, lungs_ml: float = 4600.0, seed: int = 0) -> list[list[Drift]]:
    chance = np.random.default_rng(seed)
    pairs = [(images(chance, first), images(chance, newest, lungs_ml)) for _ in range(times)]
    return [compared([Drift(f, a, b) for f, a, b in zip(FEATURES, *pair, strict=True)]) for pair in pairs]


@pytest.mark.parametrize(("first", "newest"), [(100, 50), (30, 30)])
def test_without_a_shift_alarms_are_rare(first: int, newest: int) -> None:
    alarms = sum(any(drift.is_alarm for drift in look) for look in looks(150, first, newest))
    assert alarms <= 4, "at most one of a hundred is meant: 1.5 of 150"


def test_a_shift_is_caught() -> None:
    shifted = looks(30, 100, 50, lungs_ml=4600.0 + 1.5 * 700.0, seed=1)
    assert sum(look[PLACE["lungs_ml"]].is_alarm for look in shifted) >= 28
    others = [drift for look in shifted for place, drift in enumerate(look) if place != PLACE["lungs_ml"]]
    assert sum(drift.is_alarm for drift in others) <= 2


def test_few_images_raise_no_alarm_however_far_they_are() -> None:
    values = np.zeros(LEAST - 1), np.full(LEAST, 9.0)
    assert [drift.is_alarm for drift in compared([Drift(FEATURES[0], *values)])] == [False]
    (enough,) = compared([Drift(FEATURES[0], np.zeros(LEAST), np.full(LEAST, 9.0))])
    assert enough.is_alarm and enough.distance == 1.0


def test_a_small_distance_is_no_alarm_however_certain() -> None:
    chance = np.random.default_rng(3)
    (drift,) = compared([Drift(FEATURES[2], chance.normal(0, 1, 5000), chance.normal(0.3, 1, 5000))])
    assert drift.p < 1e-9 and drift.distance < 0.25 and not drift.is_alarm


def test_a_new_protocol_in_a_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    (found,) = simulated(tmp_path, 120, shift=True).monitoring(newest=40).modalities
    alarms = {drift.feature.key for drift in found.drifts if drift.is_alarm}
    assert {"slice_mm", "slices", "lungs_ml"} <= alarms and "pixel_mm" not in alarms
    sentence = found.alarms[0]
    assert sentence.startswith("Distance of slices: the median is 1.25 mm in the newest 40 scans and was 5.00 mm")
    assert "in the first 60 (distance of the distributions 1.00, p below 0.0001 after correction)." in sentence
    assert "Ask whether a scanner" in sentence


def test_the_same_protocol_throughout_is_none(tmp_path: Path) -> None:
    (found,) = simulated(tmp_path, 120).monitoring().modalities
    assert found.alarms == [] and found.not_tested() == []


def test_a_patient_is_on_one_side_and_once(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    for number in range(140):
        lungs = {"left": LungInfo(1000.0 + number, 0.0)}
        clinic.screen(replace(scan(f"c{number:03d}"), lungs=lungs), number)
    clinic.patients = {f"c{number:03d}": str(number % 70) for number in range(140)}
    clinic.list_patients()
    drift = drifts_of(clinic.records()["CT"], 40, 30)[PLACE["lungs_ml"]]
    assert drift.first.tolist() == [1000.0 + number for number in range(35)], "half of the patients, their first scans"
    assert drift.newest.tolist() == [1000.0 + number for number in range(110, 140)], "oldest first"


def test_what_new_models_say_is_not_compared_with_what_the_old_ones_said(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    for number in range(100):
        is_new = number >= 60
        regions = (region("r1", INFECTED),) if is_new else ()
        clinic.screen(scan(f"c{number:03d}", regions, version=4 + is_new), number)
    records = clinic.records()["CT"]
    drifts = drifts_of(records, 100, 50)
    assert [drift.distance is None for drift in drifts] == [drift.feature.is_output for drift in drifts]
    (sentence,) = too_few(records, drifts)
    assert "models in use have screened scans of 40 patients" in sentence


def test_a_few_scans_say_how_many_are_needed(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    for number in range(59):
        clinic.screen(film(f"x{number:03d}", size=(500 + 50 * number, 490)), number)
    records = clinic.records()["CXR"]
    assert "X-rays of 59 patients: too few" in too_few(records, drifts_of(records, 100, 50))[0]
    clinic.screen(film("x059"), 60)
    width = drifts_of(clinic.records()["CXR"], 100, 50)[0]
    assert width.feature.key == "width_pixels" and width.is_alarm
