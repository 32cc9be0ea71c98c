"""The CT method end to end on a phantom, with networks whose weights are random: what must hold for any weights."""

from dataclasses import replace

import numpy as np
import pytest

from pneumoscreen.case import Case, Region
from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.candidates.proposals import SelectionSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.lungs.segmentation import Lungs
from pneumoscreen.ct.patches import RegionError
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.ct.screening import Screener, Screening
from pneumoscreen.errors import Cancelled
from pneumoscreen.evidence import is_overruled


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return generate_phantom(5, "covid19", PhantomSpec(matrix=128, thickness_mm=8.0))


@pytest.fixture(scope="module")
def screener() -> Screener:
    classifier = ClassifierModel.untrained(ClassifierSettings(widths=(8, 16, 16, 32)), seed=1)
    return Screener(
        CandidateModel.untrained(CandidateSettings(selection=SelectionSettings(score=0.0, free_score=0.0)), seed=1),
        classifier,
    )


@pytest.fixture(scope="module")
def told() -> list[tuple[str, float]]:
    """What ``screening`` reported while it ran."""
    return []


@pytest.fixture(scope="module")
def screening(phantom: Phantom, screener: Screener, told: list[tuple[str, float]]) -> Screening:
    return screener.screen(
        phantom.volume, lambda stage, fraction: told.append((stage, fraction)), diagnosis="covid19", read_s=0.5
    )


class TestDocument:
    def test_keeps_the_contract(self, screening: Screening) -> None:
        assert Case.from_json(screening.case.to_json()) == screening.case

    def test_regions_are_numbered_by_score(self, screening: Screening) -> None:
        regions = screening.case.regions
        assert 1 <= len(regions) <= 20
        assert [region.id for region in regions] == [f"r{i}" for i in range(1, len(regions) + 1)]
        assert [region.score for region in regions] == sorted((r.score for r in regions), reverse=True)

    def test_every_region_carries_its_vote(self, screening: Screening) -> None:
        for region in screening.case.regions:
            assert 1 <= len(region.patches) <= 3
            # A vote that score and infected volume do not bear out counts as irrelevant; it stays visible.
            assert region == region.with_vote() or is_overruled(region)
            assert region.infected_ml is not None and region.infected_ml >= 0.0
            slices = [patch.slice for patch in region.patches]
            assert slices == list(range(slices[0], slices[0] + len(slices)))
            for patch in region.patches:
                assert patch.confidence == max(patch.probabilities.values())

    def test_verdict_follows_from_the_regions(self, screening: Screening) -> None:
        assert screening.case.with_verdict() == screening.case

    def test_boxes_are_those_of_the_regions(self, screening: Screening, phantom: Phantom) -> None:
        for region, box in zip(screening.case.regions, screening.candidate_boxes, strict=True):
            again = phantom.volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
            np.testing.assert_allclose(again, box, atol=1e-6)
            assert region.side == screening.lungs.side_of(box)

    def test_lungs_times_and_diagnosis(self, screening: Screening, phantom: Phantom) -> None:
        case = screening.case
        assert set(case.lungs) == {"left", "right"}
        for side, value in (("left", 1), ("right", 2)):
            true_ml = np.count_nonzero(phantom.lungs == value) * np.prod(phantom.volume.spacing_mm) / 1000
            assert case.lungs[side].volume_ml == pytest.approx(true_ml, rel=0.15)
        assert case.diagnosis == "covid19"
        assert list(case.timings_s) == ["read", "lungs", "candidates", "classify", "total"]
        assert case.timings_s["total"] == pytest.approx(sum(case.timings_s.values()) / 2)

    def test_twice_gives_the_same_but_for_times(
        self, screener: Screener, screening: Screening, phantom: Phantom
    ) -> None:
        again = screener.screen(phantom.volume, diagnosis="covid19")
        assert replace(again.case, timings_s={}) == replace(screening.case, timings_s={})
        np.testing.assert_array_equal(again.label_map(), screening.label_map())


