"""Half precision only where the processor has instructions for it."""

import pytest
import torch

from pneumoscreen.models.precision import half_is_fast


@pytest.mark.parametrize(
    ("abilities", "pays"),
    [({}, False), ({"avx2": True}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)],
)
def test_a_processor_needs_the_instructions(
    abilities: dict[str, bool], pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    assert half_is_fast(torch.device("cpu")) is pays


def test_a_gpu_always_has_them() -> None:
    assert half_is_fast(torch.device("cuda"))
