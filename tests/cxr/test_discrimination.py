"""Step 3: what the discriminator is shown, and that its answers are probabilities."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.cxr.radiographs import BOXES, CONTENT, TINY_CLASSES, box_model, class_model, radiograph_of, uneven

from pneumoscreen.cxr.discrimination import (
    DiscriminationModel,
    DiscriminationNetwork,
    DiscriminationSettings,
    View,
    channels_of,
    grey_of,
    view_box,
)
from pneumoscreen.cxr.superpixels import mean_picture, superpixels
from pneumoscreen.errors import ModelError
from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.models.store import ModelStore

CARD = {"data": "none", "seed": 0, "command": "test", "figures": {}, "licence": "Apache-2.0"}
GREYS = {"left": 0.5, "right": 0.3}
REST = 0.8


def painted() -> Radiograph:
    """Each lung in a grey of its own, all else brighter, in a black border."""
    x, y, w, h = CONTENT
    pixels = np.zeros((160, 200), np.float32)
    pixels[y : y + h, x : x + w] = REST
    for side, box in BOXES.items():
        x, y, w, h = map(int, box)
        pixels[y : y + h, x : x + w] = GREYS[side]
    return radiograph_of(pixels, CONTENT)


def viewing(view: View, size: int = 90) -> DiscriminationSettings:
    return TINY_CLASSES.model_copy(update={"view": view, "size": size})


def expected(view: View, part: tuple[float, ...], size: int) -> NDArray[np.float32]:
    """What a view of ``painted`` holds, worked out pixel by pixel; NaN within three pixels of an edge."""
    found = np.full((size, size), REST if view != "lungs" else 0.0, np.float32)
    if view != "lungs":  # the cubic filter reaches a little into the black border
        found[:2], found[-2:], found[:, :2], found[:, -2:] = np.nan, np.nan, np.nan, np.nan
    for row in range(size):
        for column in range(size):
            x, y = part[0] + (column + 0.5) / size * part[2], part[1] + (row + 0.5) / size * part[3]
            for side, (left, top, w, h) in BOXES.items():
                inside = min(x - left, left + w - x, y - top, top + h - y)
                if inside > 3.0:
                    found[row, column] = 0.0 if view == "blanked" else GREYS[side]
                elif inside > -3.0:
                    found[row, column] = np.nan
    return found


class TestViews:
    @pytest.mark.parametrize("view", ["lungs", "whole", "blanked"])
    def test_a_view_shows_what_it_says(self, view: View) -> None:
        settings = viewing(view)
        part = (24.0, 20.0, 146.0, 100.0) if view == "lungs" else tuple(map(float, CONTENT))
        assert view_box(painted(), BOXES, settings) == part
        grey = grey_of(painted(), BOXES, settings)
        wanted = expected(view, part, 90)
        known = ~np.isnan(wanted)
        assert known.mean() > 0.7
        np.testing.assert_allclose(grey[known], wanted[known], atol=0.02)

    def test_lungs_and_blanked_share_no_pixel(self) -> None:
        """With the lungs' rectangle as content both views look at the same part."""
        radiograph = radiograph_of(painted().pixels, (24, 20, 146, 100))
        lungs, blanked = (grey_of(radiograph, BOXES, viewing(view)) for view in ("lungs", "blanked"))
        assert not ((lungs > 0) & (blanked > 0)).any()
        np.testing.assert_array_equal(lungs + blanked, grey_of(radiograph, BOXES, viewing("whole")))

    def test_a_box_beyond_the_picture_is_taken_as_far_as_it_goes(self) -> None:
        boxes = {"left": (150.0, 20.0, 50.0, 140.0), "right": (0.0, 0.0, 60.0, 160.0)}
        grey = grey_of(uneven(), boxes, viewing("lungs"))
        assert grey.shape == (90, 90)
        assert (grey[:, 30:66] == 0.0).all()
        assert (grey[:, 70:80] > 0.0).any()


class TestChannels:
    def test_the_second_is_the_mean_of_the_superpixels(self) -> None:
        grey = grey_of(uneven(), BOXES, TINY_CLASSES)
        channels = channels_of(grey, TINY_CLASSES)
        assert channels.shape == (2, 32, 32)
        assert channels.dtype == np.float32
        np.testing.assert_array_equal(channels[0], grey)
        np.testing.assert_array_equal(channels[1], mean_picture(grey, superpixels(grey)))

    def test_known_superpixels_are_taken(self) -> None:
        grey = grey_of(uneven(), BOXES, TINY_CLASSES)
        halves = np.repeat([[1] * 16 + [2] * 16], 32, axis=0).astype(np.int32)
        means = channels_of(grey, TINY_CLASSES, halves)[1]
        np.testing.assert_allclose(means[:, :16], grey[:, :16].mean(), rtol=1e-5)
        np.testing.assert_allclose(means[:, 16:], grey[:, 16:].mean(), rtol=1e-5)

    def test_none_without_superpixels(self) -> None:
        grey = grey_of(uneven(), BOXES, TINY_CLASSES)
        channels = channels_of(grey, TINY_CLASSES.model_copy(update={"superpixels": False}))
        assert channels.shape == (1, 32, 32)


