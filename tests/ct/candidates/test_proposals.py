"""Anchors, matching, codes, selection and the definition of a hit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.ct.candidates.network import CandidateNetworkSettings
from pneumoscreen.ct.candidates.proposals import IGNORED, NEGATIVE, POSITIVE, Proposals, SelectionSettings
from pneumoscreen.metrics.detection import hits

SETTINGS = CandidateNetworkSettings()
SHAPE = (24, 64, 80)


def feature_maps() -> tuple[torch.Tensor, ...]:
    depth, height, width = SHAPE
    strides = [(2, 4, 4), (4, 8, 8), (8, 16, 16)]
    return tuple(torch.zeros(1, 3, depth // z, height // y, width // x) for z, y, x in strides)


ANCHORS = Proposals(SETTINGS).anchors(torch.zeros(1, 2, *SHAPE), feature_maps())


@pytest.fixture(scope="module")
def proposals() -> Proposals:
    return Proposals(SETTINGS)


@pytest.fixture
def anchors() -> torch.Tensor:
    return ANCHORS


def test_anchors_stand_at_the_centres_of_their_cells(anchors: torch.Tensor) -> None:
    assert len(anchors) == 3 * (12 * 16 * 20 + 6 * 8 * 10 + 3 * 4 * 5)
    centres = (anchors[:, :3] + anchors[:, 3:]) / 2
    assert torch.equal(centres[0], torch.tensor([1.0, 2.0, 2.0]))
    assert torch.equal(centres[3], torch.tensor([1.0, 2.0, 6.0])), "x runs fastest, three anchors a position"
    assert torch.equal(centres[-1], torch.tensor([20.0, 56.0, 72.0]))


def test_anchor_sizes_are_those_of_the_settings(anchors: torch.Tensor) -> None:
    sizes = anchors[:, 3:] - anchors[:, :3]
    assert torch.equal(sizes[:3], torch.tensor(SETTINGS.anchor_shapes))
    assert torch.equal(sizes[-3:], 4 * torch.tensor(SETTINGS.anchor_shapes))


def boxes_strategy() -> st.SearchStrategy[list[float]]:
    low = st.tuples(st.floats(0, 10), st.floats(0, 40), st.floats(0, 50))
    size = st.tuples(st.floats(2, 12), st.floats(4, 20), st.floats(4, 20))
    return st.builds(lambda a, s: [*a, *(x + y for x, y in zip(a, s, strict=True))], low, size)


@given(boxes_strategy(), st.integers(0, 1000))
def test_codes_bring_back_the_box(box: list[float], number: int) -> None:
    proposals = Proposals(SETTINGS)
    anchor = ANCHORS[number : number + 1]
    wanted = torch.tensor([box])
    assert torch.allclose(proposals.decode(proposals.encode(wanted, anchor), anchor), wanted, atol=1e-2)


@pytest.mark.parametrize("size_mm", [10.0, 20.0, 40.0, 80.0, 120.0])
def test_infections_of_every_size_have_an_anchor_within_reach(size_mm: float) -> None:
    grown = torch.tensor([40, 96, 96])
    maps = tuple(torch.zeros(1, 3, *(grown // torch.tensor(s))) for s in [(2, 4, 4), (4, 8, 8), (8, 16, 16)])
    proposals = Proposals(SETTINGS)
    anchors = proposals.anchors(torch.zeros(1, 2, *grown), maps)
    half = torch.tensor([size_mm / 4, size_mm / 2, size_mm / 2]) / 2
    centre = torch.tensor([19.0, 47.0, 49.0])
    box = torch.cat([centre - half, centre + half])[None]
    targets = proposals.match(anchors, maps, box, torch.zeros(0, 6))
    positive = targets.labels == POSITIVE
    assert positive.any()
    # Codes beyond the coder's limit could never be decoded again.
    assert float(targets.codes[:, 3:].abs().max()) < 1.5
    assert torch.allclose(
        proposals.decode(targets.codes, anchors[positive]), box.expand(len(targets.codes), -1), atol=1e-2
    )


def test_irrelevant_lesions_are_neither_found_nor_denied(proposals: Proposals, anchors: torch.Tensor) -> None:
    infection = torch.tensor([[4.0, 10, 10, 10, 24, 24]])
    irrelevant = torch.tensor([[12.0, 40, 50, 18, 54, 64]])
    targets = proposals.match(anchors, feature_maps(), infection, irrelevant)
    inside = anchors[targets.labels == IGNORED]
    assert len(inside) and hits(inside, torch.cat([infection, irrelevant])).any(axis=1).all()
    positives = anchors[targets.labels == POSITIVE]
    assert hits(positives, infection).all()
    assert (targets.labels == NEGATIVE).sum() > len(anchors) * 0.9


def test_without_lesions_every_anchor_is_negative(proposals: Proposals, anchors: torch.Tensor) -> None:
    nothing = torch.zeros(0, 6)
    targets = proposals.match(anchors, feature_maps(), nothing, nothing)
    assert (targets.labels == NEGATIVE).all() and len(targets.codes) == 0


def test_flattened_maps_follow_the_order_of_the_anchors(proposals: Proposals, anchors: torch.Tensor) -> None:
    maps = feature_maps()
    codes = [torch.zeros(1, 18, *m.shape[2:]) for m in maps]
    maps[0][0, 1, 3, 5, 7] = 9.0
    codes[0][0, 6:12, 3, 5, 7] = torch.arange(1.0, 7.0)
    logits, flat = proposals.flatten(maps, tuple(codes))
    place = int(logits[0].argmax())
    assert torch.equal(flat[0, place], torch.arange(1.0, 7.0))
    centre = (anchors[place, :3] + anchors[place, 3:]) / 2
    assert torch.equal(centre, torch.tensor([7.0, 22.0, 30.0]))
    assert torch.equal(anchors[place, 3:] - anchors[place, :3], torch.tensor(SETTINGS.anchor_shapes[1]))


def test_selection_keeps_the_best_of_overlapping_boxes(proposals: Proposals, anchors: torch.Tensor) -> None:
    logits = torch.full((len(anchors),), -10.0)
    # Shapes 1 of two neighbouring positions overlap by more than half; the last anchor is far away.
    logits[1], logits[4], logits[-3] = 1.0, 2.0, 0.0
    boxes, scores = proposals.select(logits, torch.zeros(len(anchors), 6), anchors, SHAPE, SelectionSettings())
    assert scores.tolist() == pytest.approx([torch.sigmoid(torch.tensor(2.0)).item(), 0.5])
    assert float(boxes[0, :3].min()) >= 0, "clipped to the grid"
    assert (boxes[:, 3:] <= torch.tensor(SHAPE)).all()


def test_selection_of_nothing_is_empty(proposals: Proposals, anchors: torch.Tensor) -> None:
    logits = torch.full((len(anchors),), -10.0)
    boxes, scores = proposals.select(logits, torch.zeros(len(anchors), 6), anchors, SHAPE, SelectionSettings())
    assert boxes.shape == (0, 6) and scores.shape == (0,)
