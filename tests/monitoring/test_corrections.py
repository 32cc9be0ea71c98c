"""Corrections by kind: each change of a reader is counted as what it is, and as nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.monitoring.corrections import Corrections, corrections_of

from .clinic import INFECTED, Clinic, film, read, region, scan

FOUND = (region("r1", INFECTED), region("r2", INFECTED), region("r3", "irrelevant"))


def corrections(folder: Path, change) -> Corrections:
    clinic = Clinic.at(folder)
    case = clinic.screen(scan("a", FOUND))
    clinic.submit(change(read(case, "dr-ann", INFECTED)), "dr-ann", 1)
    (submission,) = clinic.records()["CT"].submissions
    return corrections_of(submission)


def test_what_is_left_is_accepted(tmp_path: Path) -> None:
    assert corrections(tmp_path, lambda case: case) == Corrections(accepted=3, found=3)


def test_another_label_tells_from_which_to_which(tmp_path: Path) -> None:
    def relabel(case):
        marks = [replace(one.reader, label="influenza_a") for one in case.regions[:2]]
        regions = [replace(one, reader=mark) for one, mark in zip(case.regions, marks, strict=False)]
        return replace(case, regions=(*regions, case.regions[2]), diagnosis="influenza_a")

    found = corrections(tmp_path, relabel)
    assert found == Corrections(accepted=1, relabelled={(INFECTED, "influenza_a"): 2}, found=3)


def test_deleted_moved_added_and_open(tmp_path: Path) -> None:
    def change(case):
        first, _, third = case.regions
        moved = replace(first, center_mm=(first.center_mm[0] + 4.0, *first.center_mm[1:]))
        drawn = replace(region("r7", INFECTED), source="reader", reader=first.reader, patches=(), infected_ml=None)
        return replace(case, regions=(moved, replace(third, reader=None, state="open"), drawn))

    found = corrections(tmp_path, change)
    assert (found.deleted, found.moved, found.added, found.left_open, found.found) == (1, 1, 1, 1, 3)


@pytest.mark.parametrize(("by_mm", "moved"), [(0.4, 0), (0.6, 1)])
def test_rounding_is_no_move(tmp_path: Path, by_mm: float, moved: int) -> None:
    def nudge(case):
        first, *others = case.regions
        return replace(case, regions=(replace(first, size_mm=(20.0 + by_mm, 20.0, 20.0)), *others))

    assert corrections(tmp_path, nudge).moved == moved


def test_another_reader_s_marks_are_not_this_one_s(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = clinic.screen(scan("a", FOUND))
    clinic.submit(read(case, "dr-ann", INFECTED), "dr-bob", 1)
    assert corrections_of(clinic.records()["CT"].submissions[0]).accepted == 0


def test_boxes_and_side_of_an_x_ray(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = film("a")
    boxes = {**case.cxr.lung_boxes, "left": replace(case.cxr.lung_boxes["left"], source="reader")}
    said = {"label": "covid19", "location": "bipulmonary", "name": "dr-ann"}
    clinic.submit(replace(case, cxr=replace(case.cxr, lung_boxes=boxes, reader=said)), "dr-ann")
    found = corrections_of(clinic.records()["CXR"].submissions[0])
    assert found == Corrections(boxes=2, moved_boxes=1, side=("left", "bipulmonary"))
