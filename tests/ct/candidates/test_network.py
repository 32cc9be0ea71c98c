"""Shapes, size and settings of VNET-IR-RPN."""

import pytest
import torch
from pydantic import ValidationError

from pneumoscreen.ct.candidates.network import CandidateNetwork, CandidateNetworkSettings


def small(**changes: object) -> CandidateNetworkSettings:
    values = {"channels": (8, 16, 16, 24), "encoder_blocks": (1, 1, 1, 1), "decoder_blocks": (1, 1, 1)}
    values |= {"proposal_stages": (2, 3), "anchor_scales": (1.0, 2.0), "proposal_channels": 16} | changes
    return CandidateNetworkSettings.model_validate(values)


def test_default_network_has_the_promised_size() -> None:
    network = CandidateNetwork(CandidateNetworkSettings())
    parameters = sum(p.numel() for p in network.parameters())
    assert 5_000_000 <= parameters <= 5_600_000


def test_outputs_have_the_strides_of_their_stages() -> None:
    network = CandidateNetwork(small()).eval()
    with torch.no_grad():
        output = network(torch.randn(2, 2, 8, 32, 24))
    assert output.infection.shape == (2, 1, 8, 32, 24)
    assert [tuple(m.shape) for m in output.objectness] == [(2, 3, 4, 8, 6), (2, 3, 2, 4, 3)]
    assert [tuple(m.shape) for m in output.deltas] == [(2, 18, 4, 8, 6), (2, 18, 2, 4, 3)]


def test_every_parameter_takes_part_in_the_outputs() -> None:
    network = CandidateNetwork(small())
    output = network(torch.randn(1, 2, 8, 32, 24))
    total = output.infection.pow(2).sum() + sum(m.pow(2).sum() for m in (*output.objectness, *output.deltas))
    total.backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None]
    assert idle == []


def test_proposals_start_out_doubtful() -> None:
    torch.manual_seed(0)
    network = CandidateNetwork(small()).eval()
    with torch.no_grad():
        output = network(torch.randn(1, 2, 8, 32, 24))
    assert max(float(m.sigmoid().mean()) for m in output.objectness) < 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"encoder_blocks": (1, 1)},
        {"channels": (8, 16, 16, 20)},
        {"proposal_stages": (2, 9)},
        {"anchor_scales": (1.0,)},
        {"unknown": 1},
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        small(**wrong)


def test_grid_multiple_is_the_stride_of_the_lowest_stage() -> None:
    assert CandidateNetworkSettings().grid_multiple == (8, 16, 16)
    assert small().grid_multiple == (4, 8, 8)
