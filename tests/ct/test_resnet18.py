"""The classifier's trunk is MONAI's ResNet-18: weights of the one are weights of the other."""

import torch
from monai.networks.nets.resnet import ResNet

from pneumoscreen.ct.resnet18 import ResNet18

WIDTHS = [16, 24, 32, 40]


def both() -> tuple[ResNet18, ResNet]:
    torch.manual_seed(3)
    ours = ResNet18(WIDTHS, 12)
    torch.manual_seed(3)
    theirs = ResNet(
        "basic",
        [2, 2, 2, 2],
        WIDTHS,
        spatial_dims=2,
        n_input_channels=1,
        conv1_t_stride=2,
        num_classes=12,
        bias_downsample=False,
    )
    return ours, theirs


def test_names_and_first_weights_are_monais() -> None:
    ours, theirs = (network.state_dict() for network in both())
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_outputs_and_gradients_are_monais_in_training_and_afterwards() -> None:
    networks = both()
    pictures = torch.rand(6, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    for training in (True, False):
        found = []
        for network in networks:
            network.train(training)
            network.zero_grad()
            out = network(pictures)
            out.square().sum().backward()
            found.append((out, network.conv1.weight.grad))
        assert torch.allclose(found[0][0], found[1][0], atol=1e-5)
        assert torch.allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-3)
