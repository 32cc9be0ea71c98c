"""The workplace of a training process."""

import pytest
import torch

from pneumoscreen.errors import ConfigError
from pneumoscreen.training.device import Workplace, find_workplace, half_is_fast


def test_a_single_process_on_the_cpu() -> None:
    workplace = find_workplace("cpu")
    assert workplace.device.type == "cpu" and workplace.is_first and not workplace.uses_scaler
    network = torch.nn.Linear(2, 2)
    network(torch.ones(1, 2)).sum().backward()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    workplace.share_weights(network)
    workplace.average_gradients(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert torch.equal(network.weight.grad, torch.ones(2, 2)) and workplace.tell("alone") == "alone"


def test_mixed_precision_on_a_cpu_is_bfloat16_where_it_pays() -> None:
    place = Workplace(torch.device("cpu"))
    wanted = torch.bfloat16 if half_is_fast(place.device) else torch.float32
    for enabled, dtype in ((True, wanted), (False, torch.float32)):
        with place.autocast(enabled):
            assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="cuda"):
        find_workplace("cuda")
