"""Pictures of the views: against golden ones, and in pixels where box and lesion stand.

`PNEUMOSCREEN_GOLDEN=write` draws the golden pictures anew: look at them before they are committed.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from tests.slicer_extension.chest import LESION_LPS, LESION_SIZE, case_of, region
from tests.slicer_extension.doubles.headless_views import write_png

from PneumoScreenLib.boxes.boxes import Boxes
from PneumoScreenLib.scene.colours import colour_of
from PneumoScreenLib.scene.views import jump_to
from PneumoScreenLib.scene.volumes import load_volume

GOLDEN = Path(__file__).parent / "golden"
LARGEST_SHARE = 0.01
"""Share of pixels that may differ: another version of the renderer draws edges and letters a little differently."""
REGIONS = (
    region(),
    region("r2", np.array([-60.0, -20.0, 45.0]), np.array([34.0, 44.0, 40.0]), "influenza_a"),
    region("r3", np.array([-40.0, 36.0, 45.0]), np.array([30.0, 24.0, 24.0]), "irrelevant"),
    region("r4", np.array([62.0, -34.0, 30.0]), np.array([30.0, 24.0, 70.0]), None),
)


def show(stage, path, selected="r1", regions=REGIONS):
    boxes = Boxes(stage.double.scene, stage.background.later)
    boxes.set_volume(load_volume(str(path), "chest"))
    boxes.show(case_of(*regions), selected)
    jump_to(LESION_LPS)
    for view in stage.slices:
        view.logic.FitSliceToBackground()
        view.node.JumpSliceByOffsetting(-LESION_LPS[0], -LESION_LPS[1], LESION_LPS[2])
    stage.background.finish()
    return boxes


@pytest.mark.parametrize("name", ["axial", "coronal", "sagittal"])
def test_views_look_as_they_did(stage, write_chest, name):
    boxes = show(stage, write_chest("RAI"))
    drawn = getattr(stage, name).pixels()
    path = GOLDEN / f"{name}.png"
    if os.environ.get("PNEUMOSCREEN_GOLDEN") == "write":
        write_png(path, drawn)
    golden = np.asarray(Image.open(path).convert("RGB"))
    assert path.stat().st_size < 60_000
    differs = np.abs(drawn.astype(int) - golden).max(axis=2) > 40
    assert differs.mean() < LARGEST_SHARE
    # The tolerance does not swallow a box that stands elsewhere or has another colour.
    boxes.show(case_of(*REGIONS[1:]), None)
    without = getattr(stage, name).pixels()
    assert (np.abs(without.astype(int) - golden).max(axis=2) > 40).mean() > LARGEST_SHARE
    boxes.clear()


def bounds(mask):
    """First and last row and column that a mask covers."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([rows[0], rows[-1], columns[0], columns[-1]])


def lesion_pixels(pixels):
    """The largest patch of the lesion's grey; edges of the body have it too, a pixel wide."""
    grey = pixels.astype(int)
    alike, _ = ndimage.label((np.ptp(grey, axis=2) == 0) & (np.abs(grey[..., 0] - 196) < 8))
    return alike == np.bincount(alike.ravel())[1:].argmax() + 1


@pytest.mark.parametrize("stored", ["LPS", "RAI", "LAS"])
def test_the_box_stands_where_the_lesion_is(stage, write_chest, stored):
    only = region(label="influenza_a")
    boxes = show(stage, write_chest(stored), None, (only,))
    boxes.node("r1").GetDisplayNode().SetPropertiesLabelVisibility(False)
    boxes.node("r1").GetDisplayNode().SetOpacity(1)
    boxes.node("r1").GetDisplayNode().SetOutlineOpacity(1)
    colour = np.array(colour_of("influenza_a"))
    # Down and right of the middle: the lesion lies to the left, the back and the head of the patient.
    sides = {"axial": (1, 1), "coronal": (-1, 1), "sagittal": (-1, 1)}
    for name, (below, right) in sides.items():
        view = getattr(stage, name)
        with_box = view.pixels().astype(int)
        line = (with_box[..., 2] - with_box[..., 0] > 60) & (colour[2] > colour[0])
        boxes.node("r1").GetDisplayNode().SetVisibility(False)
        lesion = lesion_pixels(view.pixels())
        boxes.node("r1").GetDisplayNode().SetVisibility(True)
        box, spot = bounds(line), bounds(lesion)
        pixel = with_box.shape[1] / 256 / view.node.GetFieldOfView()[0] * 256
        assert np.abs(box - spot).max() <= 5.5 * pixel + 2, (name, box, spot)
        middle = np.array([spot[:2].mean(), spot[2:].mean()]) - 160
        assert (np.sign(middle) == (below, right)).all(), (name, middle)
    boxes.clear()


def test_a_box_on_the_other_side_is_seen_as_wrong(stage, write_chest):
    """The comparison above can fail: a box mirrored to the other lung does not cover the lesion."""
    mirrored = region(center=LESION_LPS * [-1, 1, 1], size=LESION_SIZE, label="influenza_a")
    boxes = show(stage, write_chest("RAI"), None, (mirrored,))
    boxes.node("r1").GetDisplayNode().SetPropertiesLabelVisibility(False)
    pixels = stage.axial.pixels().astype(int)
    box, spot = bounds(pixels[..., 2] - pixels[..., 0] > 60), bounds(lesion_pixels(pixels.astype(np.uint8)))
    assert box[3] < 160 < spot[2]
    boxes.clear()
