"""Findings of an X-ray: which side is meant, what counts as infected, and whose a lung box is."""

from dataclasses import replace

import pytest

from pneumoscreen.regions import MODEL, READER
from pneumoscreen.verdict import Verdict
from pneumoscreen.xray_findings import Cxr, LungBox, derived_findings, location_of, placed, with_sources

LEFT, RIGHT = (260.0, 60.0, 120.0, 280.0), (80.0, 50.0, 140.0, 300.0)
FOUND = Cxr(placed({"left": LEFT, "right": RIGHT}), {"covid19": 0.6, "healthy": 0.1, "cap": 0.3}, {}, "none")


@pytest.mark.parametrize(
    ("infected", "location"),
    [((True, False), "left"), ((False, True), "right"), ((True, True), "bipulmonary"), ((False, False), "none")],
)
def test_the_left_lung_stands_first(infected: tuple[bool, bool], location: str) -> None:
    assert location_of(infected) == location


def test_a_lung_is_infected_from_one_half_on() -> None:
    verdict = Verdict("covid19", "softmax", FOUND.probabilities, FOUND.probabilities)
    for sides, location in (((0.5, 0.49), "left"), ((0.49, 0.5), "right"), ((0.49, 0.49), "none")):
        cxr = replace(FOUND, sides=dict(zip(("left", "right"), sides, strict=True)))
        assert derived_findings(cxr, verdict)[0].location == location


@pytest.mark.parametrize(("moved", "source"), [(0.5, MODEL), (0.6, READER), (-0.5, MODEL), (-0.6, READER)])
@pytest.mark.parametrize("axis", range(4))
def test_a_box_that_moved_by_more_than_a_rounding_is_the_readers(axis: int, moved: float, source: str) -> None:
    box = tuple(value + moved * (at == axis) for at, value in enumerate(LEFT))
    submitted = replace(FOUND, lung_boxes={**FOUND.lung_boxes, "left": LungBox(box)})
    boxes, notes = with_sources(submitted, [FOUND], is_of_found=True)
    assert (boxes["left"].source, boxes["right"].source) == (source, MODEL) and notes == ()


def test_a_box_of_the_other_lung_is_no_boxs_place() -> None:
    crossed = replace(FOUND, lung_boxes={"left": LungBox(RIGHT), "right": LungBox(LEFT)})
    boxes, _ = with_sources(crossed, [FOUND], is_of_found=True)
    assert {box.source for box in boxes.values()} == {READER}
