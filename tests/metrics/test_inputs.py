"""What cards keep of training images: the values themselves, each patient once, of the image and not of the model."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pneumoscreen.case import Case, ImageInfo, LungInfo
from pneumoscreen.metrics.inputs import CARD_INPUTS, MOST_KEPT, figures_of_card, kept_figures
from pneumoscreen.xray_findings import Cxr, placed


def scan(slice_mm: float = 5.0, lungs_ml: float = 4000.0) -> Case:
    lungs = {"left": LungInfo(0.45 * lungs_ml, 30.0), "right": LungInfo(0.55 * lungs_ml, 0.0)}
    return Case("a", "CT", ImageInfo((512, 400, 60), (0.7, 0.8, slice_mm), "00"), lungs=lungs)


def test_each_patient_counts_once_with_number_mean_and_deviation() -> None:
    told = kept_figures([("p", scan(5.0)), ("q", scan(1.25)), ("p", scan(3.0)), ("r", scan(1.25))], "three patients")
    assert told["of"] == "three patients"
    figures = told["figures"]
    assert set(figures) == {"slice_mm", "slices", "pixel_mm", "width_pixels", "lungs_ml"}, "nothing that a model says"
    assert figures["slice_mm"] == {
        "count": 3,
        "mean": 2.5,
        "sd": pytest.approx(np.std([5.0, 1.25, 1.25])),
        "values": [1.25, 1.25, 5.0],
    }
    means = [figures[key]["mean"] for key in ("width_pixels", "slices", "pixel_mm")]
    assert means == pytest.approx([512, 60, 0.7])
    assert figures["lungs_ml"]["mean"] == 4000.0


def test_of_many_some_stand_for_all_and_are_no_others_than_were_there() -> None:
    sizes = np.random.default_rng(0).normal(4600.0, 700.0, 1000)
    told = kept_figures([(str(i), scan(lungs_ml=float(ml))) for i, ml in enumerate(sizes)], "")["figures"]["lungs_ml"]
    assert told["count"] == 1000 and len(told["values"]) == MOST_KEPT
    assert told["values"][49:51] == pytest.approx([np.quantile(sizes, q) for q in (0.495, 0.505)], abs=20.0)
    assert np.abs(np.array(told["values"])[:, None] - sizes).min(axis=1).max() < 1e-9


def test_of_an_x_ray_the_drawn_boxes_count_and_what_networks_say_does_not() -> None:
    boxes = placed({"left": (0.0, 0.0, 100.0, 200.0), "right": (100.0, 0.0, 50.0, 200.0)})
    film = Case("a", "CXR", ImageInfo((400, 300), (0.2, 0.2), "00"), cxr=Cxr(boxes, {"cap": 1.0}, {}, "none"))
    figures = kept_figures([("p", film), ("q", replace(film, cxr=None))], "")["figures"]
    assert set(figures) == {"width_pixels", "height_pixels", "pixel_mm", "lung_boxes_percent"}
    assert figures["lung_boxes_percent"]["values"] == [25.0]


def test_without_images_nothing_is_kept() -> None:
    assert kept_figures([], "none") == {"of": "none", "figures": {}}


@pytest.mark.parametrize(
    "inputs",
    [None, [], {"figures": 3}, {"figures": {"slice_mm": [1.0]}}, {"figures": {"slice_mm": {"values": ["5"]}}}],
)
def test_what_cannot_be_read_counts_as_not_told(inputs: Any) -> None:
    assert figures_of_card({CARD_INPUTS: inputs}) == {} == figures_of_card({})


def test_a_card_gives_back_what_was_kept() -> None:
    card = {CARD_INPUTS: kept_figures([("p", scan(5.0)), ("q", scan(1.25))], "")}
    assert figures_of_card(card)["slice_mm"].tolist() == [1.25, 5.0]
