"""Boxes that are not selected, as lines in 3-D views: where they lie, in whose colour, and when they go."""

from dataclasses import replace

import numpy as np
import pytest
import slicer.util
from tests.slicer_extension.chest import LESION_SIZE, case_of, region
from vtk.util.numpy_support import vtk_to_numpy

from PneumoScreenLib.boxes.boxes import Boxes
from PneumoScreenLib.boxes.frames import edges_of
from PneumoScreenLib.contract import ReaderMark, lps_to_ras
from PneumoScreenLib.scene.colours import colour_of

OTHER = region("r2", np.array([-60.0, -10.0, 45.0]), np.array([30.0, 40.0, 24.0]), "influenza_a")
THIRD = region("r3", np.array([50.0, 30.0, -45.0]), np.array([10.0, 20.0, 30.0]), "irrelevant")
TILTED = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


@pytest.fixture
def boxes(stage):
    boxes = Boxes(stage.double.scene, stage.background.later)
    yield boxes
    boxes.clear()


def frame():
    """The model of the frames; None where there is none."""
    return next((node for node in slicer.util.getNodesByClass("vtkMRMLModelNode") if "boxes" in node.GetName()), None)


def points_of(node) -> np.ndarray:
    return vtk_to_numpy(node.GetPolyData().GetPoints().GetData()).reshape(-1, 8, 3)


@pytest.mark.parametrize("axes", [np.eye(3), np.diag([-1.0, -1.0, 1.0]), TILTED], ids=["RAS", "LPS", "tilted"])
def test_twelve_edges_of_each_box_run_along_its_axes_from_corner_to_corner(axes):
    data = edges_of([OTHER, THIRD], axes)
    points = vtk_to_numpy(data.GetPoints().GetData())
    ends = vtk_to_numpy(data.GetLines().GetConnectivityArray()).reshape(2, 12, 2)
    for box, pairs in zip((OTHER, THIRD), ends, strict=True):
        along = (points[pairs[:, 0]] - points[pairs[:, 1]]) @ axes
        lengths = np.sort(np.abs(along).max(1))
        assert np.allclose(lengths, np.repeat(np.sort(box.size_mm), 4), atol=1e-4)
        assert (np.abs(along) > 1e-3).sum() == 12, "each in one direction"
        assert np.allclose(points[np.unique(pairs)].mean(0), lps_to_ras(box.center_mm), atol=1e-4)


def test_all_but_the_selected_box_are_framed_in_the_colour_of_their_type(stage, boxes):
    boxes.show(case_of(region(), OTHER, THIRD), "r1")
    found = points_of(frame())
    assert np.allclose(found.mean(1), [lps_to_ras(box.center_mm) for box in (OTHER, THIRD)], atol=1e-4)
    colours = vtk_to_numpy(frame().GetPolyData().GetPointData().GetScalars()).reshape(-1, 8, 3)
    assert (colours == colours[:, :1]).all()
    wanted = [colour_of("influenza_a"), colour_of("irrelevant")]
    assert np.allclose(colours[:, 0] / 255, wanted, atol=1 / 255)
    boxes.select("r3")
    assert np.allclose(np.ptp(points_of(frame()), axis=1), [LESION_SIZE, OTHER.size_mm], atol=1e-4)
    marked = replace(OTHER, reader=ReaderMark("irrelevant", "ann", "2026-11-22T10:00:00Z"))
    boxes.show(case_of(region(), marked, THIRD), "r3")
    colours = vtk_to_numpy(frame().GetPolyData().GetPointData().GetScalars()).reshape(-1, 8, 3)
    assert np.allclose(colours[1, 0] / 255, colour_of("irrelevant"), atol=1 / 255)


def test_a_frame_is_seen_in_3d_in_its_own_colour_and_in_no_slice_view(stage, boxes):
    before = [view.pixels().copy() for view in stage.slices]
    far = replace(OTHER, center_mm=(0.0, 0.0, 400.0))
    boxes.show(case_of(far), None)
    stage.space.fit(azimuth=30, elevation=20)
    pixels = stage.space.pixels()[..., :3].astype(int)
    wanted = (255 * np.array(colour_of("influenza_a"))).round()
    assert (np.abs(pixels - wanted).max(-1) < 40).sum() > 100
    assert all((view.pixels() == was).all() for view, was in zip(stage.slices, before, strict=True))
    boxes.hide(True)
    hidden = stage.space.pixels()[..., :3].astype(int)
    assert not (np.abs(hidden - wanted).max(-1) < 40).any()
    boxes.hide(False)
    assert (stage.space.pixels()[..., :3] == pixels).all()


def test_frames_go_with_their_case_and_are_never_saved(stage, boxes, tmp_path):
    boxes.show(case_of(region(), OTHER), "r1")
    assert not frame().GetSaveWithScene() and not frame().GetDisplayNode().GetSaveWithScene()
    stage.background.finish()
    for _ in boxes.withdraw():
        pass
    assert frame() is None
    boxes.show(case_of(region(), OTHER), "r1")
    stage.double.scene.Clear(False)
    boxes.show(case_of(region(), OTHER), "r1")
    assert len(points_of(frame())) == 1, "made again after a scene was closed"
    boxes.clear()
    assert frame() is None
