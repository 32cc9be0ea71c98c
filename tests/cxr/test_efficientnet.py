"""The trunk that knows photographs: its shapes, its weights, and that what is frozen stays as it is."""

import pytest
import torch
from torch.nn import functional

from pneumoscreen.cxr.discrimination import DiscriminationModel, DiscriminationSettings
from pneumoscreen.cxr.efficientnet import LEVELS, EfficientNetLite0


@pytest.fixture(scope="module")
def learned() -> EfficientNetLite0:
    trunk = EfficientNetLite0().eval()
    trunk.load_imagenet()
    return trunk


def test_maps_have_strides_8_16_and_32(learned: EfficientNetLite0) -> None:
    maps = learned(torch.zeros(1, 3, 96, 64))
    assert [tuple(level.shape) for level in maps] == [
        (1, channels, 96 // stride, 64 // stride) for channels, stride in zip(LEVELS, (8, 16, 32), strict=True)
    ]


def test_it_is_padded_as_tensorflow_pads() -> None:
    """With a stride of 2 an even picture gets its odd row and column at the end: SAME padding."""
    stem = EfficientNetLite0().eval().stem
    picture = torch.randn(1, 3, 8, 8)
    wanted = functional.conv2d(functional.pad(picture, (0, 1, 0, 1)), stem.convolution.weight, stride=2)
    assert torch.equal(stem(picture), functional.relu6(stem.norm(wanted)))


def test_what_was_learnt_answers_evenly_to_grey_and_strongly_to_texture(learned: EfficientNetLite0) -> None:
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(1, 1, 128, 128, generator=generator).expand(-1, 3, -1, -1) * 2.0 - 1.0
    with torch.inference_mode():
        coarse = [float(level.std()) for level in learned(rough)]
        plain = [
            float(level[:, :, 4:-4, 4:-4].std(dim=(2, 3)).mean()) for level in learned(torch.zeros(1, 3, 512, 512))
        ]
    assert all(0.1 < value < 20.0 for value in coarse)
    assert all(inside < rough for inside, rough in zip(plain, coarse, strict=True))


def test_frozen_stages_neither_learn_nor_count() -> None:
    trunk = EfficientNetLite0()
    trunk.freeze(3)
    trunk.train()
    before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}
    optimizer = torch.optim.SGD(trunk.parameters(), 0.1)
    sum(level.square().mean() for level in trunk(torch.randn(2, 3, 64, 64))).backward()
    optimizer.step()
    changed = {
        name.split(".")[1] for name, tensor in trunk.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {"3", "4", "5", "6"}


def test_nothing_is_frozen_unless_asked() -> None:
    trunk = EfficientNetLite0()
    trunk.freeze(0)
    assert all(parameter.requires_grad for parameter in trunk.parameters())


@pytest.mark.parametrize("superpixels", [True, False])
def test_a_discriminator_stands_on_it(superpixels: bool) -> None:
    settings = DiscriminationSettings(
        size=64, trunk="efficientnet_lite0", superpixels=superpixels, pyramid_channels=8, dropout=0.0
    )
    model = DiscriminationModel.untrained(settings)
    grey = torch.rand(2, 2 if superpixels else 1, 64, 64)
    assert model.network(grey).shape == (2, 3)
    if superpixels:
        other = torch.cat([grey[:, :1], 1.0 - grey[:, 1:]], dim=1)
        assert not torch.allclose(model.network(grey), model.network(other))
