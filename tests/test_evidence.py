"""What counts beside the paper's rules: support, the lone weak region, affected shares, how likely infection is."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.case_documents import cases

from pneumoscreen.case import Case, ImageInfo, LungInfo, Patch, ReaderMark, Region
from pneumoscreen.evidence import (
    LONE_ML,
    LONE_SCORE,
    SUPPORTED_ML,
    SUPPORTED_SCORE,
    Calibration,
    case_evidence,
    counted,
    evidence,
    is_overruled,
)
from pneumoscreen.verdict import DECIDED_MARGIN, DEFAULT_CLASSES, Infection, Verdict, decide

AT = "2026-11-22T10:00:00Z"
CALIBRATION = Calibration(-3.0, 1.5, "60 phantoms")
NONE_FOUND = DEFAULT_CLASSES.none_found


def region(number: int = 1, label: str = "covid19", confidence: float = 0.9, **values: Any) -> Region:
    """A region of the model that is well borne out, unless told otherwise."""
    rest = (1.0 - confidence) / 2.0
    shares = {name: confidence if name == label else rest for name in DEFAULT_CLASSES.patch_labels}
    base = Region(
        f"r{number}", "model", (0.0, 0.0, 0.0), (10.0, 10.0, 10.0), 0.9, "left",
        (Patch(4, label, confidence, 0.1, shares),), infected_ml=5.0,
    )  # fmt: skip
    return replace(base, **values)


def case_of(*regions: Region, left: float = 12.0) -> Case:
    """A case with two lungs of a litre, of which the left is said to be affected."""
    lungs = {"left": LungInfo(1000.0, left), "right": LungInfo(1000.0, 0.0)}
    return Case("c", "CT", ImageInfo((9, 9, 9), (1.0, 1.0, 1.0), "x"), lungs=lungs, regions=regions)


def verdict_of(case: Case) -> Verdict:
    found = case.with_verdict(calibration=CALIBRATION).verdict
    assert found is not None
    return found


class TestSupport:
    def test_a_vote_that_is_borne_out_counts(self) -> None:
        found = counted([region()])[0]
        assert (found.label, found.confidence) == ("covid19", 0.9)
        assert not is_overruled(found)

    @pytest.mark.parametrize(
        "weakness", [{"score": SUPPORTED_SCORE - 0.01}, {"infected_ml": SUPPORTED_ML - 0.01}, {"infected_ml": 0.0}]
    )
    def test_a_vote_that_is_not_becomes_irrelevant(self, weakness: dict[str, float]) -> None:
        found = counted([region(**weakness), region(2)])[0]
        assert (found.label, found.confidence) == ("irrelevant", pytest.approx(0.05))
        assert found.patch_vote == ("covid19", 0.9)
        assert found.patches == region().patches
        assert is_overruled(found)

    def test_without_probabilities_the_rest_of_the_vote_is_the_confidence(self) -> None:
        bare = region(infected_ml=0.0, patches=(Patch(4, "covid19", 0.9, 0.1),))
        assert counted([bare])[0].confidence == pytest.approx(0.1)

    def test_the_limits_themselves_count(self) -> None:
        regions = counted([region(score=SUPPORTED_SCORE), region(2, infected_ml=SUPPORTED_ML)])
        assert [found.label for found in regions] == ["covid19", "covid19"]

    def test_where_the_volume_is_not_known_the_vote_counts(self) -> None:
        assert counted([region(score=0.01, infected_ml=None)])[0].label == "covid19"

    def test_a_reader_overrides_it_either_way(self) -> None:
        seen = region(infected_ml=0.0, reader=ReaderMark("covid19", "a", AT))
        assert verdict_of(case_of(seen)).label == "covid19"
        gone = region(reader=ReaderMark("irrelevant", "a", AT))
        assert verdict_of(case_of(gone)).label == NONE_FOUND

    def test_a_region_that_a_reader_drew_needs_no_support(self) -> None:
        drawn = region(source="reader", score=1.0, infected_ml=0.0, reader=ReaderMark("covid19", "a", AT))
        assert verdict_of(case_of(drawn)).label == "covid19"


class TestTheLoneRegion:
    @pytest.mark.parametrize("weakness", [{"score": LONE_SCORE - 0.01}, {"infected_ml": LONE_ML - 0.01}])
    def test_a_weak_one_carries_no_verdict(self, weakness: dict[str, float]) -> None:
        case = case_of(region(**weakness), region(2, "irrelevant")).with_verdict()
        assert case.verdict is not None and case.verdict.label == NONE_FOUND
        assert case.regions[0].label == "irrelevant"
        assert case.lungs["left"].affected_percent == 0.0

    def test_two_weak_ones_support_each_other(self) -> None:
        weak = {"score": LONE_SCORE - 0.01}
        assert verdict_of(case_of(region(**weak), region(2, **weak))).label == "covid19"

    def test_a_strong_one_stands_alone(self) -> None:
        assert verdict_of(case_of(region(score=LONE_SCORE, infected_ml=LONE_ML))).label == "covid19"

    @pytest.mark.parametrize(("other", "label"), [("irrelevant", NONE_FOUND), ("influenza_a", "covid19")])
    def test_one_whose_patches_disagree_on_infection_carries_no_verdict(self, other: str, label: str) -> None:
        patches = (*region().patches * 2, *region(label=other).patches)
        assert verdict_of(case_of(region(patches=patches))).label == label
        assert verdict_of(case_of(region(patches=patches), region(2))).label == "covid19"

    def test_a_reader_who_has_spoken_is_support_enough(self) -> None:
        weak = region(score=LONE_SCORE - 0.01)
        said = replace(weak, reader=ReaderMark("covid19", "a", AT))
        assert verdict_of(case_of(said)).label == "covid19"
        assert verdict_of(case_of(weak, region(2, reader=ReaderMark("covid19", "a", AT)))).label == "covid19"

    @pytest.mark.parametrize(("said", "state"), [("irrelevant", "accepted"), ("covid19", "corrected")])
    def test_what_a_reader_was_shown_stays_when_they_speak(self, said: str, state: str) -> None:
        shown = case_of(region(score=LONE_SCORE - 0.01)).with_verdict().regions[0]
        assert shown.label == "irrelevant"
        read = case_of(replace(shown, reader=ReaderMark(said, "a", AT), state=state)).with_verdict()
        assert (read.regions[0].label, read.regions[0].state) == ("irrelevant", state)
        assert read.verdict is not None and read.verdict.label == (NONE_FOUND if said == "irrelevant" else said)

    def test_a_region_that_does_not_change_is_the_same_object(self) -> None:
        regions = counted([region(), region(2), region(3, infected_ml=0.0)])
        assert all(new is old for new, old in zip(counted(regions), regions, strict=True))


class TestAffectedShare:
    def test_is_the_infected_volume_of_what_counts(self) -> None:
        regions = (region(), region(2, side="right", infected_ml=20.0), region(3, "irrelevant", infected_ml=99.0))
        lungs = case_of(*regions).with_verdict().lungs
        assert {side: lung.affected_percent for side, lung in lungs.items()} == {"left": 0.5, "right": 2.0}

    def test_follows_every_correction(self) -> None:
        one, two = region(infected_ml=20.0), region(2, infected_ml=30.0)
        assert case_of(one, two).with_verdict().lungs["left"].affected_percent == pytest.approx(5.0)
        gone = replace(two, reader=ReaderMark("irrelevant", "a", AT))
        assert case_of(one, gone).with_verdict().lungs["left"].affected_percent == pytest.approx(2.0)

    def test_is_never_above_everything(self) -> None:
        lungs = case_of(region(infected_ml=3000.0)).with_verdict().lungs
        assert lungs["left"].affected_percent == 100.0

    def test_a_lung_without_volume_is_not_affected(self) -> None:
        case = replace(case_of(region()), lungs={"left": LungInfo(0.0, 3.0)}).with_verdict()
        assert case.lungs["left"].affected_percent == 0.0

    def test_a_region_that_was_not_measured_adds_nothing_and_a_note_says_so(self) -> None:
        drawn = region(2, source="reader", infected_ml=None, reader=ReaderMark("covid19", "a", AT))
        case, notes = case_of(region(infected_ml=20.0), drawn, left=2.0).derived()
        assert case.lungs["left"].affected_percent == pytest.approx(2.0)
        assert any("Region r2 adds nothing to the affected share yet" in note for note in notes)

    def test_shares_of_a_document_without_volumes_are_kept(self) -> None:
        assert case_of(region(infected_ml=None)).with_verdict().lungs["left"].affected_percent == 12.0

    def test_but_not_where_nothing_counts(self) -> None:
        gone = region(infected_ml=None, reader=ReaderMark("irrelevant", "a", AT))
        assert case_of(gone).with_verdict().lungs["left"].affected_percent == 0.0
        assert case_of().with_verdict().lungs["left"].affected_percent == 0.0


class TestDecided:
    def test_the_margin_is_on_the_logarithm(self) -> None:
        # 1 - P of .03 and .3: ten times.
        assert decide([("covid19", 0.971), ("influenza_a", 0.7)]).decided
        assert not decide([("covid19", 0.969), ("influenza_a", 0.7)]).decided
        assert math.exp(DECIDED_MARGIN) == pytest.approx(10.0)

    def test_types_whose_probability_rounds_to_one_are_still_told_apart(self) -> None:
        found = decide([("covid19", 0.99)] * 20 + [("influenza_a", 0.99)] * 19)
        assert found.probability["covid19"] == found.probability["influenza_a"] == 1.0
        assert found.decided

    def test_one_type_or_none_is_decided(self) -> None:
        assert decide([("covid19", 0.01)]).decided and decide([]).decided

    def test_a_sure_reader_decides(self) -> None:
        assert decide([("covid19", 1.0), ("influenza_a", 0.99)]).decided

    def test_two_sure_readers_who_disagree_do_not(self) -> None:
        assert not decide([("covid19", 1.0), ("covid19", 1.0), ("influenza_a", 1.0)]).decided


class TestInfection:
    def test_there_is_none_without_a_calibration(self) -> None:
        found = case_of(region()).with_verdict().verdict
        assert found is not None and found.infection is None

    def test_is_the_calibrated_evidence(self) -> None:
        regions = (region(), region(2, "irrelevant", infected_ml=0.3))
        expected = 1.0 / (1.0 + math.exp(3.0 - 1.5 * case_evidence(regions)))
        found = verdict_of(case_of(*regions)).infection
        assert found == Infection(pytest.approx(expected), "60 phantoms", -3.0, 1.5)

    def test_evidence_is_nothing_without_infected_volume_and_grows_smoothly(self) -> None:
        values = [evidence(region(infected_ml=ml)) for ml in (0.0, 0.05, 0.1, 1.0, 100.0)]
        assert values[0] == 0.0 and values == sorted(values)
        assert evidence(region(score=0.4)) < evidence(region(score=0.5))
        assert evidence(region(confidence=0.6)) < evidence(region(confidence=0.9))

    def test_follows_a_correction_by_the_calibration_of_the_document(self) -> None:
        case = case_of(region()).with_verdict(calibration=CALIBRATION)
        gone = replace(case, regions=(replace(case.regions[0], reader=ReaderMark("irrelevant", "a", AT)),))
        found = gone.with_verdict().verdict
        assert found is not None and found.infection is not None
        assert found.infection.probability == pytest.approx(1.0 / (1.0 + math.exp(3.0)))
        assert Case.from_json(gone.to_json()).with_verdict().verdict == found

    def test_a_reader_who_is_sure_makes_it_certain(self) -> None:
        seen = region(reader=ReaderMark("covid19", "a", AT))
        assert verdict_of(case_of(seen)).infection.probability == 1.0  # type: ignore[union-attr]
        unsure = region(reader=ReaderMark("covid19", "a", AT, 0.5))
        expected = 1.0 - (1.0 - 1.0 / (1.0 + math.exp(3.0))) * 0.5
        assert verdict_of(case_of(unsure)).infection.probability == pytest.approx(expected)  # type: ignore[union-attr]

    def test_it_goes_where_the_document_does_not_say_how_it_was_calibrated(self) -> None:
        case = replace(case_of(region()), verdict=Verdict("covid19", "single", infection=Infection(0.9, "somewhere")))
        after, notes = case.derived()
        assert after.verdict is not None and after.verdict.infection is None
        assert any("does not say how it was calibrated" in note for note in notes)

    @pytest.mark.parametrize("slope", [-0.1, math.nan, math.inf])
    def test_more_evidence_never_lowers_it(self, slope: float) -> None:
        with pytest.raises(ValueError, match="slope"):
            Calibration(0.0, slope, "x")


class TestDeriving:
    def test_it_says_what_it_changed(self) -> None:
        lying = replace(
            case_of(region(label="covid19", infected_ml=0.0), region(2, "irrelevant")),
            verdict=Verdict("covid19", "single", {"covid19": 0.9, "influenza_a": 0.0}, {"covid19": 0.9}),
        )
        stated = replace(lying, regions=tuple(replace(r, label=r.patch_vote[0], confidence=0.9) for r in lying.regions))  # type: ignore[index]
        after, notes = stated.derived()
        assert after.verdict is not None and after.verdict.label == NONE_FOUND
        assert notes == (
            "Region r1 counts as irrelevant (0.05), not as covid19 (0.90): so say its patches and its evidence.",
            "The affected share of the left lung is 0.0 %, not 12.0 %, by the regions that count.",
            "The verdict is no_infection_found, not covid19, by the regions that count.",
        )

    def test_nothing_is_said_of_a_document_that_is_right(self) -> None:
        case = case_of(region(), region(2, "influenza_a")).with_verdict(calibration=CALIBRATION)
        assert case.derived() == (case, ())

    def test_a_state_without_its_reader_is_mended(self) -> None:
        case, notes = case_of(region(state="accepted")).derived()
        assert case.regions[0].state == "open"
        assert "Region r1 is open, not accepted, by its reader's entry." in notes
        seen = region(reader=ReaderMark("influenza_a", "a", AT))
        assert case_of(seen).with_verdict().regions[0].state == "corrected"
        assert case_of(replace(seen, state="accepted")).with_verdict().regions[0].state == "accepted"

    def test_a_radiograph_is_left_alone(self) -> None:
        xray = Case("x", "CXR", ImageInfo((9, 9), (1.0, 1.0), "x"), verdict=Verdict("healthy", "softmax"))
        assert xray.derived() == (xray, ())

    @settings(max_examples=100, deadline=None)
    @given(cases())
    def test_twice_is_once(self, case: Case) -> None:
        once = case.with_verdict()
        assert once.with_verdict() == once
        assert Case.from_json(once.to_json()).derived() == (once, once.derived()[1])

    @settings(max_examples=100, deadline=None)
    @given(cases())
    def test_an_infection_and_a_share_go_together(self, case: Case) -> None:
        found = case.with_verdict()
        assert found.verdict is not None
        if found.verdict.label == NONE_FOUND:
            assert all(lung.affected_percent == 0.0 for lung in found.lungs.values())
        for region_ in found.regions:
            if region_.source == "model" and region_.reader is None and region_.infected_ml is not None:
                assert region_.label != "covid19" or not region_.patches or region_.infected_ml >= SUPPORTED_ML

    @settings(max_examples=100, deadline=None)
    @given(cases())
    def test_without_its_last_infection_a_case_is_clear(self, case: Case) -> None:
        marks = tuple(replace(r, reader=ReaderMark("irrelevant", "a", AT)) for r in case.regions)
        for clear in (replace(case, regions=marks), replace(case, regions=())):
            found = clear.with_verdict()
            assert found.verdict is not None
            assert (found.verdict.label, found.verdict.rule) == (NONE_FOUND, "none")
            assert all(lung.affected_percent == 0.0 for lung in found.lungs.values())

    @settings(max_examples=100, deadline=None)
    @given(cases(), st.sampled_from(DEFAULT_CLASSES.infections), st.floats(0.0, 1.0), st.booleans())
    def test_one_more_infection_never_lowers_a_probability(
        self, case: Case, label: str, confidence: float, is_read: bool
    ) -> None:
        reader = ReaderMark(label, "a", AT, confidence) if is_read else None
        more = region(99, label, max(confidence, 0.4), reader=reader)
        before, after = verdict_of(case), verdict_of(replace(case, regions=(*case.regions, more)))
        for name in DEFAULT_CLASSES.infections:
            assert after.probability[name] >= before.probability[name] - 1e-12
        assert before.infection is not None and after.infection is not None
        assert after.infection.probability >= before.infection.probability - 1e-12
