"""Grad-CAM on a network whose evidence is known: local, and the brighter the stronger."""

import numpy as np
import pytest
import torch
from tests.cxr.radiographs import class_model
from torch import nn
from torch.nn import functional

from pneumoscreen.case import CXR_CLASSES
from pneumoscreen.cxr.discrimination import DiscriminationModel, DiscriminationSettings
from pneumoscreen.cxr.gradcam import judge

COVID, HEALTHY = CXR_CLASSES.index("covid19"), CXR_CLASSES.index("healthy")
SPOT = (slice(86, 106), slice(24, 44))
"""Of ``spotted``: low, on the left."""


def local_model(pyramid: bool, temperature: float = 1.0) -> DiscriminationModel:
    """Every convolution hands on the mean of its channels where it stands; brightness speaks for COVID-19 alone."""
    settings = DiscriminationSettings(
        size=128,
        superpixels=False,
        pyramid=pyramid,
        widths=(4, 4, 4, 4),
        pyramid_channels=4,
        temperature=temperature,
        mirrored=False,  # the cells of the mirror image lie elsewhere
    )
    model = class_model(settings=settings)
    for module in model.network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.zero_()
            center = tuple(side // 2 for side in module.kernel_size)
            module.weight.data[(slice(None), slice(None), *center)] = 1.0 / module.in_channels
            if module.bias is not None:
                module.bias.data.zero_()
    model.network.classify.weight.data.zero_()
    model.network.classify.bias.data.zero_()
    model.network.classify.weight.data[COVID] = 0.2
    model.network.classify.weight.data[HEALTHY] = -0.2
    return model


def spotted() -> np.ndarray:
    """Dark but for a bright spot, [1, 128, 128]."""
    picture = np.full((1, 128, 128), 0.3, np.float32)
    picture[0][SPOT] = 1.0
    return picture


def random_picture() -> np.ndarray:
    return np.random.default_rng(0).random((2, 32, 32), dtype=np.float32)


@pytest.mark.parametrize("pyramid", [True, False])
def test_it_is_hot_where_the_evidence_lies(pyramid: bool) -> None:
    judgement = judge(spotted(), local_model(pyramid), COVID)
    heat = judgement.gradcam
    assert heat.shape == (128, 128)
    assert heat.dtype == np.float32
    assert (heat.min(), heat.max()) == (0.0, 1.0)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    # The coarsest cell is 32 pixels wide, so that the hottest place may lie half a cell off the spot.
    assert 86 - 16 <= row < 106 + 16
    assert 24 - 16 <= column < 44 + 16
    assert heat[SPOT].mean() > 5.0 * heat[:, 74:].mean()
    assert heat[SPOT].mean() > 5.0 * heat[:56].mean()


def test_the_heat_over_the_picture_is_the_score() -> None:
    """A place is hot by what it adds to the score, whatever the level: on a trunk of seeded random weights."""
    model = class_model(3)
    network = model.network
    network.classify.weight.data.abs_()  # or what is cut off below 0 would have to be known
    picture = np.random.default_rng(0).random((2, 32, 32), dtype=np.float32)
    with torch.no_grad():
        maps = network.maps(network.views(torch.from_numpy(picture)[None]))
    weights = network.classify.weight[COVID].detach().view(len(maps), -1)
    shown = torch.zeros(2, 32, 32)
    for level, weight in zip(maps, weights, strict=True):
        shown += functional.interpolate(
            (weight[:, None, None] * torch.relu(level)).sum(dim=1, keepdim=True), (32, 32), mode="bilinear"
        )[:, 0]
    score = (shown[0] + shown[1].flip(1)).numpy()
    np.testing.assert_allclose(judge(picture, model, COVID).gradcam, score / score.max(), atol=1e-5)


@pytest.mark.parametrize("level", range(4))
def test_every_level_counts_by_what_it_adds_to_the_score(level: int) -> None:
    """On an even picture a level that speaks against as loudly as the others for leaves nothing, and no less."""
    model = local_model(True)
    even = np.full((1, 128, 128), 0.8, np.float32)
    with torch.no_grad():
        maps = model.network.maps(torch.from_numpy(even)[None])
    means = np.array([float(found.mean()) for found in maps])
    against = (means.sum() - means[level]) / means[level]
    columns = slice(4 * level, 4 * level + 4)
    weights = model.network.classify.weight.data[COVID]
    weights[columns] = -0.2 * 1.01 * against
    assert judge(even, model, COVID).gradcam.max() == 0.0
    weights[columns] = -0.2 * 0.99 * against
    assert judge(even, model, COVID).gradcam.min() > 0.0


def test_the_spot_moves_and_the_heat_follows() -> None:
    model = local_model(True)
    there = np.ascontiguousarray(spotted()[:, ::-1, ::-1])
    row, column = np.unravel_index(judge(there, model, COVID).gradcam.argmax(), (128, 128))
    assert row < 64 < column


def test_the_heat_of_the_mirror_image_is_turned_back() -> None:
    picture = random_picture()
    heat = judge(picture, class_model(), COVID).gradcam
    mirrored = judge(np.ascontiguousarray(picture[..., ::-1]), class_model(), COVID).gradcam
    np.testing.assert_allclose(mirrored[:, ::-1], heat, atol=1e-4)
    assert np.abs(heat - heat[:, ::-1]).max() > 0.05  # or turning back would show nothing


def test_where_nothing_speaks_for_a_class_nothing_is_hot() -> None:
    judgement = judge(spotted(), local_model(True), HEALTHY)
    assert not judgement.gradcam.any()
    assert np.isfinite(judgement.gradcam).all()


def test_the_likeliest_class_is_shown_unless_one_is_named() -> None:
    model = local_model(True)
    judgement = judge(spotted(), model)
    assert judgement.probabilities.argmax() == COVID
    np.testing.assert_array_equal(judgement.gradcam, judge(spotted(), model, COVID).gradcam)
    assert judge(spotted(), model, HEALTHY).probabilities.argmax() == COVID


@pytest.mark.parametrize("pyramid", [True, False])
def test_probabilities_are_those_of_the_discriminator(pyramid: bool) -> None:
    settings = DiscriminationSettings(
        size=32, widths=(4, 4, 4, 4), pyramid_channels=4, pyramid=pyramid, temperature=1.6
    )
    model = class_model(5, settings)
    found = judge(random_picture(), model).probabilities
    np.testing.assert_allclose(found, model.discriminate(random_picture()[None])[0], atol=1e-6)


def test_features_are_what_the_classes_are_read_from() -> None:
    model = class_model(5)
    features = judge(random_picture(), model).features
    assert features.shape == (16,)  # four levels of four channels
    with torch.no_grad():
        logits = model.network.classify(torch.from_numpy(features)[None])
    np.testing.assert_allclose(model.probabilities(logits), model.discriminate(random_picture()[None]), atol=1e-6)


def test_judging_leaves_the_network_alone() -> None:
    model = class_model()
    before = {name: tensor.clone() for name, tensor in model.state().items()}
    judge(random_picture(), model, draws=3)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state().items())
    assert all(weight.grad is None for weight in model.network.parameters())
    assert not model.network.training