class TestLabelMap:
    def test_shows_every_region_in_its_box(self, screening: Screening) -> None:
        labels = screening.label_map()
        assert labels.dtype == np.uint8
        assert labels.shape == screening.infection.shape
        assert set(np.unique(labels)) <= set(range(len(screening.candidate_boxes) + 1))
        for i, box in enumerate(screening.candidate_boxes, start=1):
            voxels = np.argwhere(labels == i)
            assert (voxels >= box[:3]).all()
            assert (voxels <= box[3:]).all()

    def test_infected_voxels_or_all_lung_and_the_better_region_in_front(self, screening: Screening) -> None:
        labels = np.zeros((4, 10, 10), dtype=np.uint8)
        labels[:, 1:9, 1:9] = 1
        infection = np.zeros(labels.shape, dtype=bool)
        infection[:, 2:4, 2:4] = True
        boxes = np.array([[0, 0, 0, 3.5, 4.5, 4.5], [0, 3, 3, 3.5, 9.5, 9.5], [0, 6.0, 6.0, 3.5, 8.5, 8.5]])
        found = Screening(screening.case, Lungs(labels), infection, boxes).label_map()
        assert (found[:, 2:4, 2:4] == 1).all()
        assert found[0, 1, 1] == 0  # lung in the first box, but not infected
        assert found[0, 5, 5] == 0  # the second box shows its infected corner only, which the first one covers
        assert (found[:, 6:9, 6:9] == 3).all()  # no infection in the third: its lung
        assert (found[:, 9, 9] == 0).all()

    def test_many_regions_need_a_wider_type(self, screening: Screening) -> None:
        labels = np.ones((1, 1, 300), dtype=np.uint8)
        boxes = np.array([[-0.5, -0.5, i - 0.5, 0.5, 0.5, i + 0.5] for i in range(300)])
        found = Screening(screening.case, Lungs(labels), np.zeros(labels.shape, dtype=bool), boxes).label_map()
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found[0, 0], np.arange(1, 301))


class TestAnatomyMap:
    def test_lungs_by_side_and_infection_over_them(self, screening: Screening) -> None:
        lungs = np.array([[[0, 1, 1, 2, 2, 0]]], dtype=np.uint8)
        infection = np.array([[[False, True, False, False, True, False]]])
        found = Screening(screening.case, Lungs(lungs), infection, np.zeros((0, 6))).anatomy_map()
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found[0, 0], [0, 3, 1, 2, 3, 0])


class TestProgress:
    def test_rises_through_the_stages(self, screening: Screening, told: list[tuple[str, float]]) -> None:
        assert screening.case.regions
        assert list(dict.fromkeys(stage for stage, _ in told)) == ["lungs", "candidates", "classify", "report"]
        fractions = [fraction for _, fraction in told]
        assert fractions == sorted(fractions)
        assert 0.0 <= fractions[0] <= fractions[-1] <= 1.0

    def test_cancelling_stops_the_work(self, screener: Screener, phantom: Phantom) -> None:
        def cancel(stage: str, fraction: float) -> None:
            if stage == "candidates":
                raise Cancelled("enough")

        with pytest.raises(Cancelled, match="enough"):
            screener.screen(phantom.volume, cancel)


class TestGivenRegions:
    def test_get_the_patches_that_screening_gave_them(
        self, screener: Screener, screening: Screening, phantom: Phantom
    ) -> None:
        bare = [replace(region, patches=(), label=None, confidence=None) for region in screening.case.regions]
        found = screener.screen_regions(phantom.volume, screening.lungs, bare)
        for region, expected in zip(found, screening.case.regions, strict=True):
            assert [p.slice for p in region.patches] == [p.slice for p in expected.patches]
            assert region.patch_vote is not None and expected.patch_vote is not None
            assert region.patch_vote[0] == expected.patch_vote[0]
            assert region.patch_vote[1] == pytest.approx(expected.patch_vote[1], abs=1e-4)

    def test_a_region_beside_the_scan_is_refused_by_name(
        self, screener: Screener, screening: Screening, phantom: Phantom
    ) -> None:
        away = Region("drawn-1", "model", (9e3, 0.0, 0.0), (10.0, 10.0, 10.0), 1.0, "left")
        with pytest.raises(RegionError, match=r"region drawn-1: .* outside the scan"):
            screener.screen_regions(phantom.volume, screening.lungs, [away])


def test_slices_are_counted_as_stored(screener: Screener, screening: Screening, phantom: Phantom) -> None:
    flipped = replace(phantom.volume, stored_orientation="LPI")
    last = phantom.volume.hu.shape[0] - 1
    again = screener.screen_regions(flipped, screening.lungs, screening.case.regions)
    for region, before in zip(again, screening.case.regions, strict=True):
        assert [p.slice for p in region.patches] == sorted(last - p.slice for p in before.patches)
