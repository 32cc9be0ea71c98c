"""The vote, Noisy-OR and confidence rules: the paper's examples and their algebra."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen import verdict
from pneumoscreen.verdict import DEFAULT_CLASSES, Classes, decide, export_confidence, noisy_or, vote

LABELS = DEFAULT_CLASSES.patch_labels
probabilities = st.floats(0.0, 1.0)
opinions = st.tuples(st.sampled_from(LABELS), probabilities)
patch_triples = st.lists(opinions, min_size=1, max_size=3)
region_lists = st.lists(opinions, max_size=20)


class TestVote:
    """Section 2.6.1."""

    def test_two_that_agree_outvote_a_more_confident_third(self) -> None:
        assert vote([("covid19", 0.4), ("irrelevant", 0.99), ("covid19", 0.6)]) == ("covid19", 0.6)

    def test_without_agreement_the_most_confident_patch_speaks(self) -> None:
        assert vote([("covid19", 0.5), ("irrelevant", 0.4), ("influenza_a", 0.7)]) == ("influenza_a", 0.7)

    def test_one_patch_speaks_for_itself(self) -> None:
        assert vote([("irrelevant", 0.4)]) == ("irrelevant", 0.4)

    def test_of_two_that_disagree_the_more_confident_speaks(self) -> None:
        assert vote([("covid19", 0.5), ("influenza_a", 0.6)]) == ("influenza_a", 0.6)

    def test_equal_confidences_go_to_the_first(self) -> None:
        assert vote([("influenza_a", 0.5), ("covid19", 0.5), ("irrelevant", 0.5)]) == ("influenza_a", 0.5)

    @given(patch_triples)
    def test_is_one_of_the_patches_and_of_the_majority(self, patches: list[tuple[str, float]]) -> None:
        label, confidence = vote(patches)
        assert (label, confidence) in patches
        labels = [name for name, _ in patches]
        majority = [name for name in labels if labels.count(name) >= 2]
        if majority:
            assert label == majority[0]
        assert confidence == max(c for name, c in patches if name == label)

    @given(patch_triples)
    def test_order_matters_only_between_equal_confidences(self, patches: list[tuple[str, float]]) -> None:
        if len({confidence for _, confidence in patches}) == len(patches):
            assert vote(patches) == vote(patches[::-1])

    def test_no_patch_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one patch"):
            vote([])

    @pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan, math.inf])
    def test_a_confidence_out_of_range_is_refused(self, confidence: float) -> None:
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            vote([("covid19", 0.5), ("covid19", confidence)])


class TestNoisyOr:
    """Section 2.6.2, equation 1."""

    def test_two_halves_make_three_quarters(self) -> None:
        assert noisy_or([0.5, 0.5]) == pytest.approx(0.75)

    def test_is_not_one_minus_the_sum(self) -> None:
        assert noisy_or([0.3, 0.3]) == pytest.approx(0.51)

    def test_nothing_gives_zero(self) -> None:
        assert noisy_or([]) == 0.0
        assert math.copysign(1.0, noisy_or([])) == 1.0

    @given(st.lists(probabilities, max_size=20))
    def test_equals_the_product_formula(self, values: list[float]) -> None:
        survival = math.prod(1.0 - value for value in values)
        assert noisy_or(values) == pytest.approx(1.0 - survival, abs=1e-12)

    @given(st.lists(probabilities, max_size=20), probabilities)
    def test_one_more_region_never_lowers_it(self, values: list[float], more: float) -> None:
        assert max([0.0, *values]) - 1e-12 <= noisy_or(values) <= noisy_or([*values, more]) + 1e-12 <= 1.0 + 1e-12

    @given(st.lists(probabilities, max_size=8).flatmap(lambda v: st.tuples(st.just(v), st.permutations(v))))
    def test_order_does_not_matter(self, lists: tuple[list[float], list[float]]) -> None:
        assert noisy_or(lists[0]) == noisy_or(lists[1])

    def test_small_probabilities_are_not_lost(self) -> None:
        assert noisy_or([1e-20, 2e-20]) == pytest.approx(3e-20, rel=1e-12)


class TestExport:
    """The three rules for the exported confidence."""

    def test_nothing_is_exported_without_infection(self) -> None:
        assert export_confidence({"covid19": 0.0, "influenza_a": 0.0}) == ("none", {})

    def test_the_only_type_is_exported_as_it_is(self) -> None:
        assert export_confidence({"covid19": 0.0, "influenza_a": 0.3}) == ("single", {"influenza_a": 0.3})

    def test_two_types_go_through_softmax(self) -> None:
        rule, confidence = export_confidence({"covid19": 0.94, "influenza_a": 0.4})
        assert rule == "softmax"
        assert confidence["covid19"] == pytest.approx(math.exp(0.94) / (math.exp(0.94) + math.exp(0.4)))
        assert round(confidence["covid19"], 2) == 0.63

    @given(st.tuples(st.floats(1e-300, 1.0), st.floats(1e-300, 1.0)))
    def test_softmax_sums_to_one_and_keeps_the_order(self, pair: tuple[float, float]) -> None:
        _, confidence = export_confidence(dict(zip(DEFAULT_CLASSES.infections, pair, strict=True)))
        first, second = confidence.values()
        assert first + second == pytest.approx(1.0)
        assert (first >= second) or pair[0] <= pair[1]


class TestDecide:
    """Regions to verdict."""

    def test_no_region_is_no_infection_found(self) -> None:
        found = decide([])
        assert (found.label, found.rule, found.exported) == ("no_infection_found", "none", 0.0)
        assert found.probability == {"covid19": 0.0, "influenza_a": 0.0}

    def test_irrelevant_regions_leave_the_sum(self) -> None:
        assert decide([("irrelevant", 0.99), ("covid19", 0.2)]) == decide([("covid19", 0.2)])

    def test_several_unsure_regions_beat_a_surer_one(self) -> None:
        found = decide([("covid19", 0.6)] * 3 + [("influenza_a", 0.8)])
        assert found.label == "covid19"
        assert found.probability["covid19"] == pytest.approx(0.936)

    def test_probabilities_that_both_round_to_one_are_still_told_apart(self) -> None:
        found = decide([("covid19", 0.99)] * 19 + [("influenza_a", 0.99)] * 20)
        assert found.probability["covid19"] == found.probability["influenza_a"] == 1.0
        assert found.label == "influenza_a"

    def test_two_readers_who_are_sure_are_counted(self) -> None:
        assert decide([("covid19", 1.0), ("influenza_a", 1.0), ("influenza_a", 1.0)]).label == "influenza_a"

    def test_a_tie_goes_to_the_first_of_the_class_list(self) -> None:
        assert decide([("influenza_a", 0.5), ("covid19", 0.5)]).label == "covid19"

    @given(region_lists.flatmap(lambda v: st.tuples(st.just(v), st.permutations(v))))
    def test_the_order_of_regions_does_not_matter(self, lists: tuple[list, list]) -> None:
        assert decide(lists[0]) == decide(lists[1])

    @given(region_lists)
    def test_rule_label_and_confidence_fit_together(self, regions: list[tuple[str, float]]) -> None:
        found = decide(regions)
        present = {name for name, value in found.probability.items() if value > 0}
        assert found.rule == {0: "none", 1: "single", 2: "softmax"}[len(present)]
        assert set(found.confidence) == present
        if not present:
            assert found.label == DEFAULT_CLASSES.none_found
            return
        assert found.label in present
        assert found.probability[found.label] == max(found.probability.values())
        assert found.exported == max(found.confidence.values())

    @given(region_lists, probabilities)
    def test_one_more_region_of_the_winner_changes_no_winner(
        self, regions: list[tuple[str, float]], confidence: float
    ) -> None:
        before = decide(regions)
        if before.rule != "none":
            assert decide([*regions, (before.label, confidence)]).label == before.label

    def test_an_unknown_label_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'plague'"):
            decide([("plague", 0.5)])

    def test_a_site_names_its_own_classes(self) -> None:
        site = Classes(("rsv", "adenovirus", "hmpv"), "other", "clear")
        regions = [("rsv", 0.5), ("hmpv", 0.7), ("other", 0.9)]
        found = decide(regions, site)
        assert found.label == "hmpv"
        assert set(found.confidence) == {"rsv", "hmpv"}
        assert decide([("other", 1.0)], site).label == "clear"

    @pytest.mark.parametrize("names", [(), ("a", "a"), ("irrelevant",), ("",)])
    def test_classes_must_be_distinct_names(self, names: tuple[str, ...]) -> None:
        with pytest.raises(ValueError, match="distinct"):
            Classes(infections=names)


def test_module_needs_nothing_but_the_standard_library() -> None:
    folder = Path(verdict.__file__).parent.parent
    script = "import pneumoscreen.case, sys; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", script], check=True, env={"PYTHONPATH": str(folder)}, timeout=60)


def test_a_type_is_decided_from_just_ten_times_the_other_on() -> None:
    """By what is left of 1 - P: .1 * .1 of the one stands to .1 of the other as 1 to 10."""
    a, b = DEFAULT_CLASSES.infections
    assert decide([(a, 0.9), (a, 0.9), (b, 0.9)]).decided
    assert not decide([(a, 0.9), (a, 0.89), (b, 0.9)]).decided
