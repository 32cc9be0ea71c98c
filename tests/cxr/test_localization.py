"""Step 4: one network for both lungs, its attention, and what two answers say together."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from tests.cxr.radiographs import BOXES, TINY_SIDES, class_model, mirrored, side_model, uneven

from pneumoscreen.case import CXR_LOCATIONS
from pneumoscreen.cxr.localization import (
    HEIGHT,
    WIDTH,
    AttentionModule,
    LocalizationModel,
    LocalizationNetwork,
    LocalizationSettings,
    OpacityCalibration,
    as_it_lies,
    lung_of,
)
from pneumoscreen.cxr.photograph_lungs import CHANNELS
from pneumoscreen.cxr.sampling import cut, equalised
from pneumoscreen.errors import ModelError
from pneumoscreen.models.store import ModelStore
from pneumoscreen.xray_findings import location_of

CARD = {"data": "none", "seed": 0, "command": "test", "figures": {}, "licence": "Apache-2.0"}


def lungs(count: int = 4) -> np.ndarray:
    return np.random.default_rng(1).random((count, HEIGHT, WIDTH), dtype=np.float32)


class TestLungs:
    def test_a_left_lung_is_the_right_lung_of_the_mirror_image(self) -> None:
        radiograph = uneven()
        width = radiograph.pixels.shape[1]
        x, y, w, h = BOXES["left"]
        there = (width - x - w, y, w, h)
        left = lung_of(radiograph, BOXES["left"], "left", TINY_SIDES)
        np.testing.assert_allclose(left, lung_of(mirrored(radiograph), there, "right", TINY_SIDES), atol=1e-6)
        assert np.abs(left - lung_of(radiograph, BOXES["left"], "right", TINY_SIDES)).max() > 0.1

    def test_a_right_lung_is_cut_as_it_lies(self) -> None:
        radiograph = uneven()
        lung = lung_of(radiograph, (40.0, 10.0, float(WIDTH), float(HEIGHT)), "right", TINY_SIDES)
        np.testing.assert_allclose(lung, radiograph.pixels[10 : 10 + HEIGHT, 40 : 40 + WIDTH], atol=1e-6)

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_a_mask_lies_as_its_lung_does(self, side: str) -> None:
        radiograph = uneven()
        box = BOXES[side]
        np.testing.assert_array_equal(
            as_it_lies(lung_of(radiograph, box, side, TINY_SIDES), side), lung_of(radiograph, box, "right", TINY_SIDES)
        )
        mask = lungs(1)[0]
        np.testing.assert_array_equal(as_it_lies(as_it_lies(mask, side), side), mask)

    @pytest.mark.parametrize(
        ("infected", "location"),
        [
            ((True, True), "bipulmonary"),
            ((True, False), "left"),
            ((False, True), "right"),
            ((False, False), "none"),
        ],
    )
    def test_location_of_both_answers(self, infected: tuple[bool, bool], location: str) -> None:
        assert location_of(infected) == location
        assert location in CXR_LOCATIONS


class TestAttention:
    @torch.no_grad()
    def test_h_is_1_and_m_times_f(self) -> None:
        module = AttentionModule(4, attention=True).eval()
        x = torch.rand(2, 4, 16, 8)
        seen, mask = module(x)
        assert seen.shape == mask.shape == x.shape
        assert 0.0 < float(mask.min()) <= float(mask.max()) < 1.0
        torch.testing.assert_close(seen, (1.0 + mask) * module.trunk(x))

    def test_without_attention_h_is_f(self) -> None:
        module = AttentionModule(4, attention=False).eval()
        x = torch.rand(2, 4, 16, 8)
        seen, mask = module(x)
        torch.testing.assert_close(seen, module.trunk(x))
        assert not mask.any()
        assert not any(name.startswith(("mask", "down", "deep")) for name in module.state_dict())


class TestNetwork:
    def test_one_logit_and_one_mask_a_lung(self) -> None:
        network = LocalizationNetwork(LocalizationSettings()).eval()
        logits, masks = network(torch.zeros(3, 1, HEIGHT, WIDTH))
        assert logits.shape == (3,)
        assert masks.shape == (3, HEIGHT, WIDTH)

    @pytest.mark.parametrize("attention", [True, False])
    def test_masks_and_probabilities_lie_in_0_to_1(self, attention: bool) -> None:
        model = side_model(settings=TINY_SIDES.model_copy(update={"attention": attention}))
        judged = model.localise(lungs())
        found, masks = judged.probabilities, judged.masks
        assert found.shape == (4,)
        assert masks.shape == (4, HEIGHT, WIDTH)
        assert ((found > 0) & (found < 1)).all()
        assert 0.0 <= masks.min() <= masks.max() <= 1.0
        assert bool(masks.any()) is attention

    def test_a_lung_is_judged_alone(self) -> None:
        model = side_model()
        judged = model.localise(lungs())
        found, masks = judged.probabilities, judged.masks
        for number, lung in enumerate(lungs()):
            alone = model.localise(lung[None])
            assert alone.probabilities[0] == pytest.approx(found[number], abs=1e-5)
            np.testing.assert_allclose(alone.masks[0], masks[number], atol=1e-5)
            np.testing.assert_allclose(alone.gradcam[0], judged.gradcam[number], atol=1e-5)

    def test_the_temperature_divides_the_logit(self) -> None:
        plain = side_model().localise(lungs()).probabilities
        hot = side_model(settings=TINY_SIDES.model_copy(update={"temperature": 4.0})).localise(lungs()).probabilities
        np.testing.assert_allclose(np.log(hot / (1 - hot)) * 4.0, np.log(plain / (1 - plain)), atol=1e-9)


class TestGradcam:
    @pytest.mark.parametrize("trunk", ["residual", "efficientnet_lite0"])
    def test_a_lung_is_as_warm_as_it_is_likely_to_be_infected(
        self, trunk: Literal["residual", "efficientnet_lite0"]
    ) -> None:
        settings = TINY_SIDES.model_copy(update={"trunk": trunk, "size": (32, 64)})
        judged = side_model(settings=settings).localise(np.random.default_rng(1).random((3, 64, 32), dtype=np.float32))
        assert judged.gradcam.shape == judged.masks.shape == (3, 64, 32)
        np.testing.assert_allclose(judged.gradcam.max(axis=(1, 2)), judged.probabilities, atol=1e-5)
        assert judged.gradcam.min() >= 0.0

    def test_it_is_warm_where_the_evidence_lies(self) -> None:
        model = side_model(settings=TINY_SIDES.model_copy(update={"trunk": "efficientnet_lite0", "size": (32, 64)}))
        parts = model.network.photographs
        for layer, value in ((parts.head.mask, 0.0), (parts.head.classify, 0.0)):
            layer.weight.data.fill_(value)
            layer.bias.data.zero_()
        parts.head.classify.weight.data[0, 0] = 1.0  # the mean of the first channel alone speaks
        maps = torch.zeros(1, CHANNELS, 4, 2)
        maps[0, 0, 3, 0] = 1.0
        maps[0, 0, 0, 1] = -1.0
        maps[0, 1, 0, 0] = 5.0
        parts.maps = lambda lungs: maps
        parts.head.norm = torch.nn.Identity()
        heat = model.localise(np.zeros((1, 64, 32), np.float32)).gradcam[0]
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert row >= 48
        assert column < 16
        assert not heat[:24].any()

    def test_where_nothing_speaks_for_it_nothing_is_warm(self) -> None:
        model = side_model(settings=TINY_SIDES)
        model.network.classify.weight.data.zero_()
        assert not model.localise(lungs()).gradcam.any()


class TestPhotographs:
    SETTINGS = LocalizationSettings(size=(32, 64), trunk="efficientnet_lite0", equalised=True, margin=0.1)

    def test_the_state_holds_what_was_learnt_and_nothing_of_imagenet(self) -> None:
        state = side_model(settings=self.SETTINGS).state()
        assert state
        assert all(name.startswith("photographs.head.") for name in state)
        assert sum(tensor.numel() for tensor in state.values()) < 50_000

    def test_what_learnt_lungs_is_part_of_the_state_and_comes_back(self, tmp_path: Path) -> None:
        settings = self.SETTINGS.model_copy(update={"tuned_stages": 2})
        model = side_model(1, settings)
        parts = model.network.photographs
        with torch.no_grad():
            for part in parts.trunk.tuned_parameters():
                part.add_(0.01)
        state = model.state()
        stages = {name.split(".")[3] for name in state if ".trunk." in name}
        assert stages == {"5", "6"}
        tuned = sum(name[7] in "56" for name, _ in parts.trunk.named_parameters())
        assert len(parts.trunk.tuned_parameters()) == tuned
        ModelStore(tmp_path).publish("cxr_localization", state, {"network": model.card_network(), **CARD})
        back = LocalizationModel.load(ModelStore(tmp_path).load("cxr_localization"))
        seen = np.random.default_rng(0).random((2, 64, 32), dtype=np.float32)
        np.testing.assert_allclose(back.localise(seen).probabilities, model.localise(seen).probabilities, atol=1e-2)
        assert (
            np.abs(side_model(1, self.SETTINGS).localise(seen).probabilities - model.localise(seen).probabilities).max()
            > 0.02
        )

    def test_it_comes_back_from_a_store_with_the_trunk_of_the_program(self, tmp_path: Path) -> None:
        model = side_model(1, self.SETTINGS)
        ModelStore(tmp_path).publish("cxr_localization", model.state(), {"network": model.card_network(), **CARD})
        back = LocalizationModel.load(ModelStore(tmp_path).load("cxr_localization"))
        seen = np.random.default_rng(0).random((2, 64, 32), dtype=np.float32)
        judged = back.localise(seen)
        found, masks = judged.probabilities, judged.masks
        assert masks.shape == (2, 64, 32)
        np.testing.assert_allclose(found, model.localise(seen).probabilities, atol=1e-3)

    def test_weights_without_a_head_are_refused(self) -> None:
        with pytest.raises(RuntimeError, match=r"photographs\.head\.classify\.weight"):
            side_model(settings=self.SETTINGS).network.load_state_dict({})

    def test_the_trunk_learns_nothing(self) -> None:
        network = side_model(settings=self.SETTINGS).network.train()
        logits, _ = network(torch.rand(4, 1, 64, 32))
        logits.sum().backward()
        taught = {name for name, value in network.named_parameters() if value.grad is not None}
        assert taught == {name for name, _ in network.named_parameters() if ".head." in name}

    def test_h_is_1_and_m_times_f(self) -> None:
        head = side_model(settings=self.SETTINGS).network.photographs.head.eval()
        maps = torch.rand(2, CHANNELS, 4, 2)
        with torch.no_grad():
            normal = head.norm(maps)
            expected = (1.0 + torch.sigmoid(head.mask(normal))) * normal
            logits, shown = head(normal)
        assert shown.shape == (2, 4, 2)
        weights, bias = head.classify.weight[0], head.classify.bias[0]
        m = torch.sigmoid(shown)
        seen = torch.cat(
            [
                expected.mean(dim=(2, 3)),
                expected.amax(dim=(2, 3)),
                m.mean(dim=(1, 2))[:, None],
                m.amax(dim=(1, 2))[:, None],
            ],
            dim=1,
        )
        torch.testing.assert_close(logits, seen @ weights + bias)

    def test_a_lung_is_cut_with_its_margin_and_equalised(self) -> None:
        radiograph = uneven()
        x, y, w, h = BOXES["right"]
        grown = (x - 0.1 * w, y - 0.1 * h, 1.2 * w, 1.2 * h)
        lung = lung_of(radiograph, BOXES["right"], "right", self.SETTINGS)
        np.testing.assert_array_equal(lung, equalised(cut(radiograph.pixels, grown, (32, 64))))
        assert 0.45 < lung.mean() < 0.55

    def test_a_mask_is_shown_without_the_margin(self) -> None:
        mask = np.zeros((120, 60), np.float32)
        mask[10:110, 5:55] = 1.0
        assert as_it_lies(mask, "left", 0.1).shape == (100, 50)
        assert as_it_lies(mask, "left", 0.1).min() == 1.0


def test_a_calibration_makes_logits_probabilities() -> None:
    known = OpacityCalibration(intercept=-1.0, slope=2.0, calibrated_on="lungs")
    model = side_model(settings=TINY_SIDES.model_copy(update={"opacity": known, "temperature": 5.0}))
    assert model.probabilities(torch.tensor([0.5, 1.0]))[0] == pytest.approx(0.5)
    assert model.probabilities(torch.tensor([0.5, 1.0]))[1] == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert model.calibration is not None
    assert model.calibration.calibrated_on == "lungs"
    assert side_model().calibration is None


class TestStore:
    def test_a_published_network_comes_back(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        settings = LocalizationSettings(widths=(4, 6), temperature=2.0)
        model = side_model(3, settings)
        store.publish("cxr_localization", model.state(), {"network": model.card_network(), **CARD})
        back = LocalizationModel.load(store.load("cxr_localization"))
        assert back.settings == settings
        np.testing.assert_allclose(
            back.localise(lungs()).probabilities, model.localise(lungs()).probabilities, atol=1e-3
        )

    def test_another_networks_card_is_refused(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        other = class_model()
        store.publish("cxr_localization", other.state(), {"network": other.card_network(), **CARD})
        with pytest.raises(ModelError, match="cxr_localization version 1 is no radiograph localiser"):
            LocalizationModel.load(store.load("cxr_localization"))
