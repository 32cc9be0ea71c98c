"""Step 1: offsets against anchors, shares against pixels, and what cannot be two lungs is refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.cxr.radiographs import BOXES, CONTENT, TINY_BOXES, box_model, side_model, uneven

from pneumoscreen.cxr.lung_boxes import (
    LungBoxModel,
    LungBoxNetwork,
    LungBoxSettings,
    box_iou,
    corners,
    decode,
    encode,
    find_lung_boxes,
    picture_of,
    to_pixels,
    to_shares,
)
from pneumoscreen.errors import ModelError, NoLungsError
from pneumoscreen.models.store import ModelStore

CARD = {"data": "none", "seed": 0, "command": "test", "figures": {}, "licence": "Apache-2.0"}

places = st.floats(0.0, 1.0)
sizes = st.floats(0.05, 1.2)
share_boxes = st.tuples(places, places, sizes, sizes)


class TestOffsets:
    @given(share_boxes, share_boxes)
    def test_decoding_undoes_encoding(self, box: tuple[float, ...], anchor: tuple[float, ...]) -> None:
        boxes, anchors = torch.tensor(box, dtype=torch.float64), torch.tensor(anchor, dtype=torch.float64)
        torch.testing.assert_close(decode(encode(boxes, anchors), anchors), boxes)

    @given(st.tuples(*[st.floats(-3.9, 3.9)] * 4), share_boxes)
    def test_encoding_undoes_decoding(self, offset: tuple[float, ...], anchor: tuple[float, ...]) -> None:
        offsets, anchors = torch.tensor(offset, dtype=torch.float64), torch.tensor(anchor, dtype=torch.float64)
        torch.testing.assert_close(encode(decode(offsets, anchors), anchors), offsets, atol=1e-9, rtol=1e-7)

    def test_by_hand(self) -> None:
        box, anchor = torch.tensor([0.5, 0.6, 0.2, 0.8]), torch.tensor([0.3, 0.5, 0.4, 0.4])
        torch.testing.assert_close(encode(box, anchor), torch.tensor([0.5, 0.25, -math.log(2), math.log(2)]))

    def test_no_offset_is_the_anchor(self) -> None:
        anchors = torch.tensor([[0.7, 0.5, 0.35, 0.7], [0.3, 0.5, 0.35, 0.7]])
        torch.testing.assert_close(decode(torch.zeros(5, 2, 4), anchors), anchors.expand(5, 2, 4))

    def test_a_wild_offset_gives_a_finite_box(self) -> None:
        anchor = torch.tensor([0.5, 0.5, 0.4, 0.4])
        assert torch.isfinite(decode(torch.tensor([0.0, 0.0, 500.0, -500.0]), anchor)).all()


class TestIou:
    @pytest.mark.parametrize(
        ("second", "expected"),
        [
            ((0.5, 0.5, 0.4, 0.4), 1.0),
            ((0.7, 0.5, 0.4, 0.4), 0.08 / 0.24),  # half of each is shared
            ((0.7, 0.7, 0.4, 0.4), 0.04 / 0.28),
            ((0.5, 0.5, 0.2, 0.4), 0.5),  # inside
            ((0.9, 0.5, 0.4, 0.4), 0.0),  # side by side
            ((0.95, 0.95, 0.1, 0.1), 0.0),  # apart in both directions
        ],
    )
    def test_by_hand(self, second: tuple[float, ...], expected: float) -> None:
        first = torch.tensor([0.5, 0.5, 0.4, 0.4], dtype=torch.float64)
        other = torch.tensor(second, dtype=torch.float64)
        assert float(box_iou(first, other)) == pytest.approx(expected, abs=1e-12)
        assert float(box_iou(other, first)) == pytest.approx(expected, abs=1e-12)

    @given(share_boxes, share_boxes)
    def test_lies_between_0_and_1(self, first: tuple[float, ...], second: tuple[float, ...]) -> None:
        a, b = torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64)
        assert 0.0 <= float(box_iou(a, b)) <= 1.0 + 1e-9
        assert float(box_iou(a, a)) == pytest.approx(1.0)

    def test_a_model_compares_each_lung_with_its_own(self) -> None:
        model = box_model()
        truth = model.anchors.clone()[None]
        truth[0, 1, 0] += truth[0, 1, 2] / 2  # the right lung half a width off
        torch.testing.assert_close(model.iou(torch.zeros(1, 2, 4), truth), torch.tensor([[1.0, 1.0 / 3.0]]))


class TestPixels:
    def test_shares_are_of_the_content_not_of_the_picture(self) -> None:
        x, y, w, h = CONTENT
        shares = to_shares((x + w / 4, y + h / 2, w / 2, h / 4), uneven())
        np.testing.assert_allclose(shares, [0.5, 0.625, 0.5, 0.25])

    @given(
        st.tuples(st.floats(12, 140), st.floats(8, 100)),
        st.tuples(st.floats(1, 45), st.floats(1, 45)),
    )
    @settings(deadline=None)
    def test_pixels_undo_shares(self, corner: tuple[float, float], size: tuple[float, float]) -> None:
        box = (*(round(v, 1) for v in corner), *(round(v, 1) for v in size))
        np.testing.assert_allclose(to_pixels(to_shares(box, uneven()), uneven()), box, atol=0.051)

    def test_a_box_beyond_the_edge_ends_at_the_picture(self) -> None:
        radiograph = uneven()
        rows, columns = radiograph.pixels.shape
        assert to_pixels(np.array([0.5, 0.5, 3.0, 3.0]), radiograph) == (0.0, 0.0, columns, rows)
        x, y, w, h = to_pixels(np.array([5.0, 5.0, 0.1, 0.1]), radiograph)
        assert (x, y, w, h) == (columns - 1, rows - 1, 1.0, 1.0)

    def test_the_network_sees_the_content_and_no_border(self) -> None:
        seen = picture_of(uneven(), TINY_BOXES)
        assert seen.shape == (32, 32)
        assert seen.min() > 0.1  # the border is black
        x, y, w, h = CONTENT
        grey = uneven().pixels[y : y + h, x : x + w]
        upper, left = grey[: h // 2].mean() - grey[h // 2 :].mean(), grey[:, : w // 2].mean() - grey[:, w // 2 :].mean()
        assert seen[:16].mean() - seen[16:].mean() == pytest.approx(upper, abs=0.01)
        assert seen[:, :16].mean() - seen[:, 16:].mean() == pytest.approx(left, abs=0.01)


class TestNetwork:
    def test_two_lungs_with_four_offsets_each(self) -> None:
        assert LungBoxNetwork(LungBoxSettings()).eval()(torch.zeros(3, 1, 128, 128)).shape == (3, 2, 4)
        assert LungBoxNetwork(TINY_BOXES)(torch.zeros(2, 1, 32, 32)).shape == (2, 2, 4)

    def test_the_convolutions_are_those_of_vgg_11(self) -> None:
        layers = list(LungBoxNetwork(LungBoxSettings()).stages.modules())
        convolutions = [m for m in layers if isinstance(m, torch.nn.Conv2d)]
        assert [m.out_channels for m in convolutions] == [16, 32, 64, 64, 96, 96, 128, 128]
        assert sum(isinstance(m, torch.nn.MaxPool2d) for m in layers) == 5

    @pytest.mark.parametrize("anchor", [(0.7, 0.5, 0.35, 0.7), (0.85, 0.45, 0.26, 0.84)])
    def test_heatmaps_that_say_nothing_give_the_anchors(self, anchor: tuple[float, ...]) -> None:
        anchors = {"left": anchor, "right": (1.0 - anchor[0], *anchor[1:])}
        network = LungBoxNetwork(LungBoxSettings.model_validate({"anchors": anchors}))
        network.read[-1].weight.data.zero_()
        network.read[-1].bias.data.zero_()
        found = network.eval()(torch.rand(2, 1, 128, 128))
        torch.testing.assert_close(found, torch.zeros(2, 2, 4), atol=1e-5, rtol=0)

    def test_a_trunk_that_learnt_photographs_gives_the_anchors_and_is_no_part_of_the_state(self) -> None:
        settings = LungBoxSettings(size=64, trunk="efficientnet_lite0", features=8)
        model = LungBoxModel.untrained(settings, 3)
        assert {name.split(".")[0] for name in model.state()} == {"narrow", "read"}
        back = LungBoxModel.untrained(settings, 4)
        back.network.load_state_dict(model.state())
        picture = np.random.default_rng(0).random((1, 64, 64), dtype=np.float32)
        np.testing.assert_array_equal(back.boxes(picture), model.boxes(picture))
        model.network.read[-1].weight.data.zero_()
        model.network.read[-1].bias.data.zero_()
        np.testing.assert_allclose(model.boxes(picture)[0], model.anchors.numpy(), atol=1e-5)

    def test_a_training_leaves_what_photographs_taught_as_it_is(self) -> None:
        network = LungBoxNetwork(LungBoxSettings(size=64, trunk="efficientnet_lite0", features=8)).train()
        before = {name: tensor.clone() for name, tensor in network.trunk.named_buffers()}
        network(torch.rand(4, 1, 64, 64)).sum().backward()
        assert all(part.grad is None for part in network.trunk.parameters())
        assert all(torch.equal(tensor, before[name]) for name, tensor in network.trunk.named_buffers())
        assert all(part.grad is not None for part in network.narrow.parameters())

    def test_a_heatmap_with_one_place_gives_the_edge_there(self) -> None:
        network = LungBoxNetwork(LungBoxSettings())
        heatmaps = torch.zeros(1, 2, 4, 18, 18)  # a cell more on each side
        cells = {(0, 0): (5, 9), (0, 1): (2, 4), (0, 2): (8, 14), (0, 3): (11, 3)}  # (lung, edge): row, column
        cells |= {(1, 0): (5, 1), (1, 1): (3, 4), (1, 2): (8, 7), (1, 3): (12, 3)}
        for (lung, edge), (row, column) in cells.items():
            heatmaps[0, lung, edge, row, column] = 200.0
        found = corners(decode(network._offsets(heatmaps), network.anchors))[0] * 16 + 0.5
        torch.testing.assert_close(found, torch.tensor([[9.0, 2, 14, 11], [1, 3, 7, 12]]), atol=1e-3, rtol=0)

    def test_a_mirrored_picture_has_mirrored_boxes(self) -> None:
        model = LungBoxModel.untrained(
            LungBoxSettings(anchors={"left": (0.8, 0.4, 0.3, 0.5), "right": (0.3, 0.5, 0.4, 0.7)})
        )
        model.network.read[-1].weight.data.mul_(300.0)  # heatmaps that say something
        picture = np.random.default_rng(0).random((1, 128, 128), dtype=np.float32)
        (left, right), (other_left, other_right) = (
            model.boxes(np.ascontiguousarray(each))[0] for each in (picture, picture[..., ::-1])
        )
        np.testing.assert_allclose(other_right, [1.0 - left[0], *left[1:]], atol=1e-4)
        np.testing.assert_allclose(other_left, [1.0 - right[0], *right[1:]], atol=1e-4)

    def test_half_precision_costs_no_pixel(self) -> None:
        model = LungBoxModel.untrained(LungBoxSettings(), 1)
        model.network.read[-1].weight.data.mul_(300.0)  # heatmaps that say something
        picture = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
        full = model.network(picture)
        with torch.autocast("cpu", torch.bfloat16):
            half = model.network(picture)
        assert half.dtype == torch.float32
        assert (full - half).abs().max() < 0.5 / 16

    def test_the_same_seed_gives_the_same_network_and_leaves_torch_alone(self) -> None:
        torch.manual_seed(4)
        expected = torch.rand(3)
        torch.manual_seed(4)
        first, second = (LungBoxModel.untrained(TINY_BOXES, 7).state() for _ in range(2))
        torch.testing.assert_close(torch.rand(3), expected)
        for name, tensor in first.items():
            torch.testing.assert_close(tensor, second[name], rtol=0, atol=0)
        other = LungBoxModel.untrained(TINY_BOXES, 8).state()
        assert any(not torch.equal(first[name], other[name]) for name in first)

    @pytest.mark.parametrize("wrong", [{"size": 8}, {"stages": [4]}, {"features": 0}, {"anchors": {"left": [1, 2]}}])
    def test_settings_that_make_no_network_are_refused(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            LungBoxSettings.model_validate(wrong)


class TestFind:
    def test_each_anchor_becomes_the_box_of_its_lung(self) -> None:
        radiograph = uneven()
        # Even: chance makes what looks like gas below the diaphragm, above which a box ends.
        radiograph = replace(radiograph, pixels=np.full_like(radiograph.pixels, 0.5))
        anchors = {side: tuple(to_shares(box, radiograph).tolist()) for side, box in BOXES.items()}
        model = box_model(settings=TINY_BOXES.model_copy(update={"anchors": anchors}))
        found = find_lung_boxes(radiograph, model)
        np.testing.assert_allclose(found.left, BOXES["left"], atol=0.11)
        np.testing.assert_allclose(found.right, BOXES["right"], atol=0.11)
        assert found.by_side() == {"left": found.left, "right": found.right}

    @pytest.mark.parametrize(
        ("left", "right"),
        [
            pytest.param((0.3, 0.5, 0.3, 0.7), (0.7, 0.5, 0.3, 0.7), id="sides exchanged"),
            pytest.param((0.5, 0.5, 0.3, 0.7), (0.5, 0.5, 0.3, 0.7), id="one upon the other"),
            pytest.param((0.7, 0.5, 0.05, 0.7), (0.3, 0.5, 0.3, 0.7), id="too narrow"),
            pytest.param((0.7, 0.5, 0.3, 0.7), (0.3, 0.5, 0.3, 0.05), id="too low"),
            pytest.param((0.7, 0.5, 0.3, 1.2), (0.3, 0.5, 0.3, 0.7), id="larger than the picture"),
            pytest.param((1.1, 0.5, 0.3, 0.7), (0.3, 0.5, 0.3, 0.7), id="beyond the edge"),
            pytest.param((0.7, 0.5, 0.3, 0.7), (0.3, -0.1, 0.3, 0.7), id="above the picture"),
        ],
    )
    def test_what_cannot_be_two_lungs_is_refused(self, left: tuple[float, ...], right: tuple[float, ...]) -> None:
        settings = LungBoxSettings.model_validate(
            {**TINY_BOXES.model_dump(), "anchors": {"left": left, "right": right}}
        )
        with pytest.raises(NoLungsError, match=r"lateral\.png shows no two lungs side by side; give a frontal"):
            find_lung_boxes(replace(uneven(), source=Path("lateral.png")), box_model(settings=settings))

    def test_numbers_that_are_none_are_refused(self) -> None:
        model = box_model()
        model.network.read[-1].bias.data.fill_(math.nan)
        with pytest.raises(NoLungsError):
            find_lung_boxes(uneven(), model)


class TestStore:
    def test_a_published_network_comes_back(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        settings = TINY_BOXES.model_copy(
            update={"anchors": {"left": (0.7, 0.4, 0.3, 0.6), "right": (0.25, 0.5, 0.3, 0.7)}}
        )
        model = LungBoxModel.untrained(settings, 3)
        store.publish("cxr_lung_boxes", model.state(), {"network": model.card_network(), **CARD})
        back = LungBoxModel.load(store.load("cxr_lung_boxes"))
        assert back.settings == settings
        picture = picture_of(uneven(), settings)[None]
        np.testing.assert_allclose(back.boxes(picture), model.boxes(picture), atol=5e-3)  # weights are kept in fp16

    def test_another_networks_card_is_refused(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        other = side_model()
        store.publish("cxr_lung_boxes", other.state(), {"network": other.card_network(), **CARD})
        with pytest.raises(ModelError, match=r"cxr_lung_boxes version 1 is no lung-box regressor .*publish it again"):
            LungBoxModel.load(store.load("cxr_lung_boxes"))

    def test_weights_of_another_size_are_refused(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        model = box_model()
        card = {"network": {**model.card_network(), "features": 16}, **CARD}
        store.publish("cxr_lung_boxes", model.state(), card)
        with pytest.raises(ModelError, match="is no lung-box regressor"):
            LungBoxModel.load(store.load("cxr_lung_boxes"))
