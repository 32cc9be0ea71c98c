"""Publication by comparison: a better or an equal network is published, a worse one is kept, and the reason is told."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.learning.candidate_data import CaseCache, read_prepared
from pneumoscreen.ct.learning.candidate_validation import candidates_of
from pneumoscreen.ct.learning.classifier_data import PatchSet
from pneumoscreen.ct.learning.comparison import FALSE_REGIONS, mean_sensitivity
from pneumoscreen.ct.learning.offers import offer_candidates, offer_classifier
from pneumoscreen.errors import Cancelled, ModelError
from pneumoscreen.methods import publish_by_hand
from pneumoscreen.metrics.bootstrap import Interval
from pneumoscreen.metrics.detection import Detection, froc
from pneumoscreen.models.store import CARD_FIELDS, WEIGHTS_FILE, ModelStore, UnknownModelError
from pneumoscreen.training.comparison import Comparison
from pneumoscreen.training.gate import DEFAULT_GATE, GateSettings
from pneumoscreen.training.publishing import Contest, Publication

from ..ct.learning.conftest import ToyCase, make_toy_case

NARROW = ClassifierSettings.model_validate({"widths": [8, 8, 16, 16], "patches": {"size": 32}})
NARROW_CANDIDATES = CandidateSettings.model_validate(
    {
        "network": {
            "channels": (8, 8),
            "encoder_blocks": (1, 1),
            "decoder_blocks": (1,),
            "batch_norm_stages": 1,
            "proposal_stages": (1,),
            "proposal_channels": 8,
            "anchor_scales": (1.0,),
        },
        "selection": {"score": 0.0, "free_score": 0.0, "infection": 0.5, "before_nms": 50},
    }
)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def card(model: ClassifierModel | CandidateModel) -> dict[str, Any]:
    return {**dict.fromkeys(CARD_FIELDS, "test"), "network": model.card_network()}


def toy_patches(patients: int = 20, each: int = 12) -> PatchSet:
    """Dark patches are irrelevant, grey ones covid19, bright ones influenza_a."""
    rng = np.random.default_rng(3)
    labels = np.tile(np.arange(3), patients * each // 3)
    pixels = np.array([110, 210, 10])[labels][:, None, None] + rng.integers(0, 40, (len(labels), 32, 32))
    count = len(labels)
    return PatchSet(
        pixels.astype(np.uint8),
        labels,
        np.full(count, 0.1, dtype=np.float32),
        np.arange(count),
        np.zeros(count, dtype=np.int64),
        np.repeat([f"p{number}" for number in range(patients)], each),
    )


PATCHES = toy_patches()
EMPTY = PATCHES.select(np.zeros(len(PATCHES), dtype=bool))


@pytest.fixture(scope="module")
def good() -> ClassifierModel:
    """A network that tells the toy patches apart."""
    model = ClassifierModel.untrained(NARROW, seed=1)
    pixels = torch.from_numpy(PATCHES.pixels).float().div(255.0)[:, None]
    optimizer = torch.optim.Adam(model.network.parameters(), 0.01)
    model.network.train()
    for _ in range(25):
        outputs = model.network(pixels, torch.from_numpy(PATCHES.distances))
        target = torch.from_numpy(PATCHES.labels)
        loss = sum(torch.nn.functional.cross_entropy(logits, target) for logits in outputs.values())
        optimizer.zero_grad()
        assert isinstance(loss, torch.Tensor)
        loss.backward()
        optimizer.step()
    return ClassifierModel(model.settings, model.network)


@pytest.fixture(scope="module")
def bad() -> ClassifierModel:
    return ClassifierModel.untrained(NARROW, seed=2)


def offer(
    store: ModelStore, model: ClassifierModel, patches: PatchSet = PATCHES, gate: GateSettings = DEFAULT_GATE
) -> Publication:
    return offer_classifier(store, model, card(model), patches, gate=gate)


class TestClassifier:
    def test_without_a_model_in_use_it_is_published_and_measured(
        self, store: ModelStore, good: ClassifierModel
    ) -> None:
        done = offer(store, good)
        assert (done.published, done.version, done.compared_with, done.patients) == (True, 1, None, 20)
        assert done.candidate is not None and done.candidate.estimate > 0.95
        assert (done.current, done.difference) == (None, None)
        assert "no version was in use to compare with" in done.reason

    def test_a_worse_one_is_kept_with_the_reason(
        self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel
    ) -> None:
        offer(store, good)
        done = offer(store, bad)
        assert (done.published, done.version, done.compared_with) == (False, None, 1)
        assert done.difference is not None and done.difference.high < 0
        assert (store.versions("ct_classifier"), store.current("ct_classifier")) == ([1], 1)
        (kept,) = store.candidates("ct_classifier")
        assert kept.id == done.candidate_id
        assert kept.reason == done.reason
        assert "worse beyond the interval: patch mean f1 of M2" in done.reason
        assert "of version 1" in done.reason and "over 20 validation patients" in done.reason
        assert f"pneumoscreen models publish ct_classifier {done.candidate_id}" in done.sentence
        m1 = done.also["m1"]
        assert m1[0] is not None and m1[1] is not None and m1[0] < m1[1]

    def test_a_better_one_is_published(self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel) -> None:
        offer(store, bad)
        done = offer(store, good)
        assert (done.published, done.version, done.compared_with) == (True, 2, 1)
        assert done.difference is not None and done.difference.low > 0
        told = store.card("ct_classifier", 2)
        assert (told["replaces"], told["publication"]["reason"]) == (1, done.reason)
        assert told["publication"]["difference"] == done.difference.to_dict()

    def test_an_equal_one_is_published(self, store: ModelStore, bad: ClassifierModel) -> None:
        offer(store, bad)
        done = offer(store, bad)
        assert (done.published, done.version) == (True, 2)
        assert done.difference is not None
        assert (done.difference.low, done.difference.estimate, done.difference.high) == (0.0, 0.0, 0.0)

    def test_one_is_compared_with_what_is_in_use_after_a_rollback(
        self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel
    ) -> None:
        offer(store, bad)
        offer(store, good)
        store.rollback("ct_classifier")
        done = offer(store, bad)
        assert (done.published, done.version, done.compared_with) == (True, 3, 1)
        assert store.rollback("ct_classifier") == 1

    def test_without_validation_patients_it_is_kept(self, store: ModelStore, good: ClassifierModel) -> None:
        for number in range(2):
            done = offer(store, good, EMPTY)
            assert (done.published, done.patients, done.candidate) == (False, 0, None)
            assert "there is no validation patient" in done.sentence
            assert len(store.candidates("ct_classifier")) == number + 1
        assert store.versions("ct_classifier") == []

    def test_with_few_patients_the_one_in_use_is_kept_and_why(
        self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel
    ) -> None:
        """With none in use a first one is published all the same, and a trainer can publish by hand."""
        assert "over 2 validation patients, too few" in offer(store, bad, toy_patches(2)).reason
        for patients in (1, 2, 9):
            done = offer(store, good, toy_patches(patients))
            assert (done.published, done.version, done.compared_with, done.patients) == (False, None, 1, patients)
            assert done.reason.startswith("fewer than 10 validation patients, too few to tell a worse network")
            assert done.difference is not None and done.difference.estimate > 0, "the figures are told all the same"
        assert store.versions("ct_classifier") == [1]
        assert publish_by_hand(store, "ct_classifier", done.candidate_id, "trainer-a") == 2
        assert offer(store, good, toy_patches(10)).published

    def test_a_training_may_ask_for_fewer(self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel) -> None:
        offer(store, bad)
        assert offer(store, good, toy_patches(2), GateSettings(least_patients=2)).published

    def test_what_may_be_worse_by_more_than_the_margin_is_kept(self, store: ModelStore, good: ClassifierModel) -> None:
        offer(store, good)
        found = Comparison("f1", 20, *(Interval(0.8, 0.7, 0.9),) * 2, Interval(-0.02, -0.2, 0.1))
        contest = Contest("ct_classifier", ClassifierModel.load, lambda *models: None, lambda *models: found)
        done = contest.hold(store, store.stage("ct_classifier", good.state(), card(good)), 20)
        assert (done.published, store.current("ct_classifier")) == (False, 1)
        assert done.reason.startswith("perhaps worse by more than the margin of 0.1: f1 0.800 [0.700, 0.900] against")
        wide = GateSettings(margin=0.25)
        done = contest.hold(store, store.stage("ct_classifier", good.state(), card(good)), 20, wide)
        assert done.published and done.reason.startswith("not worse by more than the margin of 0.25: f1 0.800")

    def test_one_patient_decides_by_the_difference_alone(
        self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel
    ) -> None:
        one, any_number = toy_patches(1), GateSettings(least_patients=1)
        offer(store, good, one)
        assert not offer(store, bad, one, any_number).published
        assert offer(store, good, one, any_number).published

    def test_a_class_that_nobody_has_does_not_decide(self, store: ModelStore, good: ClassifierModel) -> None:
        """One patch mistaken for an infection that no patient has costs its own class, not a third of the figure."""
        alone = PATCHES.select(PATCHES.labels != 1)
        offer(store, good, alone)
        mistaken = dataclasses.replace(alone, pixels=alone.pixels.copy())
        mistaken.pixels[0] = 220
        done = offer(store, good, mistaken)
        assert done.candidate is not None and 0.95 < done.candidate.estimate < 1.0

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            (
                {"classes": {"infections": ["a", "b"]}},
                "its classes are a, b, irrelevant, those of the one in use covid19",
            ),
            ({"patches": {"size": 64}}, "its patches are cut otherwise"),
        ],
    )
    def test_what_cannot_be_compared_is_kept(
        self, store: ModelStore, bad: ClassifierModel, changed: dict[str, Any], said: str
    ) -> None:
        offer(store, bad)
        settings = ClassifierSettings.model_validate({**NARROW.model_dump(mode="json"), **changed})
        done = offer(store, ClassifierModel.untrained(settings))
        assert (done.published, done.version) == (False, None)
        assert "cannot be compared with version 1" in done.reason and said in done.reason

    def test_one_in_use_that_does_not_fit_the_program_counts_as_none(
        self, store: ModelStore, bad: ClassifierModel
    ) -> None:
        store.publish("ct_classifier", {"w": torch.zeros(1)}, card(bad))
        done = offer(store, bad)
        assert (done.published, done.version, done.compared_with) == (True, 2, None)
        assert "counts as none: ct_classifier version 1 is no patch classifier" in done.reason

    def test_a_damaged_one_in_use_is_replaced_by_the_one_before_it(
        self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel
    ) -> None:
        offer(store, good)
        publish_by_hand(store, "ct_classifier", offer(store, bad).candidate_id, "test")
        (store.root / "ct_classifier" / "2" / WEIGHTS_FILE).write_bytes(b"")
        done = offer(store, bad)
        assert (done.published, done.compared_with) == (False, 1)

    def test_only_the_last_versions_stay(self, store: ModelStore, bad: ClassifierModel) -> None:
        for _ in range(7):
            offer(store, bad, toy_patches(10))
        assert store.versions("ct_classifier") == [3, 4, 5, 6, 7]

    def test_judging_reports_and_can_be_cancelled(self, store: ModelStore, bad: ClassifierModel) -> None:
        offer(store, bad)
        told: list[float] = []
        offer_classifier(store, bad, card(bad), PATCHES, lambda task, fraction: told.append(fraction))
        assert told == sorted(told) and told[-1] == 1.0

        def stop(task: str, fraction: float) -> None:
            raise Cancelled(task)

        with pytest.raises(Cancelled):
            offer_classifier(store, bad, card(bad), PATCHES, stop)
        assert (store.current("ct_classifier"), len(store.candidates("ct_classifier"))) == (2, 1)

    def test_the_outcome_is_plain_json(self, store: ModelStore, bad: ClassifierModel) -> None:
        values = offer(store, bad).to_dict()
        assert values["candidate"].keys() == {"estimate", "low", "high"}
        assert values["sentence"].startswith("ct_classifier version 1 published: ")


class TestByHand:
    def test_a_kept_candidate_is_published(
        self, store: ModelStore, good: ClassifierModel, bad: ClassifierModel
    ) -> None:
        offer(store, good)
        kept = offer(store, bad)
        assert publish_by_hand(store, "ct_classifier", kept.candidate_id, "trainer-a") == 2
        told = store.load("ct_classifier").card["publication"]
        assert (told["by_hand"], told["published"], told["reason"]) == ("trainer-a", True, kept.reason)
        with pytest.raises(UnknownModelError):
            publish_by_hand(store, "ct_classifier", kept.candidate_id, "trainer-a")

    def test_one_that_does_not_fit_the_program_is_refused(self, store: ModelStore, bad: ClassifierModel) -> None:
        candidate = store.stage("ct_classifier", {"w": torch.zeros(1)}, card(bad))
        with pytest.raises(ModelError, match="is no patch classifier"):
            publish_by_hand(store, "ct_classifier", candidate, "trainer-a")
        assert store.versions("ct_classifier") == []


@pytest.fixture(scope="module")
def seeing() -> CandidateModel:
    """A network with random weights; ``prepared`` puts lesions where it sees some."""
    return CandidateModel.untrained(NARROW_CANDIDATES, seed=1)


@pytest.fixture(scope="module")
def prepared(seeing: CandidateModel, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    cache = CaseCache(tmp_path_factory.mktemp("cases"), NARROW_CANDIDATES.grid)
    paths = [cache.add(small_case(seed)) for seed in range(3)]
    for path in paths:
        boxes, _, _ = candidates_of(read_prepared(path), seeing)
        with np.load(path) as arrays:
            content = dict(arrays)
        np.savez(path, **{**content, "boxes": boxes[:2].numpy().astype(np.float32)})
    return [(f"p{number}", path) for number, path in enumerate(paths)]


def small_case(seed: int) -> ToyCase:
    """A corner of a toy case, which takes a tenth of the time."""
    case = make_toy_case(seed)
    corner = np.s_[8:24, 16:64, 16:64]
    volume = dataclasses.replace(case.volume, hu=np.ascontiguousarray(case.volume.hu[corner]))
    return dataclasses.replace(case, volume=volume, lungs=case.lungs[corner].copy(), infection=None, lesions=())


class TestCandidates:
    def test_a_blind_network_is_kept_and_a_seeing_one_published(
        self, store: ModelStore, seeing: CandidateModel, prepared: list[tuple[str, Path]]
    ) -> None:
        blind, of_three = _blind(), GateSettings(least_patients=3)
        first = offer_candidates(store, seeing, card(seeing), prepared)
        assert first.version == 1
        assert first.candidate is not None and first.candidate.estimate > 0.5
        done = offer_candidates(store, blind, card(blind), prepared, gate=of_three)
        assert (done.published, done.patients, done.compared_with) == (False, 3, 1)
        assert done.candidate is not None and done.candidate.estimate == 0.0
        assert "worse beyond the interval: mean lesion sensitivity at 1, 2, 4, 8 false regions a case" in done.reason
        assert not offer_candidates(store, seeing, card(seeing), prepared).published, "three are fewer than ten"
        again = offer_candidates(store, seeing, card(seeing), prepared, gate=of_three)
        assert (again.published, again.version) == (True, 2)

    def test_cases_of_a_patient_are_drawn_together(self, store: ModelStore, prepared: list[tuple[str, Path]]) -> None:
        blind = _blind()
        done = offer_candidates(store, blind, card(blind), [("p", path) for _, path in prepared])
        assert done.patients == 1

    def test_without_cases_it_is_kept(self, store: ModelStore) -> None:
        blind = _blind()
        assert not offer_candidates(store, blind, card(blind), []).published

    def test_cases_without_lesions_compare_nothing(self, store: ModelStore, tmp_path: Path) -> None:
        blind = _blind()
        cases = [("p", CaseCache(tmp_path, NARROW_CANDIDATES.grid).add(small_case(1)))]
        store.publish("ct_candidates", blind.state(), card(blind))
        done = offer_candidates(store, blind, card(blind), cases)
        assert not done.published
        assert "nothing in them to compare" in done.reason
        assert done.to_dict()["difference"] == {"estimate": None, "low": None, "high": None}

    def test_another_grid_is_not_compared(self, store: ModelStore, prepared: list[tuple[str, Path]]) -> None:
        blind = _blind()
        offer_candidates(store, blind, card(blind), prepared)
        grid = NARROW_CANDIDATES.grid.model_copy(update={"spacing_mm": (5.0, 3.0, 3.0)})
        other = CandidateModel.untrained(NARROW_CANDIDATES.model_copy(update={"grid": grid}))
        assert "its working grid is not" in offer_candidates(store, other, card(other), prepared).reason


def _blind() -> CandidateModel:
    """A network that proposes nothing: its threshold is beyond every score."""
    selection = NARROW_CANDIDATES.selection.model_copy(update={"score": 0.999, "free_score": 0.999, "infection": 0.999})
    return CandidateModel.untrained(NARROW_CANDIDATES.model_copy(update={"selection": selection}))


detections = st.builds(
    lambda firsts, false: Detection(
        np.array(firsts, dtype=np.float64),
        np.array([f for f in firsts if math.isfinite(f)] + false, dtype=np.float64),
        np.array([True] * sum(map(math.isfinite, firsts)) + [False] * len(false), dtype=bool),
        np.isfinite(np.array(firsts, dtype=np.float64)).astype(np.int64),
    ),
    st.lists(st.sampled_from([-math.inf, 0.1, 0.2, 0.4, 0.5, 0.9]), max_size=4),
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8]), max_size=12),
)


@given(st.lists(detections, min_size=1, max_size=4))
def test_the_score_is_read_off_the_free_response_curve(cases: list[Detection]) -> None:
    if not sum(len(case.first_hits) for case in cases):
        assert math.isnan(mean_sensitivity(cases))
        return
    curve = froc(cases)
    best: Callable[[float], float] = lambda rate: max(  # noqa: E731
        (point.recall for point in curve if point.false_regions_per_case <= rate), default=0.0
    )
    assert mean_sensitivity(cases) == pytest.approx(np.mean([best(rate) for rate in FALSE_REGIONS]))
