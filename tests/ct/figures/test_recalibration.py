"""Temperatures fitted on validation cases and stored with the same weights."""

from pathlib import Path

import pytest

from pneumoscreen.ct.classifier import MODEL_NAME, ClassifierModel, ClassifierSettings
from pneumoscreen.ct.figures.cohort import CohortResult
from pneumoscreen.ct.figures.recalibration import fit_heads, publish_temperatures
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.metrics.calibration import negative_log_likelihood
from pneumoscreen.models.store import ModelStore

CARD = {"data": "none", "seed": 0, "command": "tests", "figures": {"f1": 0.5}, "licence": "Apache-2.0"}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    model = ClassifierModel.untrained(ClassifierSettings(widths=(8, 8, 8, 8), features=16))
    store = ModelStore(tmp_path)
    store.publish(MODEL_NAME, model.state(), {**CARD, "network": model.card_network()})
    return store


def test_over_confident_patches_get_a_temperature_that_makes_them_likelier(make_cohort):
    cohort = make_cohort(cases=30, sharpness=8.0)
    temperatures = fit_heads(cohort)
    assert set(temperatures) == {"m1", "m2"}
    for head, temperature in temperatures.items():
        assert temperature > 1.5
        before, after = cohort.patch_items(head), cohort.under(temperatures).patch_items(head)
        first, second = (negative_log_likelihood(x.probabilities, x.labels) for x in (before, after))
        assert second < first


def test_the_fit_does_not_depend_on_the_temperature_in_use(make_cohort):
    cohort = make_cohort(cases=12)
    assert fit_heads(cohort.under({"m1": 4.0, "m2": 0.5})) == pytest.approx(fit_heads(cohort), rel=1e-3)


def test_a_new_version_has_the_same_weights_and_says_where_its_temperatures_come_from(store, make_cohort):
    cohort = make_cohort(cases=12, scans=2)
    weights = store.load(MODEL_NAME)
    version = publish_temperatures(store, weights, {"m1": 2.0, "m2": 3.0}, cohort, "pneumoscreen evaluate")
    newest = store.load(MODEL_NAME)
    assert newest.version == version == weights.version + 1
    assert newest.sha256 == weights.sha256
    assert ClassifierModel.load(newest).settings.temperatures == {"m1": 2.0, "m2": 3.0}
    note = newest.card["calibration"]
    assert (note["from_version"], note["validation_patients"], note["validation_cases"]) == (weights.version, 6, 12)
    assert newest.card["figures"] == CARD["figures"]
    # The same temperatures once more are no version.
    assert publish_temperatures(store, newest, {"m1": 2.001, "m2": 3.0}, cohort, "again") is None
    assert store.versions(MODEL_NAME) == [1, 2]


def test_without_patches_there_is_nothing_to_fit(make_cohort):
    cohort = make_cohort(cases=1)
    [outcome] = cohort.outcomes
    bare = type(outcome)(
        **{
            **vars(outcome),
            "true_patches": (),
            "true_regions": (),
            "sizes": (),
            "heads": {
                name: type(head).of(head.uncalibrated[:0], (), 1.0, cohort.classes)
                for name, head in outcome.heads.items()
            },
        }
    )
    with pytest.raises(PneumoScreenError, match="add validation cases"):
        fit_heads(CohortResult((bare,), (), cohort.classes, "m2"))