class TestNetwork:
    def test_the_published_input_gives_four_levels_from_stride_8_on(self) -> None:
        network = DiscriminationNetwork(DiscriminationSettings(widths=(4, 4, 8, 8), pyramid_channels=4)).eval()
        levels = network.maps(torch.zeros(1, 2, 224, 224))
        assert [tuple(level.shape[1:]) for level in levels] == [(4, 28, 28), (4, 14, 14), (4, 7, 7), (4, 4, 4)]
        assert network.features(levels, 1).shape == (1, 16)
        assert network(torch.zeros(1, 2, 224, 224)).shape == (1, 3)

    def test_without_a_pyramid_the_last_stage_counts(self) -> None:
        settings = DiscriminationSettings(widths=(4, 4, 8, 12), pyramid=False, superpixels=False)
        network = DiscriminationNetwork(settings).eval()
        (last,) = network.maps(torch.zeros(1, 1, 224, 224))
        assert last.shape == (1, 12, 7, 7)
        assert network.classify.in_features == 12
        assert not any(name.startswith("pyramid") for name in network.state_dict())

    @pytest.mark.parametrize("pyramid", [True, False])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_rows_are_probabilities(self, pyramid: bool, channels: int) -> None:
        settings = TINY_CLASSES.model_copy(update={"pyramid": pyramid, "superpixels": channels == 2})
        pictures = np.random.default_rng(0).random((5, channels, 32, 32), dtype=np.float32)
        model = class_model(settings=settings)
        found = model.discriminate(pictures)
        assert found.shape == (5, 3)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
        assert (found > 0).all()
        one_by_one = np.concatenate([model.discriminate(picture[None]) for picture in pictures])
        np.testing.assert_allclose(one_by_one, found, atol=1e-5)

    def test_a_temperature_softens_and_keeps_the_order(self) -> None:
        logits = torch.tensor([[2.0, 0.0, -1.0]])
        hot = class_model(settings=TINY_CLASSES.model_copy(update={"temperature": 2.0}))
        by_hand = np.exp([1.0, 0.0, -0.5]) / np.exp([1.0, 0.0, -0.5]).sum()
        np.testing.assert_allclose(hot.probabilities(logits)[0], by_hand, rtol=1e-12)
        assert class_model().probabilities(logits)[0, 0] > by_hand[0]

    def test_a_mirrored_picture_is_judged_alike(self) -> None:
        pictures = np.random.default_rng(0).random((3, 2, 32, 32), dtype=np.float32)
        mirrored = np.ascontiguousarray(pictures[..., ::-1])
        model = class_model()
        np.testing.assert_allclose(model.discriminate(mirrored), model.discriminate(pictures), atol=1e-6)
        alone = class_model(settings=TINY_CLASSES.model_copy(update={"mirrored": False}))
        both = [alone.network(torch.from_numpy(each)) for each in (pictures, mirrored)]
        assert (both[0] - both[1]).abs().max() > 1e-4
        torch.testing.assert_close(model.network(torch.from_numpy(pictures)), (both[0] + both[1]) / 2)

    def test_a_training_sees_pictures_as_they_are(self) -> None:
        network = class_model().network
        pictures = torch.rand(2, 2, 32, 32)
        assert network.eval().views(pictures).shape == (4, 2, 32, 32)
        assert network.train().views(pictures) is pictures

    def test_dropout_is_for_training_alone(self) -> None:
        network = class_model(settings=TINY_CLASSES.model_copy(update={"dropout": 0.9})).network
        pictures = torch.rand(4, 2, 32, 32)
        torch.testing.assert_close(network(pictures), network(pictures), rtol=0, atol=0)


class TestStore:
    def test_a_published_network_comes_back(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        settings = TINY_CLASSES.model_copy(update={"view": "whole", "temperature": 1.7, "superpixels": False})
        model = class_model(3, settings)
        store.publish("cxr_discrimination", model.state(), {"network": model.card_network(), **CARD})
        back = DiscriminationModel.load(store.load("cxr_discrimination"))
        assert back.settings == settings
        pictures = np.random.default_rng(0).random((4, 1, 32, 32), dtype=np.float32)
        np.testing.assert_allclose(back.discriminate(pictures), model.discriminate(pictures), atol=1e-3)

    @pytest.mark.parametrize("change", [{"pyramid": False}, {"superpixels": False}, {"widths": [4, 4, 4, 8]}])
    def test_weights_of_another_shape_are_refused(self, tmp_path: Path, change: dict[str, object]) -> None:
        store = ModelStore(tmp_path)
        model = class_model()
        store.publish("cxr_discrimination", model.state(), {"network": {**model.card_network(), **change}, **CARD})
        with pytest.raises(ModelError, match="cxr_discrimination version 1 is no radiograph discriminator"):
            DiscriminationModel.load(store.load("cxr_discrimination"))

    def test_another_networks_card_is_refused(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        other = box_model()
        store.publish("cxr_discrimination", other.state(), {"network": other.card_network(), **CARD})
        with pytest.raises(ModelError, match="is no radiograph discriminator"):
            DiscriminationModel.load(store.load("cxr_discrimination"))
