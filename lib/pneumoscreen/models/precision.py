"""Whether half precision pays on a device."""

import torch


def half_is_fast(device: torch.device) -> bool:
    """Whether half precision pays: always on a GPU; on a CPU only with instructions for it.

    Without them bfloat16 is emulated: a forward pass of the candidate network then takes many times as long as in
    single precision.
    """
    if device.type != "cpu":
        return True
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
