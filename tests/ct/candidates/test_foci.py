"""One lesion, one region."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumoscreen.ct.candidates.foci import Foci, find_foci
from pneumoscreen.ct.candidates.proposals import SelectionSettings
from pneumoscreen.geometry import share_of_smaller

SHAPE = (24, 60, 80)
SELECTION = SelectionSettings(infection=0.5, component_ml=0.25, free_score=0.3)
VOXEL_ML = 0.016


def lungs() -> NDArray[np.uint8]:
    """The left lung in the upper half of x, the right one in the lower, one voxel of chest between."""
    sides = np.ones(SHAPE, dtype=np.uint8)
    sides[:, :, :40] = 2
    return sides


def foci(
    boxes: list[list[float]],
    scores: list[float],
    probability: NDArray[np.float32],
    sides: NDArray[np.uint8] | None = None,
) -> Foci:
    return find_foci(
        np.array(boxes, dtype=np.float64).reshape(-1, 6),
        np.array(scores, dtype=np.float64),
        probability,
        lungs() if sides is None else sides,
        VOXEL_ML,
        SELECTION,
    )


def nothing() -> NDArray[np.float32]:
    return np.zeros(SHAPE, dtype=np.float32)


def test_proposals_of_one_lesion_become_one_focus_with_the_lesions_box_and_the_best_score() -> None:
    probability = nothing()
    probability[4:10, 20:40, 50:70] = 0.8
    found = foci(
        [[5, 22, 52, 8, 30, 60], [3, 18, 48, 12, 42, 72], [4, 30, 60, 9, 38, 68]], [0.9, 0.7, 0.6], probability
    )
    assert found.boxes.tolist() == [[4, 20, 50, 10, 40, 70]]
    assert found.scores.tolist() == [0.9]


def test_a_piece_that_lies_wholly_inside_a_proposal_is_the_focus_in_place_of_it() -> None:
    """What the overlap of the union let through: a small piece in a large box."""
    probability = nothing()
    probability[4:8, 20:26, 50:56] = 0.7
    found = foci([[0, 5, 42, 20, 55, 79]], [0.95], probability)
    assert found.boxes.tolist() == [[4, 20, 50, 8, 26, 56]]
    assert found.scores.tolist() == [0.95]


def test_pieces_of_two_lungs_stay_apart_where_they_touch() -> None:
    probability = nothing()
    probability[4:10, 20:40, 30:50] = 0.8
    found = foci([], [], probability)
    assert sorted(found.boxes.tolist()) == [[4, 20, 30, 10, 40, 40], [4, 20, 40, 10, 40, 50]]


def test_a_proposal_without_infection_stays_where_it_is_sure_enough() -> None:
    found = foci([[2, 2, 2, 6, 12, 12], [2, 40, 60, 6, 50, 70]], [0.6, 0.2], nothing())
    assert found.boxes.tolist() == [[2, 2, 2, 6, 12, 12]]


def test_a_piece_of_a_few_voxels_is_no_focus() -> None:
    probability = nothing()
    probability[4, 20:22, 50:52] = 0.9
    assert not len(foci([], [], probability).boxes)


def test_pieces_outside_the_lungs_are_none() -> None:
    probability = nothing()
    probability[4:10, 20:40, 50:70] = 0.8
    assert not len(foci([], [], probability, np.zeros(SHAPE, dtype=np.uint8)).boxes)


def test_infected_voxels_between_the_lungs_belong_to_neither() -> None:
    probability, sides = nothing(), lungs()
    sides[:, :, 38:42] = 0
    probability[4:10, 20:40, 36:60] = 0.8
    found = foci([], [], probability, sides)
    assert sorted(found.boxes.tolist()) == [[4, 20, 36, 10, 40, 38], [4, 20, 42, 10, 40, 60]]


def test_what_just_reaches_a_threshold_counts() -> None:
    probability = nothing()
    probability[4, 20:24, 50:54] = 0.9
    selection = SELECTION.model_copy(update={"component_ml": 16 * VOXEL_ML})
    empty = np.zeros((0, 6))
    assert len(find_foci(empty, np.zeros(0), probability, lungs(), VOXEL_ML, selection).boxes) == 1
    more = SELECTION.model_copy(update={"component_ml": 16.5 * VOXEL_ML})
    assert len(find_foci(empty, np.zeros(0), probability, lungs(), VOXEL_ML, more).boxes) == 0
    assert len(foci([[2, 2, 2, 6, 12, 12]], [0.3], nothing()).boxes) == 1


def ring(probability: NDArray[np.float32], size: int, value: float) -> None:
    """A hollow square of infected voxels at (20, 50) in four slices: around another piece without touching it."""
    probability[4:8, 20 : 20 + size, 50 : 50 + size] = value
    probability[4:8, 22 : 18 + size, 52 : 48 + size] = 0.0


def test_a_piece_inside_the_box_of_another_is_joined_with_the_higher_score() -> None:
    for inner, outer in ((0.9, 0.7), (0.7, 0.9)):
        probability = nothing()
        ring(probability, 16, outer)
        probability[4:8, 25:31, 55:61] = inner
        found = foci([], [], probability)
        assert found.boxes.tolist() == [[4, 20, 50, 8, 36, 66]]
        np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)


def test_pieces_whose_boxes_share_just_half_of_the_smaller_stay_two() -> None:
    for first, count in ((5, 1), (6, 2)):  # of its four slices three, or two, lie beside the ring's 4 to 7
        probability = nothing()
        ring(probability, 16, 0.9)
        probability[first : first + 4, 25:31, 55:61] = 0.8
        assert len(foci([], [], probability).boxes) == count


PIECE = st.tuples(st.integers(0, 18), st.integers(0, 48), st.integers(0, 68), st.integers(2, 6), st.integers(4, 12))
PROPOSAL = st.tuples(PIECE, st.floats(0.0, 1.0))


@given(st.lists(PIECE, max_size=5), st.lists(PROPOSAL, max_size=8))
def test_no_two_foci_share_more_than_half_of_the_smaller(
    pieces: list[tuple[int, ...]], proposals: list[tuple[tuple[int, ...], float]]
) -> None:
    probability = nothing()
    for z, y, x, depth, side in pieces:
        probability[z : z + depth, y : y + side, x : x + side] = 0.9
    ordered = sorted(proposals, key=lambda p: -p[1])
    boxes = [[z, y, x, z + depth, y + side, x + side] for (z, y, x, depth, side), _ in ordered]
    found = foci(boxes, [score for _, score in ordered], probability)
    overlap = share_of_smaller(found.boxes, found.boxes)
    assert not (overlap[~np.eye(len(found.boxes), dtype=bool)] > 0.5).any()
    assert (np.diff(found.scores) <= 0).all()
