"""The recipe of the starter weights."""

import torch

from pneumoscreen.ct.learning.starter import averaged


def test_averaged_weights_lie_half_way_and_counters_stay() -> None:
    before = {"w": torch.tensor([1.0, -2.0], dtype=torch.float16), "batches": torch.tensor(3)}
    after = {"w": torch.tensor([2.0, 4.0], dtype=torch.float16), "batches": torch.tensor(7)}
    found = averaged(before, after)
    assert found["w"].tolist() == [1.5, 1.0] and found["w"].dtype == torch.float16
    assert found["batches"].item() == 7
