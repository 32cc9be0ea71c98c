"""The whole pipeline on phantoms, judged; networks untrained, so the figures are bad but must add up."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.candidates.network import CandidateNetworkSettings
from pneumoscreen.ct.candidates.proposals import SelectionSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.figures.cases import LabelledCase, phantom_cases
from pneumoscreen.ct.figures.cohort import CohortResult, Failure, evaluate_cases
from pneumoscreen.ct.figures.outcome import CaseOutcome, HeadOutcome, dice
from pneumoscreen.ct.figures.outcome_folder import OutcomeFolder
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec
from pneumoscreen.ct.screening import Screener
from pneumoscreen.errors import CaseError, PneumoScreenError
from pneumoscreen.metrics.detection import match
from pneumoscreen.verdict import DEFAULT_CLASSES

SPEC = PhantomSpec(matrix=160, slices=32)
NARROW = CandidateNetworkSettings(channels=(8, 8, 8, 16, 16), proposal_channels=8)


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener(
        CandidateModel.untrained(
            CandidateSettings(network=NARROW, selection=SelectionSettings(score=0.0, free_score=0.0)), seed=1
        ),
        ClassifierModel.untrained(ClassifierSettings(widths=(8, 8, 16, 16)), seed=1),
    )


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return [case.load() for case in phantom_cases(3, 500, spec=SPEC)]


def labelled(phantom: Phantom) -> LabelledCase:
    return LabelledCase(phantom.volume.case_id, phantom.volume.case_id, "", lambda: phantom, lambda: phantom.diagnosis)


def unknown() -> str:
    return pytest.fail("nobody asks for the diagnosis of a case that can be read")


@pytest.fixture(scope="module")
def result(screener, phantoms) -> CohortResult:
    return evaluate_cases(map(labelled, phantoms), screener)


def test_the_three_diagnoses_take_turns(phantoms):
    assert [phantom.diagnosis for phantom in phantoms] == list(DEFAULT_CLASSES.case_labels)


def test_every_patch_and_region_is_judged_by_both_classifiers(result):
    assert result.heads == ("m1", "m2")
    assert all(outcome.true_regions for outcome in result.outcomes)
    for outcome in result.outcomes:
        for head in outcome.heads.values():
            assert len(head.patches) == len(outcome.true_patches)
            assert len(head.regions) == len(outcome.true_regions) == len(outcome.detection.scores)
    assert result.patches("m1").counts.sum(axis=1).tolist() == result.patches("m2").counts.sum(axis=1).tolist()
    assert result.cases().total == 3


def test_truth_is_infected_only_in_infected_cases(result):
    for outcome in result.outcomes:
        assert set(outcome.true_patches) <= {outcome.diagnosis, "irrelevant"}
        assert (len(outcome.detection.first_hits) > 0) == (outcome.diagnosis != "no_infection_found")


def test_a_case_that_cannot_be_screened_counts_as_wrong(result, screener, phantoms):
    blank = Phantom(
        volume=type(phantoms[0].volume)(**{**vars(phantoms[0].volume), "hu": np.full_like(phantoms[0].volume.hu, 40)}),
        **{name: getattr(phantoms[0], name) for name in ("lungs", "infection", "lesions", "diagnosis")},
    )
    lines = []
    mixed = evaluate_cases(
        [labelled(phantoms[1]), labelled(blank)], screener, lambda done, line: lines.append((done, line))
    )
    assert [failure.diagnosis for failure in mixed.failures] == [blank.diagnosis]
    assert mixed.cases().total == 2
    assert mixed.accuracy().estimate <= 0.5
    assert [done for done, _ in lines] == [1, 2]
    assert "not screened" in lines[1][1]
    with pytest.raises(PneumoScreenError, match="no case of the cohort"):
        evaluate_cases([labelled(blank)], screener)


def certain(labels: Iterable[str], temperature: float = 1.0) -> HeadOutcome:
    """Three patches of one region, each nearly certain of its label."""
    names = DEFAULT_CLASSES.patch_labels
    rows = np.array([[0.96 if name == label else 0.02 for name in names] for label in labels])
    return HeadOutcome.of(rows, (len(rows),), temperature, DEFAULT_CLASSES)


def outcome(name: str, diagnosis: str, m1: str, m2: str, patient: str | None = None) -> CaseOutcome:
    lesion = [[2.0, 2, 2, 8, 8, 8]] if diagnosis != "no_infection_found" else []
    truth = diagnosis if lesion else "irrelevant"
    return CaseOutcome(
        case_id=name,
        patient=patient or name,
        diagnosis=diagnosis,
        true_patches=(truth,) * 3,
        true_regions=(truth,),
        sizes=(3,),
        heads={"m1": certain([m1] * 3), "m2": certain([m2] * 3)},
        detection=match([[0.0, 0, 0, 10, 10, 10]], [0.7], lesion),
        lung_dice=0.97,
        affected_error=-1.0,
        timings_s={"total": 4.0},
    )


def test_figures_of_a_cohort_by_hand():
    outcomes = (
        outcome("a", "covid19", "influenza_a", "covid19"),
        outcome("b", "influenza_a", "influenza_a", "influenza_a"),
        outcome("c", "no_infection_found", "irrelevant", "irrelevant"),
        outcome("d", "covid19", "covid19", "covid19"),
    )
    result = CohortResult(outcomes, (Failure("e", "no lungs", "e", "no_infection_found"),), DEFAULT_CLASSES, "m2")
    assert result.accuracy().estimate == pytest.approx(0.8)
    assert result.accuracy("m1").estimate == pytest.approx(0.6)
    assert result.sensitivity().estimate == 1.0
    assert result.specificity().estimate == pytest.approx(0.5)
    missed = CohortResult(outcomes, (Failure("e", "no lungs", "e", "covid19"),), DEFAULT_CLASSES, "m2")
    assert missed.sensitivity().estimate == pytest.approx(0.75)
    assert missed.specificity().estimate == 1.0
    for cohort in (result, missed):  # the case table holds the same cases as the shares
        table = cohort.table("cases", "m2")
        assert (table.matrix.total, cohort.table("patches", "m2").matrix.total) == (5, 12)
        assert table.accuracy == cohort.accuracy()
        assert table.matrix.accuracy == pytest.approx(0.8)
    assert missed.cases().unscreened == (1, 0, 0)
    assert missed.cases().recall.tolist() == pytest.approx([2 / 3, 1.0, 1.0])
    assert missed.cases().f1.tolist() == pytest.approx([0.8, 1.0, 1.0])
    assert result.lesion_recall().estimate == 1.0
    assert result.table("patches", "m2").mean_f1.estimate == 1.0
    # M1: covid19 2/3, influenza_a 2/3, irrelevant 1.
    table = result.table("patches", "m1")
    assert table.mean_f1.estimate == pytest.approx(7 / 9)
    assert [f1.estimate for f1 in table.f1] == pytest.approx([2 / 3, 2 / 3, 1.0])
    assert [recall.estimate for recall in table.recall] == pytest.approx([0.5, 1.0, 1.0])
    assert table.to_dict()["intervals"]["accuracy"]["estimate"] == pytest.approx(0.75)
    gain = result.gain("patches")
    assert gain.estimate == pytest.approx(2 / 9)
    assert gain.low >= 0.0
    assert [(p.recall, p.false_regions_per_case) for p in result.froc()] == [(1.0, 0.25)]
    items = result.case_items("m2")
    assert items.labels.tolist() == [0, 1, 2, 0]
    assert items.noisy_or[0] == pytest.approx([0.96, 0.0])
    assert items.any_infection == pytest.approx([0.96, 0.96, 0.0, 0.96])
    patches = result.patch_items("m2")
    assert patches.probabilities.shape == (12, 3)
    assert patches.patients.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


def test_two_scans_of_a_patient_are_one_cluster():
    kinds = [("covid19", "covid19"), ("covid19", "influenza_a")] * 6
    apart = tuple(outcome(f"c{i}", truth, found, found) for i, (truth, found) in enumerate(kinds))
    # Of each patient both scans are right, or both are wrong.
    ordered = sorted(kinds, key=lambda kind: kind[1])
    paired = tuple(outcome(f"c{i}", *kind, kind[1], f"p{i // 2}") for i, kind in enumerate(ordered))
    widths = []
    for outcomes in (apart, paired):
        result = CohortResult(outcomes, (), DEFAULT_CLASSES, "m2")
        interval = result.accuracy()
        assert interval.estimate == 0.5
        widths.append(interval.high - interval.low)
    assert widths[1] > 1.2 * widths[0]


def test_one_patient_gives_figures_without_intervals():
    result = CohortResult((outcome("a", "covid19", "covid19", "covid19"),), (), DEFAULT_CLASSES, "m2")
    assert result.accuracy().estimate == 1.0
    assert np.isnan(result.accuracy().low)


def test_another_temperature_moves_probabilities_and_no_patch(make_cohort):
    cohort = make_cohort(cases=6)
    hot = cohort.under({"m2": 5.0})
    for before, after in zip(cohort.outcomes, hot.outcomes, strict=True):
        assert after.heads["m2"].patches == before.heads["m2"].patches
        assert after.heads["m2"].temperature == 5.0
        assert after.heads["m1"].noisy_or == before.heads["m1"].noisy_or
        assert after.heads["m2"].probabilities.max() < before.heads["m2"].probabilities.max()


def test_the_outcome_decides_as_the_screening_does(screener, phantoms, result):
    """Whatever temperatures are stored: the outcome's verdict is the one that a screening writes."""
    hot = Screener(screener.candidates, screener.classifier.with_temperatures({"m2": 3.0}))
    case = hot.screen(phantoms[0].volume).case
    judged = result.outcomes[0].under({"m2": 3.0}, DEFAULT_CLASSES).heads["m2"]
    assert case.regions
    assert judged.verdict == case.verdict.label
    assert judged.noisy_or == pytest.approx(case.verdict.probability)
    assert judged.regions == tuple(region.label for region in case.regions)
    assert judged.probabilities == pytest.approx(
        np.array([list(patch.probabilities.values()) for region in case.regions for patch in region.patches])
    )


