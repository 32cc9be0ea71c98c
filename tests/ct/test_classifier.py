"""M1 and M2: the shape that the paper gives them, what they look at, and their way through the model store."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from pneumoscreen.ct.classifier import (
    AppearanceHead,
    ClassifierModel,
    ClassifierNetwork,
    ClassifierSettings,
    LocationAttentionHead,
    classify,
)
from pneumoscreen.ct.patches import PatchImage
from pneumoscreen.errors import ModelError
from pneumoscreen.models.store import ModelStore

SMALL = ClassifierSettings(widths=(8, 16, 16, 32))
CARD = {"data": "none", "seed": 0, "command": "test", "figures": {}, "licence": "Apache-2.0"}


def patches(count: int, seed: int = 0) -> list[PatchImage]:
    rng = np.random.default_rng(seed)
    return [PatchImage(i, rng.random((64, 64), dtype=np.float32), float(rng.uniform(0, 0.4))) for i in range(count)]


@pytest.fixture(scope="module")
def model() -> ClassifierModel:
    return ClassifierModel.untrained(SMALL, seed=3)


class TestPublishedShape:
    def test_the_trunk_is_a_resnet_18_with_256_features(self) -> None:
        network = ClassifierNetwork(ClassifierSettings())
        convolutions = [m for m in network.trunk.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
        assert len(convolutions) == 17  # the 18th layer of a ResNet-18 is the fully connected one
        assert network.trunk(torch.zeros(1, 1, 64, 64)).shape == (1, 256)

    def test_m1_is_16_then_the_classes(self) -> None:
        linear = [m for m in AppearanceHead(256, 16, 3).modules() if isinstance(m, nn.Linear)]
        assert [(m.in_features, m.out_features) for m in linear] == [(256, 16), (16, 3)]

    def test_m2_is_16_and_the_distance_then_three_layers(self) -> None:
        linear = [m for m in LocationAttentionHead(256, 16, 3).modules() if isinstance(m, nn.Linear)]
        assert [(m.in_features, m.out_features) for m in linear] == [(256, 16), (17, 17), (17, 17), (17, 3)]

    @pytest.mark.parametrize("heads", [("m1",), ("m2",)])
    def test_one_head_alone_is_the_papers_network(self, heads: tuple[str, ...]) -> None:
        network = ClassifierNetwork(ClassifierSettings.model_validate({"heads": heads, "widths": SMALL.widths}))
        assert tuple(network(torch.zeros(2, 1, 64, 64), torch.zeros(2))) == heads


class TestClassify:
    def test_rows_are_probabilities(self, model: ClassifierModel) -> None:
        found = classify(patches(70), model)
        assert found.shape == (70, 3)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
        assert (found > 0).all()

    def test_no_patch_gives_no_row(self, model: ClassifierModel) -> None:
        assert classify([], model).shape == (0, 3)

    def test_a_patch_is_judged_alone(self, model: ClassifierModel) -> None:
        some = patches(5)
        alone = np.concatenate([classify([patch], model) for patch in some])
        np.testing.assert_allclose(classify(some, model), alone, atol=1e-5)

    def test_only_m2_sees_the_distance(self, model: ClassifierModel) -> None:
        near = patches(4)
        far = [PatchImage(p.z, p.pixels, p.distance_from_edge + 0.1) for p in near]
        np.testing.assert_array_equal(classify(near, model, "m1"), classify(far, model, "m1"))
        assert np.abs(classify(near, model, "m2") - classify(far, model, "m2")).max() > 1e-4

    def test_m2_speaks_unless_told_otherwise(self, model: ClassifierModel) -> None:
        np.testing.assert_array_equal(classify(patches(3), model), classify(patches(3), model, "m2"))

    def test_a_head_that_was_not_trained_is_refused(self) -> None:
        alone = ClassifierModel.untrained(ClassifierSettings(heads=("m1",), widths=SMALL.widths))
        assert classify(patches(2), alone).shape == (2, 3)
        with pytest.raises(ModelError, match="hold m1, not m2"):
            classify(patches(2), alone, "m2")

    def test_twice_gives_the_same(self, model: ClassifierModel) -> None:
        np.testing.assert_array_equal(classify(patches(9), model), classify(patches(9), model))

    def test_the_scale_of_the_distance_is_that_of_the_training_set(self) -> None:
        network = ClassifierNetwork(SMALL)
        network.set_distance_scale(np.array([0.0, 0.1, 0.2]))
        head = network.heads["m2"]
        assert isinstance(head, LocationAttentionHead)
        assert float(head.distance_mean) == pytest.approx(0.1)
        assert float(head.distance_std) == pytest.approx(np.std([0.0, 0.1, 0.2]))


class TestStore:
    def test_published_weights_classify_alike(self, model: ClassifierModel, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        store.publish("ct_classifier", model.state(), {**CARD, "network": model.card_network()})
        again = ClassifierModel.load(store.load("ct_classifier"))
        assert again.settings == model.settings
        np.testing.assert_allclose(classify(patches(20), again), classify(patches(20), model), atol=0.01)

    @pytest.mark.parametrize("network", [{"widths": [8, 16, 16, 64]}, {"heads": ["m3"]}, {"depth": 3}, {}, None])
    def test_a_card_that_does_not_fit_is_refused(
        self, network: dict[str, object] | None, model: ClassifierModel, tmp_path: Path
    ) -> None:
        store = ModelStore(tmp_path)
        store.publish("ct_classifier", model.state(), {**CARD, "network": network})
        with pytest.raises(ModelError, match="ct_classifier version 1 is no patch classifier"):
            ClassifierModel.load(store.load("ct_classifier"))

    def test_the_classes_travel_with_the_weights(self, tmp_path: Path) -> None:
        site = ClassifierSettings.model_validate(
            {"classes": {"infections": ["rsv", "hmpv", "adenovirus"], "irrelevant": "other", "none_found": "clear"},
             "widths": SMALL.widths}
        )  # fmt: skip
        store = ModelStore(tmp_path)
        trained = ClassifierModel.untrained(site)
        store.publish("ct_classifier", trained.state(), {**CARD, "network": trained.card_network()})
        again = ClassifierModel.load(store.load("ct_classifier"))
        assert again.classes.patch_labels == ("rsv", "hmpv", "adenovirus", "other")
        assert classify(patches(2), again).shape == (2, 4)


@pytest.mark.parametrize(
    "values",
    [{"heads": []}, {"heads": ["m1", "m1"]}, {"classes": {"infections": ["a", "a"]}}, {"features": 0}, {"x": 1}],
)
def test_settings_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClassifierSettings.model_validate(values)
