"""Candidates of a whole scan: what comes out, where, and that it comes out the same every time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pneumoscreen.ct.candidates import finding
from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings, candidates_on_grid, find_candidates
from pneumoscreen.ct.candidates.network import CandidateOutput
from pneumoscreen.ct.candidates.working_grid import WorkingGrid
from pneumoscreen.errors import Cancelled, ModelError, NoLungsError
from pneumoscreen.images.volume import Volume

SMALL = CandidateSettings.model_validate(
    {
        "selection": {"score": 0.02, "free_score": 0.02},  # untrained networks are sure of nothing
        "network": {
            "channels": (8, 16, 16, 24),
            "encoder_blocks": (1, 1, 1, 1),
            "decoder_blocks": (1, 1, 1),
            "proposal_stages": (2, 3),
            "anchor_scales": (1.0, 2.0),
            "proposal_channels": 16,
        },
    }
)


@dataclass(frozen=True)
class ToyLungs:
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class ToyWeights:
    state: dict[str, torch.Tensor]
    card: dict[str, object]


@pytest.fixture(scope="module")
def scan() -> tuple[Volume, ToyLungs]:
    rng = np.random.default_rng(3)
    shape = (36, 128, 160)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    labels = np.zeros(shape, dtype=np.uint8)
    for centre, side in ((48, 2), (112, 1)):
        labels[((z - 18) / 15) ** 2 + ((y - 64) / 45) ** 2 + ((x - centre) / 26) ** 2 < 1] = side
    hu = np.where(labels > 0, -850, 30) + rng.normal(0, 25, shape)
    hu[16:24, 50:70, 40:60] = -300
    volume = Volume(hu.astype(np.int16), (1.6, 1.6, 5.0), (0.0, 0.0, 0.0), np.eye(3), "toy", Path("toy"), "0" * 64)
    return volume, ToyLungs(labels)


def test_candidates_lie_in_the_lungs_box_and_are_sorted(scan: tuple[Volume, ToyLungs]) -> None:
    volume, lungs = scan
    found = find_candidates(volume, lungs, CandidateModel.untrained(SMALL))
    assert 0 < len(found.boxes) <= 20
    assert found.boxes.dtype == np.float64 and found.boxes.shape == (len(found.scores), 6)
    assert (np.diff(found.scores) <= 0).all() and (found.scores >= 0).all() and (found.scores <= 1).all()
    assert (found.boxes[:, 3:] > found.boxes[:, :3]).all()
    assert found.infection.shape == volume.hu.shape and found.infection.dtype == bool
    lung = np.argwhere(lungs.labels > 0)
    margin = np.ceil(SMALL.grid.margin_mm / np.asarray(volume.spacing_zyx)) + 0.5
    assert (found.boxes[:, :3] >= lung.min(axis=0) - margin - 1e-6).all()
    assert (found.boxes[:, 3:] <= lung.max(axis=0) + margin + 1e-6).all()


def test_twice_is_the_same(scan: tuple[Volume, ToyLungs]) -> None:
    first, second = (find_candidates(*scan, CandidateModel.untrained(SMALL)) for _ in range(2))
    assert np.array_equal(first.boxes, second.boxes)
    assert np.array_equal(first.scores, second.scores)
    assert np.array_equal(first.infection, second.infection)


def test_weights_travel_through_their_card(scan: tuple[Volume, ToyLungs]) -> None:
    model = CandidateModel.untrained(SMALL, seed=5)
    again = CandidateModel.load(ToyWeights(model.state(), {"network": model.card_network()}))
    assert again.settings == SMALL
    assert np.array_equal(find_candidates(*scan, model).scores, find_candidates(*scan, again).scores)


@pytest.mark.parametrize("card", [{"network": {"network": {"width": 3}}}, {"network": {}}])
def test_weights_that_do_not_fit_their_card_are_refused(card: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="ct_candidates"):
        CandidateModel.load(ToyWeights(CandidateModel.untrained(SMALL).state(), card))


def test_no_lungs_are_refused(scan: tuple[Volume, ToyLungs]) -> None:
    with pytest.raises(NoLungsError):
        find_candidates(scan[0], ToyLungs(np.zeros_like(scan[1].labels)), CandidateModel.untrained(SMALL))


def test_progress_rises_and_can_cancel(scan: tuple[Volume, ToyLungs]) -> None:
    seen: list[float] = []

    def note(stage: str, fraction: float) -> None:
        assert stage == "candidates"
        seen.append(fraction)
        if fraction >= 0.8:
            raise Cancelled

    with pytest.raises(Cancelled):
        find_candidates(*scan, CandidateModel.untrained(SMALL), note)
    assert seen == sorted(seen) and seen[0] == 0.0


def test_windows_cover_a_grid_that_one_window_does_not_hold() -> None:
    model = CandidateModel.untrained(SMALL)
    narrow = SMALL.model_copy(update={"inference": SMALL.inference.model_copy(update={"window": (8, 32, 32)})})
    image = torch.randn(2, 12, 48, 40, generator=torch.Generator().manual_seed(0))
    whole = model.predict(image)
    parts = CandidateModel(model.network, narrow, torch.device("cpu")).predict(image)
    assert parts.infection.shape == whole.infection.shape
    assert [m.shape for m in parts.objectness] == [m.shape for m in whole.objectness]
    assert [m.shape for m in parts.deltas] == [m.shape for m in whole.deltas]
    assert all(bool(torch.isfinite(m).all()) for m in (parts.infection, *parts.objectness, *parts.deltas))


def quiet_output(shape: tuple[int, int, int]) -> CandidateOutput:
    """An output that sees nothing at all."""
    sizes = [tuple(s // t for s, t in zip(shape, stride, strict=True)) for stride in ((2, 4, 4), (4, 8, 8))]
    return CandidateOutput(
        torch.full((1, 1, *shape), -9.0),
        tuple(torch.full((1, 3, *size), -9.0) for size in sizes),
        tuple(torch.zeros(1, 18, *size) for size in sizes),
    )


def test_an_infected_region_without_a_proposal_becomes_a_candidate() -> None:
    model = CandidateModel.untrained(SMALL)
    output = quiet_output((16, 48, 48))
    output.infection[0, 0, 4:8, 10:22, 12:30] = 3.0
    output.infection[0, 0, 12, 40, 40] = 3.0  # one voxel, 0.016 ml: too small
    boxes, scores, probability = candidates_on_grid(output, torch.ones(16, 48, 48, dtype=torch.bool), model)
    assert boxes.tolist() == [[4, 10, 12, 8, 22, 30]]
    assert scores.tolist() == pytest.approx([torch.sigmoid(torch.tensor(3.0)).item()])
    assert int((probability > 0.5).sum()) == 4 * 12 * 18 + 1


def test_a_proposal_that_covers_the_region_gives_it_its_score() -> None:
    model = CandidateModel.untrained(SMALL)
    output = quiet_output((16, 48, 48))
    output.infection[0, 0, 4:8, 16:26, 16:26] = 3.0
    output.objectness[0][0, 1, 2, 4, 4] = 0.0  # anchor (4, 10, 10) centred on (5, 18, 18)
    boxes, scores, _ = candidates_on_grid(output, torch.ones(16, 48, 48, dtype=torch.bool), model)
    assert boxes.tolist() == [[4, 16, 16, 8, 26, 26]]
    assert scores.tolist() == pytest.approx([torch.sigmoid(torch.tensor(3.0)).item()])


def test_proposals_outside_the_lungs_are_dropped() -> None:
    model = CandidateModel.untrained(SMALL)
    output = quiet_output((16, 48, 48))
    output.objectness[0][0, 1, 2, 4, 4] = 1.0
    output.infection[0, 0, 4:8, 16:26, 16:26] = 3.0
    lungs = torch.zeros(16, 48, 48, dtype=torch.bool)
    lungs[:, :, 32:] = True
    boxes, _, probability = candidates_on_grid(output, lungs, model)
    assert len(boxes) == 0
    assert not (probability > 0.5).any()


def test_infection_reaches_one_voxel_beyond_the_lungs_in_every_direction() -> None:
    model = CandidateModel.untrained(SMALL)
    lungs = torch.zeros(16, 48, 48, dtype=torch.bool)
    lungs[3:5, 0:9, 20:31] = True
    _, _, probability = candidates_on_grid(quiet_output((16, 48, 48)), lungs, model)
    near = torch.zeros_like(lungs)
    near[2:6, 0:10, 19:32] = True
    assert torch.equal(probability > 0, near)


def test_a_real_scan_gives_candidates(shared_data: Path) -> None:
    from pneumoscreen.ct.lungs.segmentation import segment_lungs
    from pneumoscreen.images.reader import read_volume

    volume = read_volume(shared_data / "ct" / "cip_ct64" / "ct-64.nrrd")
    lungs = segment_lungs(volume)
    found = find_candidates(volume, lungs, CandidateModel.untrained(SMALL))
    assert 0 < len(found.boxes) <= 20
    assert not found.infection[lungs.labels.max(axis=(1, 2)) == 0].any()


def test_a_box_ends_with_the_crop_and_one_of_just_enough_lung_stays() -> None:
    grid = WorkingGrid((2, 4, 6), (12, 24, 36), (5, 10, 15), (20, 40, 60))
    wide = np.array([[-3.0, 0.0, 1.0, 19.0, 39.0, 59.0], [3.0, 5.0, 7.0, 8.0, 9.0, 10.0]])
    expected = [[1.5, 3.5, 5.5, 11.5, 23.5, 35.5], [3.0, 5.0, 7.0, 8.0, 9.0, 10.0]]
    assert finding._within_crop(wide, grid).tolist() == expected
    lung = torch.zeros((4, 4, 10), dtype=torch.bool)
    lung[:, :, :1] = True
    boxes = torch.tensor([[0.0, 0, 0, 4, 4, 8], [0.0, 0, 0, 4, 4, 9]])
    kept, scores = finding._inside_lungs(boxes, torch.tensor([0.9, 0.8]), lung, 0.125)
    assert kept.tolist() == [[0, 0, 0, 4, 4, 8]] and scores.tolist() == pytest.approx([0.9])