def test_an_interrupted_evaluation_goes_on_with_what_it_has(screener, phantoms, result, tmp_path):
    kept = OutcomeFolder(tmp_path / "outcomes", screener)
    first = result.outcomes[1]

    def interrupted() -> Phantom:
        raise KeyboardInterrupt

    def stage(load: Callable[[], Phantom]) -> LabelledCase:
        return LabelledCase(first.case_id, first.patient, "as it was", load, unknown)

    last = LabelledCase("last", "last", "as it was", interrupted, unknown)
    with pytest.raises(KeyboardInterrupt):
        evaluate_cases([stage(lambda: phantoms[1]), last], screener, kept=kept)
    again = evaluate_cases([stage(lambda: pytest.fail("judged before"))], screener, kept=kept).outcomes[0]
    assert {**again.to_dict(), "timings_s": 0} == {**first.to_dict(), "timings_s": 0}
    assert again.detection.first_hits.tolist() == first.detection.first_hits.tolist()
    for name, head in again.heads.items():
        assert np.array_equal(head.uncalibrated, first.heads[name].uncalibrated)


def test_kept_outcomes_of_other_networks_labels_or_damaged_ones_are_not_used(screener, result, tmp_path):
    kept = OutcomeFolder(tmp_path, screener)
    first = result.outcomes[0]
    case = LabelledCase(first.case_id, first.patient, "as it was", lambda: pytest.fail("not needed"), unknown)
    kept.keep(case, first)
    assert kept.find(case) is not None
    assert kept.find(LabelledCase(case.case_id, case.patient, "labelled anew", case.load, unknown)) is None
    hot = Screener(screener.candidates, screener.classifier.with_temperatures({"m2": 3.0}))
    assert OutcomeFolder(tmp_path, hot).find(case) is None
    (tmp_path / f"{case.case_id}.json").write_text('{"key": ')
    assert kept.find(case) is None


