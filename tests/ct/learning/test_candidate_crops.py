"""Crops and variation of the candidate network's samples."""

from typing import Any

import numpy as np
import pytest
import torch

from pneumoscreen.ct.candidates.working_grid import WorkingGridSettings
from pneumoscreen.ct.learning.candidate_crops import AugmentationSettings, CropDataset, collate, crop_sample
from pneumoscreen.ct.learning.candidate_data import prepare_case

GRID = WorkingGridSettings()
PLAIN = AugmentationSettings.model_validate(
    {"flip": 0, "zoom": 0, "shift": 0, "scale": 0, "noise": 0, "blur": 0, "picture": 0, "mask": 0}
)
CROP = (16, 32, 32)


def test_a_case_without_a_mask_gives_samples_without(toy_cases: list[Any]) -> None:
    case = prepare_case(toy_cases[0].without_mask(), GRID)
    sample = crop_sample(case, CROP, GRID, PLAIN, np.random.default_rng(0))
    assert not sample.has_mask and float(sample.infection.sum()) == 0


@pytest.mark.parametrize("changes", [{}, {"flip": 1.0}, {"zoom": 0.3, "flip": 0.5}])
def test_boxes_follow_their_lesions(toy_cases: list[Any], changes: dict[str, float]) -> None:
    case = prepare_case(toy_cases[1], GRID)
    varied = PLAIN.model_copy(update=changes)
    seen = 0
    for seed in range(20):
        sample = crop_sample(case, CROP, GRID, varied, np.random.default_rng(seed))
        assert tuple(sample.image.shape) == (2, *CROP) and tuple(sample.infection.shape) == (1, *CROP)
        for box in sample.boxes.round().int().tolist():
            z0, y0, x0, z1, y1, x1 = box
            assert min(box) >= 0 and all(a <= b for a, b in zip(box[3:], CROP, strict=True))
            assert float(sample.infection[0, z0:z1, y0:y1, x0:x1].mean()) > 0.6
            seen += 1
    assert seen >= 10


def test_a_crop_larger_than_the_grid_is_padded_with_air(toy_cases: list[Any]) -> None:
    case = prepare_case(toy_cases[0], GRID)
    sample = crop_sample(case, (64, 144, 160), GRID, PLAIN, np.random.default_rng(0))
    assert len(sample.boxes) == 2 and len(sample.ignored) == 1
    assert float(sample.image[0, 0].max()) == -1 and float(sample.image[1, 0].max()) == 0
    assert int(sample.image[1].sum()) == int(case.lungs.sum())


def test_variation_keeps_the_input_in_range_and_changes_it(toy_cases: list[Any]) -> None:
    case = prepare_case(toy_cases[0], GRID)
    all_on = AugmentationSettings.model_validate({"blur": 1, "picture": 1, "mask": 1})
    samples = [crop_sample(case, CROP, GRID, all_on, np.random.default_rng(seed)) for seed in (1, 2)]
    for sample in samples:
        assert float(sample.image[0].abs().max()) <= 1 and bool(torch.isfinite(sample.image).all())
        assert set(sample.image[1].unique().tolist()) <= {0.0, 1.0}
    assert not torch.equal(samples[0].image, samples[1].image)


def test_sample_number_n_is_always_the_same(toy_cases: list[Any]) -> None:
    cases = [prepare_case(case, GRID) for case in toy_cases]
    settings = (CROP, 10, GRID, AugmentationSettings(), 3)
    whole, rest = CropDataset(cases, *settings), CropDataset(cases, *settings, first=6)
    assert len(whole) == 10 and len(rest) == 4
    assert torch.equal(whole[7].image, rest[1].image)
    assert torch.equal(whole[7].boxes, rest[1].boxes)
    assert not torch.equal(whole[7].image, whole[8].image)


def test_a_batch_holds_boxes_of_each_sample(toy_cases: list[Any]) -> None:
    cases = [prepare_case(toy_cases[0], GRID), prepare_case(toy_cases[1].without_mask(), GRID)]
    dataset = CropDataset(cases, CROP, 4, GRID, AugmentationSettings(), 0)
    batch = collate([dataset[0], dataset[1]]).to(torch.device("cpu"))
    assert tuple(batch.images.shape) == (2, 2, *CROP)
    assert sorted(batch.has_mask.tolist()) == [False, True]
    assert [b.shape[1] for b in (*batch.boxes, *batch.ignored)] == [6] * 4
