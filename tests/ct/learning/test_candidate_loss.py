"""The candidate network's losses on outputs whose quality is known."""

from typing import Any

import numpy as np
import pytest
import torch

from pneumoscreen.ct.candidates.network import CandidateNetworkSettings, CandidateOutput
from pneumoscreen.ct.candidates.proposals import POSITIVE, Proposals
from pneumoscreen.ct.candidates.working_grid import WorkingGridSettings
from pneumoscreen.ct.learning.candidate_crops import AugmentationSettings, Batch, collate, crop_sample
from pneumoscreen.ct.learning.candidate_data import prepare_case
from pneumoscreen.ct.learning.candidate_loss import CandidateLoss

CROP = (32, 96, 128)
SETTINGS = CandidateNetworkSettings()


@pytest.fixture(scope="module")
def batch(toy_cases: list[Any]) -> Batch:
    plain = AugmentationSettings.model_validate({"lesion_share": 0, "flip": 0, "zoom": 0})
    grid = WorkingGridSettings()
    return collate([crop_sample(prepare_case(c, grid), CROP, grid, plain, np.random.default_rng(0)) for c in toy_cases])


def output_for(batch: Batch, right: bool) -> CandidateOutput:
    """An output that says the truth, or its opposite."""
    proposals = Proposals(SETTINGS)
    depth, height, width = CROP
    sizes = [(depth // z, height // y, width // x) for z, y, x in ((2, 4, 4), (4, 8, 8), (8, 16, 16))]
    objectness = tuple(torch.full((len(batch.boxes), 3, *size), -8.0) for size in sizes)
    deltas = tuple(torch.zeros(len(batch.boxes), 18, *size) for size in sizes)
    anchors = proposals.anchors(batch.images, objectness)
    for image, boxes in enumerate(batch.boxes):
        targets = proposals.match(anchors, objectness, boxes, batch.ignored[image])
        rows = iter(targets.codes)
        start = 0
        for level, size in enumerate(sizes):
            count = 3 * int(np.prod(size))
            labels = targets.labels[start : start + count].reshape(*size, 3)
            start += count
            for z, y, x, a in (labels == POSITIVE).nonzero().tolist():
                objectness[level][image, a, z, y, x] = 8.0
                deltas[level][image, 6 * a : 6 * a + 6, z, y, x] = next(rows)
    sign = 1.0 if right else -1.0
    infection = sign * (batch.infection * 20 - 10)
    return CandidateOutput(infection, tuple(sign * m for m in objectness), tuple(sign * m for m in deltas))


def test_the_truth_costs_nothing_and_its_opposite_much(batch: Batch) -> None:
    assert sum(len(b) for b in batch.boxes) == 4
    torch.manual_seed(0)
    loss = CandidateLoss(Proposals(SETTINGS))
    right, wrong = loss(output_for(batch, True), batch), loss(output_for(batch, False), batch)
    assert float(sum(vars(right).values())) < 0.05
    assert float(wrong.objectness) > 4 and float(wrong.boxes) > 0.3
    assert float(wrong.dice) > 0.9 and float(wrong.voxels) > 4


def test_cases_without_a_mask_add_nothing_to_the_voxel_losses(batch: Batch) -> None:
    blind = Batch(batch.images, batch.infection * 0, torch.tensor([False, False]), batch.boxes, batch.ignored)
    losses = CandidateLoss(Proposals(SETTINGS))(output_for(batch, False), blind)
    assert float(losses.dice) == 0 and float(losses.voxels) == 0
    assert float(losses.objectness) > 4


def test_a_batch_without_lesions_has_a_finite_loss(batch: Batch) -> None:
    nothing = [torch.zeros(0, 6)] * 2
    empty = Batch(batch.images, batch.infection * 0, batch.has_mask, nothing, nothing)
    losses = CandidateLoss(Proposals(SETTINGS))(output_for(batch, True), empty)
    assert np.isfinite(float(sum(vars(losses).values()))) and float(losses.boxes) == 0


def _one_finding(hu: float, infected: bool) -> tuple[Batch, Any]:
    """A crop with one box of 8 x 16 x 16 voxels of a density, an infection or not, and an output that calls it one."""
    image = torch.full((1, 2, *CROP), -0.6)
    inside = (0, 0, slice(8, 16), slice(32, 48), slice(32, 48))
    image[inside] = (hu + 450.0) / 650.0
    infection = torch.zeros(1, 1, *CROP)
    infection[inside] = float(infected)
    box, none = torch.tensor([[8.0, 32, 32, 16, 48, 48]]), torch.zeros(0, 6)
    batch = Batch(image, infection, torch.tensor([True]), [box if infected else none], [none if infected else box])
    output = output_for(batch, True)
    marked = torch.full((1, 1, *CROP), -20.0)
    marked[inside] = 20.0
    return batch, CandidateOutput(marked, output.objectness, output.deltas)


def test_a_dense_tumour_is_not_taught_as_healthy_and_a_dependent_band_is() -> None:
    loss = CandidateLoss(Proposals(SETTINGS))
    tumour, band = loss(*reversed(_one_finding(40.0, False))), loss(*reversed(_one_finding(-300.0, False)))
    assert float(tumour.voxels) < 0.001 and float(tumour.dice) < 0.01
    assert float(band.voxels) > 0.03 and float(band.dice) > 0.9


def test_what_is_dense_follows_the_window_of_the_images() -> None:
    output, batch = reversed(_one_finding(-300.0, False))
    wide = WorkingGridSettings(hu_window=(-1100.0, 1000.0))  # in it, the same image value is soft tissue
    assert float(CandidateLoss(Proposals(SETTINGS), grid=wide)(output, batch).dice) < 0.01


def test_a_dense_infection_is_taught() -> None:
    batch, output = _one_finding(40.0, True)
    loss = CandidateLoss(Proposals(SETTINGS))
    missed = CandidateOutput(torch.full_like(output.infection, -20.0), output.objectness, output.deltas)
    assert float(loss(output, batch).dice) < 0.01
    assert float(loss(missed, batch).dice) > 0.9


def test_a_small_lesion_that_is_missed_costs_as_much_as_a_large_one() -> None:
    batch, output = _one_finding(40.0, True)
    small = torch.tensor([2.0, 4, 4, 4, 6, 6])
    batch.infection[(0, 0, slice(2, 4), slice(4, 6), slice(4, 6))] = 1.0
    both = Batch(
        batch.images, batch.infection, batch.has_mask, [torch.stack([batch.boxes[0][0], small])], batch.ignored
    )
    loss = CandidateLoss(Proposals(SETTINGS))
    without_the_large = CandidateOutput(-output.infection, output.objectness, output.deltas)
    without_the_small = loss(output, both)
    assert float(without_the_small.missed) == pytest.approx(0.15 * 10.0, rel=0.01)
    assert float(without_the_small.dice) < 0.05, "Dice hardly sees it"
    assert float(loss(without_the_large, both).missed) == pytest.approx(0.15 * 10.0, rel=0.01)
