"""Tuning of the localiser: it learns, it is repeatable, what is frozen stays, and no patient judges itself."""

import itertools

import numpy as np
import pytest
import torch

from pneumoscreen.cxr.efficientnet import EfficientNetLite0
from pneumoscreen.cxr.learning.lung_pictures import SIZE, LungPicture, LungPictures
from pneumoscreen.cxr.learning.lung_tuning import Teaching, TuningSettings, folds_of, judged_by_others, logits_of, tuned
from pneumoscreen.cxr.localization import LocalizationModel, LocalizationSettings

NETWORK = LocalizationSettings(trunk="efficientnet_lite0", tuned_stages=2, size=(32, 64), equalised=True, margin=0.05)
TEACHING = Teaching(tuning=TuningSettings(epochs=2, batch=8, folds=2, learning_rate=1e-3))


def lungs(count: int = 24, told: bool = True) -> LungPictures:
    """Lungs of noise with a bright spot where they are infected; without ``told`` the truth is chance."""
    generator = np.random.default_rng(2)
    found = []
    for number in range(count):
        infected = bool(generator.random() < 0.5)
        pixels = (
            generator.integers(40, 120, (SIZE[1] // 16, SIZE[0] // 16)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
        )
        opacity = np.zeros_like(pixels)
        if infected and told:
            pixels[240:400, 120:220] = 220
            opacity[240:400, 120:220] = 255
        box = (60.0, 120.0, 200.0, 400.0)
        film, patient = f"film-{number // 2}", f"patient-{number // 4}"
        found.append(LungPicture(pixels, opacity, box, infected, True, 1.0, film, patient))
    return LungPictures.of(found)


def quiet(line: str) -> None:
    """Nothing is said."""


@pytest.fixture(scope="module")
def model() -> LocalizationModel:
    return tuned(NETWORK, lungs(), TEACHING, quiet)


def test_it_learns_what_is_there(model: LocalizationModel) -> None:
    given = lungs()
    found = logits_of(model, given)
    assert found[given.infected].min() > found[~given.infected].max()


def test_the_last_stages_learn_and_the_first_ones_stay(model: LocalizationModel) -> None:
    before = EfficientNetLite0()
    before.load_imagenet()
    after = dict(model.network.photographs.trunk.named_parameters())
    changed = {name.split(".")[1] for name, part in before.named_parameters() if not torch.equal(part, after[name])}
    assert changed == {"5", "6"}


def test_twice_is_the_same_whatever_was_drawn_before(model: LocalizationModel) -> None:
    torch.rand(7)
    again = tuned(NETWORK, lungs(), TEACHING, quiet)
    for name, value in model.state().items():
        torch.testing.assert_close(again.state()[name], value, msg=name)


def test_without_epochs_the_trunk_stays() -> None:
    still = Teaching(tuning=TuningSettings(epochs=0))
    trunk = tuned(NETWORK, lungs(), still, quiet).network.photographs.trunk
    before = EfficientNetLite0()
    before.load_imagenet()
    after = {**dict(trunk.named_parameters()), **dict(trunk.named_buffers())}
    assert all(torch.equal(part, after[name]) for name, part in before.state_dict().items())


def test_no_patient_lies_in_two_folds() -> None:
    given = lungs()
    folds = folds_of(given.patients.tolist(), TEACHING.tuning)
    assert set(folds.tolist()) == {0, 1}
    for patient in set(given.patients.tolist()):
        assert len(set(folds[given.patients == patient].tolist())) == 1


def test_a_fold_is_judged_by_what_saw_none_of_its_patients() -> None:
    given = lungs()
    folds = folds_of(given.patients.tolist(), TEACHING.tuning)
    found = judged_by_others(NETWORK, given, TEACHING, 1, quiet)
    others = tuned(NETWORK, given.only(folds != 1), TEACHING, quiet)
    np.testing.assert_allclose(found, logits_of(others, given.only(folds == 1)), atol=1e-5)


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [TuningSettings().rate(step, 100) for step in range(101)]
    assert rates[0] < rates[4]
    assert max(rates) <= 1.0
    assert rates[100] == pytest.approx(0.0, abs=1e-9)
    assert all(before > after for before, after in itertools.pairwise(rates[5:]))
