from pathlib import Path

import numpy as np
import pytest
import torch
from tests.slicer_extension.chest import LESION_LPS, LESION_SIZE, STORED, region
from torch.nn import functional

from pneumoscreen.ct.lungs.segmentation import Lungs
from pneumoscreen.ct.patches import extract_patches
from pneumoscreen.images import read_volume
from PneumoScreenLib.scene.patches import patch_picture
from PneumoScreenLib.scene.volumes import load_volume

PLACES = {
    "the lesion": (LESION_LPS, LESION_SIZE),
    "smaller than the smallest side": (np.add(LESION_LPS, [-6, 4, 7]), np.array([8.0, 9.0, 5.0])),
    "the middle of the stack": (np.array([60.0, 10.0, 0.4]), np.array([30.0, 30.0, 20.0])),
    "the lowest slice": (np.array([-60.0, 0.0, -122.0]), np.array([30.0, 50.0, 20.0])),
    "the border of the scan": (np.array([-113.0, 51.0, 20.0]), np.array([40.0, 30.0, 20.0])),
}


def as_the_classifier_sees(path: Path, center, size):
    """Stored slice and pixels in [0, 1] of each patch that the server cuts from the file."""
    volume = read_volume(path)
    lungs = Lungs(np.ones(volume.hu.shape, np.uint8))
    patches = extract_patches(volume, lungs, volume.box_from_mm(center, size))
    return [(volume.stored_slice(patch.z), patch.pixels) for patch in patches]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("stored", "turned"), [(stored, 0) for stored in STORED] + [("RAI", 12), ("LPS", -8)])
def test_a_picture_shows_what_the_classifier_saw(stage, write_chest, stored, turned, place):
    path = write_chest(stored, turned)
    seen = as_the_classifier_sees(path, *PLACES[place])
    volume = load_volume(str(path), "chest")
    drawn = region("r1", *PLACES[place], slices=tuple(z for z, _ in seen))
    for patch, (_, pixels) in zip(drawn.patches, seen, strict=True):
        picture = patch_picture(volume, drawn, patch)
        assert picture.dtype == np.uint8
        scaled = torch.from_numpy(picture / np.float32(255))[None, None]
        resized = functional.interpolate(scaled, pixels.shape, mode="bilinear", align_corners=False, antialias=True)
        assert np.abs(resized[0, 0].numpy() - pixels).max() < 0.01


@pytest.mark.parametrize("stored", STORED)
def test_the_patients_right_is_on_the_left_of_the_picture(stage, write_chest, stored):
    path = write_chest(stored)
    # A region whose lesion lies in its left and back quarter.
    center, size = LESION_LPS - [20, 20, 0], np.array([80.0, 80.0, 10.0])
    drawn = region("r1", center, size, slices=tuple(z for z, _ in as_the_classifier_sees(path, center, size)))
    picture = patch_picture(load_volume(str(path), "chest"), drawn, drawn.patches[1])
    rows, columns = np.nonzero(np.abs(picture.astype(int) - 198) < 5)
    assert rows.mean() > picture.shape[0] / 2 and columns.mean() > picture.shape[1] / 2