class TestDraws:
    def test_the_same_seed_gives_the_same_draws(self) -> None:
        model = class_model()
        first = judge(random_picture(), model, draws=6, seed=2).samples
        torch.rand(5)  # torch's own numbers do not matter
        np.testing.assert_array_equal(judge(random_picture(), model, draws=6, seed=2).samples, first)
        assert np.abs(judge(random_picture(), model, draws=6, seed=3).samples - first).max() > 1e-6

    def test_rows_are_probabilities_that_differ(self) -> None:
        samples = judge(random_picture(), class_model(), draws=6).samples
        assert samples.shape == (6, 3)
        np.testing.assert_allclose(samples.sum(axis=1), 1.0)
        assert len(np.unique(samples[:, 0])) > 1

    def test_none_by_default(self) -> None:
        assert judge(random_picture(), class_model()).samples.shape == (0, 3)

    @pytest.mark.parametrize("dropout", [0.0, 0.5])
    def test_their_mean_logit_is_the_logit(self, dropout: float) -> None:
        """What is left after dropout is made up for, also for weights that were trained without any."""
        settings = DiscriminationSettings(size=32, widths=(4, 4, 4, 4), pyramid_channels=4, dropout=dropout)
        model = class_model(1, settings)
        model.network.classify.weight.data *= 10.0
        judgement = judge(random_picture(), model, draws=20_000)
        differences = np.log(judgement.samples[:, 0] / judgement.samples[:, 1])
        expected = np.log(judgement.probabilities[0] / judgement.probabilities[1])
        error = differences.std() / np.sqrt(len(differences))
        assert differences.std() > 0.05
        assert abs(differences.mean() - expected) < 5.0 * error
