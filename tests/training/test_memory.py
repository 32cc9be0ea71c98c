"""Memory that does not suffice: batches are done in parts, and what is learnt from stays the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pneumoscreen.ct.candidates.network import CandidateNetwork
from pneumoscreen.ct.classifier import ClassifierNetwork
from pneumoscreen.ct.learning.candidate_data import PreparedCase, prepare_case
from pneumoscreen.ct.learning.candidates import train_candidates
from pneumoscreen.ct.learning.classifier import train_classifier
from pneumoscreen.training.memory import MemoryShortageError, PartedBatch, is_out_of_memory

from ..ct.learning.test_candidates import SHORT
from ..ct.learning.test_classifier import SETTINGS, quiet, toy

CLASSIFIER = SETTINGS.model_copy(update={"epochs": 1})


@contextmanager
def shortage(kind: type[nn.Module], most: int) -> Iterator[list[Tensor]]:
    """A machine that has memory for so many samples of a network in training; gives the batches that passed."""
    passed: list[Tensor] = []

    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, kind) and module.training:
            if len(inputs[0]) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (injected)")
            passed.append(inputs[0].detach().clone())

    handle = nn.modules.module.register_module_forward_pre_hook(hook)
    try:
        yield passed
    finally:
        handle.remove()


def test_a_classifier_trains_on_in_parts_with_the_same_samples_in_the_same_order() -> None:
    said: list[str] = []
    with shortage(ClassifierNetwork, 32) as whole:
        train_classifier(toy(), CLASSIFIER, device="cpu", say=quiet)
    with shortage(ClassifierNetwork, 9) as parts:
        trained = train_classifier(toy(), CLASSIFIER, device="cpu", say=said.append)
    assert {len(batch) for batch in whole} == {32}
    assert {len(batch) for batch in parts} == {8}
    assert torch.equal(torch.cat(parts), torch.cat(whole))
    assert [line for line in said if "memory is short" in line] == [
        "memory is short: batches of 32 are done in 2 parts from here on",
        "memory is short: batches of 32 are done in 4 parts from here on",
    ]
    assert all(torch.isfinite(tensor).all() for tensor in trained.model.state().values())


def test_a_resumed_run_goes_on_with_as_many_parts(tmp_path: Path) -> None:
    two = CLASSIFIER.model_copy(update={"epochs": 2})

    def stop(_task: str, fraction: float) -> None:
        if fraction > 0.6:
            raise InterruptedError

    with shortage(ClassifierNetwork, 16), pytest.raises(InterruptedError):
        train_classifier(toy(), two, tmp_path, "cpu", stop, quiet)
    with shortage(ClassifierNetwork, 32) as passed:
        train_classifier(toy(), two, tmp_path, "cpu", say=quiet)
    assert {len(batch) for batch in passed} == {16}


def test_the_candidate_network_trains_on_in_parts(toy_cases: list[Any], tmp_path: Path) -> None:
    prepared: list[PreparedCase] = [prepare_case(case, SHORT.model.grid) for case in toy_cases]
    with shortage(CandidateNetwork, 2) as whole:
        train_candidates(prepared, SHORT, tmp_path / "whole", say=quiet)
    with shortage(CandidateNetwork, 1) as parts:
        train_candidates(prepared, SHORT, tmp_path / "parts", say=quiet)
    assert len(parts) == 2 * len(whole) == 12
    assert torch.equal(torch.cat(parts), torch.cat(whole))


@pytest.mark.parametrize(
    ("kind", "train"),
    [
        (ClassifierNetwork, lambda _, path: train_classifier(toy(), CLASSIFIER, path, "cpu", say=quiet)),
        (CandidateNetwork, lambda cases, path: train_candidates(cases, SHORT, path, say=quiet)),
    ],
)
def test_too_little_for_the_smallest_part_is_said_in_a_sentence(
    kind: type[nn.Module], train: Callable[[list[Any], Path], Any], toy_cases: list[Any], tmp_path: Path
) -> None:
    prepared = [prepare_case(case, SHORT.model.grid) for case in toy_cases[:1]]
    with shortage(kind, 0), pytest.raises(MemoryShortageError, match="at a time do not fit into memory; end other"):
        train(prepared, tmp_path)


def test_gradients_of_parts_add_up_to_those_of_the_whole() -> None:
    samples, wanted = torch.randn(10, 3), torch.randn(10, 1)

    def gradients(parts: int) -> Tensor:
        network = nn.Linear(3, 1, bias=False)
        nn.init.constant_(network.weight, 0.5)
        for rows in PartedBatch(10).rows(10, parts):
            loss = nn.functional.mse_loss(network(samples[rows]), wanted[rows])
            (loss * len(samples[rows]) / 10).backward()
        assert network.weight.grad is not None
        return network.weight.grad

    for parts in (2, 4, 8):
        torch.testing.assert_close(gradients(parts), gradients(1))


@given(st.integers(1, 200), st.integers(1, 64))
def test_rows_of_parts_are_all_rows_in_order(count: int, parts: int) -> None:
    rows = list(PartedBatch(count).rows(count, parts))
    assert np.concatenate([np.arange(count)[part] for part in rows]).tolist() == list(range(count))
    sizes = [part.stop - part.start for part in rows]
    assert max(sizes) - min(sizes) <= 1


def test_what_torch_says_of_the_computers_memory_is_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)  # a petabyte
    assert is_out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as other:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(other.value)
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        PartedBatch(4).run(lambda parts: torch.ones(2) @ torch.ones(3))
