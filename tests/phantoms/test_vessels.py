"""Trees of tubes: connected, thinner outwards, painted where they are."""

import numpy as np

from pneumoscreen.phantoms.vessels import Tubes, grow_tree, paint_tubes


def test_tree_reaches_every_target_from_the_root() -> None:
    rng = np.random.default_rng(0)
    root, targets = np.zeros(3), rng.uniform(10, 90, (200, 3))
    tree = grow_tree(root, targets, tip_radius=0.7)
    assert len(tree) == 200
    ends = {tuple(end) for end in tree.end}
    assert ends == {tuple(target) for target in targets}
    assert all(tuple(start) in ends or not start.any() for start in tree.start)


def test_radius_follows_murrays_law() -> None:
    root = np.zeros(3)
    tree = grow_tree(root, np.array([[10.0, 0, 0], [20.0, 5, 0], [20.0, -5, 0]]), tip_radius=1.0)
    np.testing.assert_allclose(tree.radius, [np.cbrt(2.0), 1.0, 1.0])


def test_tube_is_painted_along_its_axis_only() -> None:
    x, y, z = (np.arange(n, dtype=np.float32) for n in (20, 12, 10))
    occupancy = np.zeros((10, 12, 20), np.float32)
    paint_tubes(occupancy, (x, y, z), Tubes(np.array([[4.0, 6, 5]]), np.array([[15.0, 6, 5]]), np.array([2.0])))
    assert occupancy[5, 6, 10] == 1.0
    assert occupancy[5, 6, 19] == 0.0
    assert occupancy[5, 10, 10] == 0.0
    volume = np.pi * 4 * 11 + 4 / 3 * np.pi * 8
    assert abs(occupancy.sum() - volume) < 0.12 * volume


def test_tube_outside_the_grid_paints_nothing() -> None:
    axis = np.arange(8, dtype=np.float32)
    occupancy = np.zeros((8, 8, 8), np.float32)
    paint_tubes(occupancy, (axis, axis, axis), Tubes(np.full((1, 3), -30.0), np.full((1, 3), -20.0), np.array([2.0])))
    assert not occupancy.any()