def test_labels_that_cannot_be_used_are_left_out_and_count_for_nothing(screener, result, tmp_path):
    def broken() -> Phantom:
        raise CaseError("bad.json: field regions must be a list")

    kept = OutcomeFolder(tmp_path, screener)
    first = result.outcomes[0]
    good = LabelledCase(first.case_id, first.patient, "", lambda: pytest.fail("judged before"), unknown)
    kept.keep(good, first)
    bad = LabelledCase("bad", "bad", "", broken, unknown)
    lines = []
    mixed = evaluate_cases([bad, good], screener, lambda done, line: lines.append(line), kept)
    assert [case.case_id for case in mixed.left_out] == ["bad"]
    assert mixed.failures == ()
    assert mixed.patients == (first.patient,)
    assert lines[0] == "bad: left out: bad.json: field regions must be a list"
    with pytest.raises(PneumoScreenError, match="field regions must be a list"):
        evaluate_cases([bad], screener)


def test_dice():
    a = np.array([1, 1, 0, 0], bool)
    assert dice(a, a) == 1.0
    assert dice(a, ~a) == 0.0
    assert dice(a, np.array([1, 0, 0, 0], bool)) == pytest.approx(2 / 3)
    assert dice(a & False, a & False) == 1.0


def test_the_probability_of_an_infection_is_judged_where_the_document_gives_one():
    outcomes = (
        replace(outcome("a", "covid19", "covid19", "covid19"), infection=0.9),
        replace(outcome("b", "influenza_a", "influenza_a", "influenza_a"), infection=0.7),
        outcome("c", "no_infection_found", "irrelevant", "irrelevant"),
        replace(outcome("d", "no_infection_found", "covid19", "covid19"), infection=0.6),
    )
    items = CohortResult(outcomes, (), DEFAULT_CLASSES, "m2").infection_items()
    assert items.probability.tolist() == [0.9, 0.7, 0.6]
    assert items.infected.tolist() == [True, True, False]
    assert items.patients.tolist() == [0, 1, 3]
