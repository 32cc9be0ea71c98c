"""Losses of the X-ray networks by hand, and how pictures are weighed."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.cxr.radiographs import TINY_BOXES, TINY_CLASSES, TINY_SIDES

from pneumoscreen.case import CXR_CLASSES
from pneumoscreen.config import load_config
from pneumoscreen.cxr.discrimination import DiscriminationSettings
from pneumoscreen.cxr.efficientnet import EfficientNetLite0
from pneumoscreen.cxr.learning.augmentation import Variation
from pneumoscreen.cxr.learning.data import PictureSet
from pneumoscreen.cxr.learning.lessons import (
    DiscriminationLesson,
    DiscriminationTrainingSettings,
    LocalizationLesson,
    LocalizationTrainingSettings,
    LungBoxLesson,
    LungBoxTrainingSettings,
    balanced,
    joint_weights,
    multi_focal_loss,
    vary_boxes,
    with_anchors,
)
from pneumoscreen.cxr.learning.run import RadiographTrainingSettings
from pneumoscreen.cxr.lung_boxes import decode, encode

CONFIGS = Path(__file__).parents[3] / "configs"
COVID, HEALTHY, CAP = (CXR_CLASSES.index(name) for name in ("covid19", "healthy", "cap"))
BOXES = LungBoxTrainingSettings(network=TINY_BOXES)
CLASSES = DiscriminationTrainingSettings(network=TINY_CLASSES)
SIDES = LocalizationTrainingSettings(network=TINY_SIDES)


def logits_of(*probabilities: float) -> torch.Tensor:
    return torch.tensor([[math.log(p) for p in probabilities]], dtype=torch.float64)


def pictures(targets: torch.Tensor) -> PictureSet:
    return PictureSet(
        np.zeros((len(targets), 1, 2, 2), np.uint8), targets, tuple(f"p{row}" for row in range(len(targets)))
    )


class TestMultiFocalLoss:
    def test_equation_2_by_hand(self) -> None:
        # -1/N sum_i alpha (1 - p_i)^gamma y_i log p_i with N = 3 classes, alpha 0.25, gamma 2.
        found = multi_focal_loss(logits_of(0.5, 0.3, 0.2), torch.tensor([1]))
        assert float(found) == pytest.approx(-0.25 * 0.7**2 * math.log(0.3) / 3, rel=1e-9)

    @given(st.lists(st.tuples(*[st.floats(-8, 8)] * 3), min_size=1, max_size=5), st.data())
    def test_as_written_out_over_all_classes(self, rows: list[tuple[float, ...]], data: st.DataObject) -> None:
        labels = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
        p = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
        y = np.eye(3)[labels]
        by_hand = -(0.25 * (1 - p) ** 2 * y * np.log(p)).sum(axis=1) / 3
        found = multi_focal_loss(torch.tensor(rows, dtype=torch.float64), torch.tensor(labels))
        np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-7, atol=1e-12)

    def test_an_easy_picture_counts_less_than_a_hard_one(self) -> None:
        easy, hard = logits_of(0.9, 0.05, 0.05), logits_of(0.4, 0.3, 0.3)
        label = torch.tensor([0])
        focal = float(multi_focal_loss(hard, label) / multi_focal_loss(easy, label))
        assert focal == pytest.approx(math.log(0.4) / math.log(0.9) * 0.6**2 / 0.1**2, rel=1e-6)

    def test_a_sure_network_gives_no_nan(self) -> None:
        logits = torch.tensor([[200.0, -200.0, -200.0]], requires_grad=True)
        for label in range(3):
            loss = multi_focal_loss(logits, torch.tensor([label])).sum()
            (gradient,) = torch.autograd.grad(loss, logits)
            assert torch.isfinite(loss)
            assert torch.isfinite(gradient).all()


class TestJointObjective:
    def test_lambda_is_a_half_for_positives(self) -> None:
        discrimination, localization = joint_weights(torch.tensor([COVID, HEALTHY, CAP]))
        assert discrimination.tolist() == [0.5, 1.0, 1.0]
        assert localization.tolist() == [0.5, 0.0, 0.0]

    @pytest.mark.parametrize("multi_focal", [True, False])
    def test_the_discriminators_losses_are_weighed_by_it(self, multi_focal: bool) -> None:
        lesson = DiscriminationLesson(CLASSES.model_copy(update={"multi_focal": multi_focal}))
        logits = logits_of(0.2, 0.3, 0.5).expand(3, 3)
        found = lesson.losses(logits, torch.tensor([0.0, 1.0, 2.0]))
        for number, p in enumerate((0.2, 0.3, 0.5)):
            plain = -0.25 * (1 - p) ** 2 * math.log(p) / 3 if multi_focal else -math.log(p)
            assert float(found[number]) == pytest.approx(plain * (0.5 if number == COVID else 1.0), rel=1e-6)

    def test_the_localisers_losses_are_half_of_the_cross_entropy(self) -> None:
        found = LocalizationLesson(SIDES).losses(torch.tensor([2.0, 2.0]), torch.tensor([1.0, 0.0]))
        p = 1 / (1 + math.exp(-2.0))
        np.testing.assert_allclose(found.numpy(), [-0.5 * math.log(p), -0.5 * math.log(1 - p)], rtol=1e-5)


class TestLungBoxes:
    def test_no_loss_where_the_offsets_are_right(self) -> None:
        lesson = LungBoxLesson(BOXES)
        boxes = torch.tensor([[[0.68, 0.45, 0.3, 0.6], [0.31, 0.5, 0.33, 0.72]]])
        right = encode(boxes, lesson.model.anchors)
        torch.testing.assert_close(lesson.losses(right, boxes), torch.zeros(1), atol=1e-5, rtol=0.0)
        # Smooth L1 with beta 0.1: an error of 1 in one of eight numbers costs 0.95. A box e times as wide as the true
        # one inside it overlaps it by 1/e.
        wrong = right.clone()
        wrong[0, 0, 2] += 1.0
        lacking = BOXES.overlap * (1.0 - math.exp(-1.0)) / 2
        assert float(lesson.losses(wrong, boxes)) == pytest.approx(0.95 / 8 + lacking, rel=1e-4)

    def test_boxes_that_do_not_meet_still_pull_on_each_other(self) -> None:
        lesson = LungBoxLesson(BOXES.model_copy(update={"overlap": 1.0}))
        boxes = torch.tensor([[[0.9, 0.5, 0.1, 0.1], [0.1, 0.5, 0.1, 0.1]]])
        offsets = encode(boxes.flip(1), lesson.model.anchors).requires_grad_()
        lesson.losses(offsets, boxes).sum().backward()
        assert offsets.grad is not None
        # The left lung's box has to go right, the right one's left.
        assert offsets.grad[0, 0, 0] < 0 < offsets.grad[0, 1, 0]

    def test_what_of_a_box_lies_beyond_the_picture_is_cut_off(self) -> None:
        right_by_a_quarter = Variation(torch.tensor([[[1.0, 0.0, -0.5], [0.0, 1.0, 0.0]]]), torch.tensor([False]))
        boxes = torch.tensor([[[0.7, 0.5, 0.4, 0.8], [0.25, 0.5, 0.3, 0.6]]])
        wanted = torch.tensor([[[0.875, 0.5, 0.25, 0.8], [0.5, 0.5, 0.3, 0.6]]])
        torch.testing.assert_close(vary_boxes(boxes, right_by_a_quarter), wanted)

    def test_few_pictures_make_no_short_epoch(self) -> None:
        lesson = LungBoxLesson(BOXES)
        assert (lesson.steps(90, 16), lesson.steps(1600, 16)) == (20, 100)
        assert DiscriminationLesson(CLASSES).steps(90, 16) == 5

    def test_figures_are_overlap_and_exchanged_sides(self) -> None:
        lesson = LungBoxLesson(BOXES)
        boxes = decode(torch.zeros(2, 2, 4), lesson.model.anchors)
        right = lesson.figures(torch.zeros(2, 2, 4), pictures(boxes))
        assert right == {"iou": pytest.approx(1.0), "exchanged": 0.0}
        crossed = encode(boxes.flip(1), lesson.model.anchors)
        crossed[1] = 0.0
        assert lesson.figures(crossed, pictures(boxes)) == {"iou": pytest.approx(0.5, abs=0.02), "exchanged": 1.0}
        assert next(iter(right)) == "iou"

    def test_the_anchors_are_the_mean_boxes(self) -> None:
        boxes = torch.tensor(
            [
                [[0.7, 0.4, 0.3, 0.6], [0.3, 0.5, 0.3, 0.7]],
                [[0.6, 0.6, 0.5, 0.8], [0.2, 0.5, 0.1, 0.3]],
            ]
        )
        settings = with_anchors(BOXES, boxes)
        assert settings.network.anchors["left"] == pytest.approx((0.65, 0.5, 0.4, 0.7))
        assert settings.network.anchors["right"] == pytest.approx((0.25, 0.5, 0.2, 0.5))
        assert settings.network.size == TINY_BOXES.size
        assert type(settings).model_validate(settings.model_dump(mode="json")) == settings

    def test_vary_moves_boxes_with_their_pictures(self) -> None:
        lesson = LungBoxLesson(BOXES)
        boxes = lesson.model.anchors.expand(6, 2, 4)
        seen, moved = lesson.vary(torch.rand(6, 1, 32, 32), boxes, torch.Generator().manual_seed(0))
        assert seen.shape == (6, 1, 32, 32)
        assert moved.shape == (6, 2, 4)
        assert (moved[:, 0, 0] > moved[:, 1, 0]).all(), "the left lung stays on the right of the picture"
        assert not torch.allclose(moved, boxes)


class TestFigures:
    def test_accuracy_of_the_classes(self) -> None:
        logits = torch.eye(3)[[0, 1, 2, 2]]
        found = DiscriminationLesson(CLASSES).figures(logits, pictures(torch.tensor([0.0, 1.0, 2.0, 0.0])))
        assert found == {"accuracy": 0.75}

    def test_accuracy_per_lung_counts_an_even_chance_as_infected(self) -> None:
        output = torch.tensor([0.0, 3.0, -1.0, -0.1])
        found = LocalizationLesson(SIDES).figures(output, pictures(torch.tensor([1.0, 1.0, 0.0, 1.0])))
        assert found == {"lung accuracy": 0.75}

    def test_a_localisers_flip_is_left_out(self) -> None:
        assert SIDES.augmentation.flip == 0.0
        assert CLASSES.augmentation.flip == 0.5

    @pytest.mark.parametrize("kind", [DiscriminationLesson, LocalizationLesson])
    def test_targets_stay_when_pictures_vary(self, kind: type[DiscriminationLesson]) -> None:
        lesson = kind(CLASSES if kind is DiscriminationLesson else SIDES)  # type: ignore[arg-type]
        targets = torch.tensor([1.0, 0.0, 1.0])
        seen, same = lesson.vary(torch.rand(3, 1, 32, 32), targets, torch.Generator().manual_seed(0))
        assert seen.shape == (3, 1, 32, 32)
        assert torch.equal(same, targets)


class TestBalance:
    TARGETS = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0])

    def test_0_weighs_all_pictures_alike(self) -> None:
        assert balanced(self.TARGETS, 0.0).tolist() == [1.0] * 7

    def test_1_weighs_all_classes_alike(self) -> None:
        weights = balanced(self.TARGETS, 1.0)
        sums = [float(weights[label == self.TARGETS].sum()) for label in range(3)]
        assert sums == pytest.approx([1.0, 1.0, 1.0])

    def test_a_half_lies_between(self) -> None:
        weights = balanced(self.TARGETS, 0.5)
        assert float(weights[-1] / weights[0]) == pytest.approx(2.0)

    @pytest.mark.parametrize("balance", [0.0, 1.0])
    def test_lessons_weigh_by_their_settings(self, balance: float) -> None:
        for lesson in (
            DiscriminationLesson(CLASSES.model_copy(update={"balance": balance})),
            LocalizationLesson(SIDES.model_copy(update={"balance": balance})),
        ):
            assert torch.equal(lesson.weights(self.TARGETS), balanced(self.TARGETS, balance))
        assert torch.equal(LungBoxLesson(BOXES).weights(torch.zeros(3, 2, 4)), torch.ones(3))


class TestPhotographTrunk:
    def test_a_training_begins_with_what_photographs_taught_and_keeps_the_first_stages(self) -> None:
        settings = CLASSES.model_copy(
            update={"network": DiscriminationSettings(size=64, trunk="efficientnet_lite0"), "frozen_stages": 2}
        )
        trunk = DiscriminationLesson(settings).network.trunk
        learned = EfficientNetLite0()
        learned.load_imagenet()
        assert all(torch.equal(tensor, learned.state_dict()[name]) for name, tensor in trunk.state_dict().items())
        learning = {name.split(".")[1] for name, tensor in trunk.named_parameters() if tensor.requires_grad}
        assert learning == {"2", "3", "4", "5", "6"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cxr_lung_boxes", LungBoxTrainingSettings),
        ("cxr_discrimination", DiscriminationTrainingSettings),
        ("cxr_discrimination_imagenet", DiscriminationTrainingSettings),
        ("cxr_localization", LocalizationTrainingSettings),
    ],
)
def test_the_configurations_that_come_along_are_read(name: str, kind: type[RadiographTrainingSettings]) -> None:
    found = load_config(CONFIGS / f"{name}.yaml", kind)
    assert found.batch == 16 and found.learning_rate == 1e-3
