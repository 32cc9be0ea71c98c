"""An infection mask as lesions: what is joined, what is dropped, and what always holds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumoscreen.ct.importers.regions import MOST_LESIONS, SPECK_ML, split_lesions
from pneumoscreen.images.volume import LEFT, RIGHT

SHAPE = (20, 40, 60)
SPACING = (2.0, 1.0, 1.0)


def lungs() -> NDArray[np.uint8]:
    """A right lung at low x, a left lung at high x, a gap between them."""
    found = np.zeros(SHAPE, dtype=np.uint8)
    found[:, :, :26], found[:, :, 34:] = RIGHT, LEFT
    return found


def blocks(*corners: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Cubes of 6 x 6 x 6 voxels (0.43 ml) at these corners."""
    mask = np.zeros(SHAPE, dtype=bool)
    for z, y, x in corners:
        mask[z : z + 6, y : y + 6, x : x + 6] = True
    return mask


def test_pieces_less_than_five_millimetres_apart_are_one_lesion() -> None:
    assert len(split_lesions(blocks((2, 2, 2), (2, 2, 12)), lungs(), SPACING).boxes) == 1
    assert len(split_lesions(blocks((2, 2, 2), (2, 2, 14)), lungs(), SPACING).boxes) == 2
    assert len(split_lesions(blocks((2, 2, 2), (9, 2, 2)), lungs(), SPACING).boxes) == 1


def test_no_lesion_spans_both_lungs() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5:10, 5:15, 15:45] = True
    found = split_lesions(mask, lungs(), SPACING)
    assert len(found.boxes) == 2
    assert np.array_equal(found.numbers > 0, mask), "voxels between the lungs go to one of them"
    sides = [set(np.unique(lungs()[found.numbers == number])) - {0} for number in (1, 2)]
    assert sorted(map(tuple, sides)) == [(LEFT,), (RIGHT,)]


def test_specks_are_dropped_and_told_unless_nothing_else_is_there() -> None:
    mask = blocks((2, 2, 2))
    mask[12, 30, 2] = True
    found = split_lesions(mask, lungs(), SPACING)
    assert len(found.boxes) == 1 and found.numbers[12, 30, 2] == 0
    assert "1 specks" in found.notes[0]
    alone = np.zeros(SHAPE, dtype=bool)
    alone[12, 30, 2] = alone[3, 3, 50] = alone[3, 3, 51] = True
    found = split_lesions(alone, lungs(), SPACING)
    assert np.argwhere(found.numbers).tolist() == [[3, 3, 50], [3, 3, 51]], "the largest stays"


def test_an_empty_mask_has_no_lesion() -> None:
    found = split_lesions(np.zeros(SHAPE, dtype=bool), lungs(), SPACING)
    assert found.boxes == () and found.notes == () and not found.numbers.any()


def test_a_label_map_holds_no_more_than_a_byte_can_number() -> None:
    shape = (120, 60, 60)
    mask = np.zeros(shape, dtype=bool)
    mask[::14, ::10, ::10] = True
    grown = np.zeros(shape, dtype=bool)
    for z, y, x in np.argwhere(mask):
        grown[z : z + 4, y : y + 4, x : x + 4] = True
    found = split_lesions(grown, np.full(shape, LEFT, dtype=np.uint8), (2.0, 2.0, 2.0))
    assert len(found.boxes) == min(MOST_LESIONS, int(mask.sum())) and int(found.numbers.max()) == MOST_LESIONS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 34), st.integers(0, 54)), min_size=1, max_size=6))
def test_boxes_are_tight_numbers_descend_in_size_and_nothing_is_added(corners: list[tuple[int, int, int]]) -> None:
    mask = blocks(*corners)
    found = split_lesions(mask, lungs(), SPACING)
    assert not (found.numbers[~mask] > 0).any()
    sizes = [int((found.numbers == number).sum()) for number in range(1, len(found.boxes) + 1)]
    assert sizes == sorted(sizes, reverse=True) and min(sizes) > 0
    assert all(size * float(np.prod(SPACING)) / 1000 >= SPECK_ML for size in sizes) or len(sizes) == 1
    for number, box in enumerate(found.boxes, start=1):
        voxels = np.argwhere(found.numbers == number)
        assert box.tolist() == [*(voxels.min(axis=0) - 0.5), *(voxels.max(axis=0) + 0.5)]
