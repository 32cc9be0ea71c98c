"""Index boxes and slices of a volume: by hand, with another spacing on every axis."""

from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.images.volume import Volume, box_voxels

DIRECTION = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])


def volume(orientation: str = "LPS") -> Volume:
    return Volume(
        np.zeros((7, 5, 4), np.int16), (0.5, 2.0, 3.0), (10.0, 20.0, 30.0), DIRECTION, "a", Path("a"), "00",
        stored_orientation=orientation,
    )  # fmt: skip


def test_a_box_has_its_sizes_in_the_order_x_y_z_and_comes_back() -> None:
    box = np.array([0.5, 1.5, 0.5, 4.5, 3.5, 3.5])  # z 4, y 2, x 3 voxels
    center, size = volume().box_to_mm(box)
    assert size.tolist() == [1.5, 4.0, 12.0]
    # x 2 * 0.5 = 1, y 2.5 * 2 = 5, z 2.5 * 3 = 7.5, turned about z.
    assert center == pytest.approx([10 + 0.96 * 1 - 0.28 * 5, 20 + 0.28 * 1 + 0.96 * 5, 37.5])
    assert volume().box_from_mm(center, size) == pytest.approx(box)


def test_a_voxel_is_in_a_box_that_holds_its_centre() -> None:
    assert box_voxels(np.array([0.5, 1.5, -0.5, 4.5, 3.5, 2.5]), (7, 5, 4)) == (slice(1, 5), slice(2, 4), slice(0, 3))
    assert box_voxels(np.array([0.4, 1.6, 0.1, 4.4, 3.6, 2.9]), (7, 5, 4)) == (slice(1, 5), slice(2, 4), slice(1, 3))
    assert box_voxels(np.array([-9.0, -9, -9, 99, 99, 99]), (7, 5, 4)) == (slice(0, 7), slice(0, 5), slice(0, 4))


@pytest.mark.parametrize(("orientation", "stored"), [("LPS", 1), ("RAS", 1), ("RPI", 5), ("LIP", 5), ("PIR", 5)])
def test_slices_are_numbered_from_the_head_where_the_file_is(orientation: str, stored: int) -> None:
    assert volume(orientation).stored_slice(1) == stored
    assert volume(orientation).stored_slice(stored) == 1, "its own inverse"
