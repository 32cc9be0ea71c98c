"""The whole pipeline on phantoms, judged; networks untrained, so the figures are bad but must add up."""

import json

import numpy as np
import pytest

from pneumoscreen.ct.candidate_network import CandidateNetworkSettings
from pneumoscreen.ct.candidates import CandidateModel, CandidateSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.screening import Screener
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.evaluation.cohort import CohortResult, evaluate_cohort, main, phantom_cohort
from pneumoscreen.evaluation.detection import match
from pneumoscreen.evaluation.outcome import CaseOutcome, HeadOutcome, dice
from pneumoscreen.phantoms.phantom import Phantom, PhantomSpec
from pneumoscreen.verdict import DEFAULT_CLASSES

SPEC = PhantomSpec(matrix=160, slices=32)
NARROW = CandidateNetworkSettings(channels=(8, 8, 8, 16, 16), proposal_channels=8)


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener(
        CandidateModel.untrained(CandidateSettings(network=NARROW), seed=1),
        ClassifierModel.untrained(ClassifierSettings(widths=(8, 8, 16, 16)), seed=1),
    )


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return list(phantom_cohort(3, 500, spec=SPEC))


@pytest.fixture(scope="module")
def result(screener, phantoms) -> CohortResult:
    return evaluate_cohort(phantoms, screener)


def test_the_three_diagnoses_take_turns(phantoms):
    assert [phantom.diagnosis for phantom in phantoms] == list(DEFAULT_CLASSES.case_labels)


def test_every_patch_and_region_is_judged_by_both_classifiers(result):
    assert result.heads == ("m1", "m2")
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


def test_text_and_json_hold_the_same_figures(result, tmp_path):
    result.write(tmp_path / "new")
    document = json.loads((tmp_path / "new" / "cohort.json").read_text(encoding="utf-8"))
    text = (tmp_path / "new" / "cohort.txt").read_text(encoding="utf-8")
    assert document["cases"] == 3
    assert f"case accuracy {document['verdicts']['accuracy']:.3f} [" in text
    assert f"lesion recall {document['lesion_recall']['estimate']:.3f} [" in text
    assert "paper: accuracy 0.867" in text


def test_a_case_that_cannot_be_screened_counts_as_wrong(result, screener, phantoms):
    blank = Phantom(
        volume=type(phantoms[0].volume)(**{**vars(phantoms[0].volume), "hu": np.full_like(phantoms[0].volume.hu, 40)}),
        **{name: getattr(phantoms[0], name) for name in ("lungs", "infection", "lesions", "diagnosis")},
    )
    lines = []
    mixed = evaluate_cohort([phantoms[1], blank], screener, lambda done, line: lines.append((done, line)))
    assert len(mixed.failures) == 1
    assert mixed.accuracy().estimate <= 0.5
    assert [done for done, _ in lines] == [1, 2]
    assert "not screened" in lines[1][1]
    assert "not screened" in mixed.to_text()
    with pytest.raises(PneumoScreenError, match="no case of the cohort"):
        evaluate_cohort([blank], screener)


def outcome(name: str, diagnosis: str, m1: str, m2: str) -> CaseOutcome:
    lesion = [[2.0, 2, 2, 8, 8, 8]] if diagnosis != "no_infection_found" else []
    truth = diagnosis if lesion else "irrelevant"
    return CaseOutcome(
        case_id=name,
        diagnosis=diagnosis,
        true_patches=(truth,) * 3,
        true_regions=(truth,),
        heads={
            "m1": HeadOutcome((m1,) * 3, (m1,), m1 if m1 != "irrelevant" else "no_infection_found"),
            "m2": HeadOutcome((m2,) * 3, (m2,), m2 if m2 != "irrelevant" else "no_infection_found"),
        },
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
    result = CohortResult(outcomes, (("e", "no lungs"),), DEFAULT_CLASSES, "m2")
    assert result.accuracy().estimate == pytest.approx(0.8)
    assert result.lesion_recall().estimate == 1.0
    assert result.patch_f1("m2").estimate == 1.0
    # M1: covid19 2/3, influenza_a 2/3, irrelevant 1.
    assert result.patch_f1("m1").estimate == pytest.approx(7 / 9)
    gain = result.patch_f1_gain()
    assert gain.estimate == pytest.approx(2 / 9)
    assert gain.low >= 0.0
    assert [(p.recall, p.false_regions_per_case) for p in result.froc()] == [(1.0, 0.25)]


def test_dice():
    a = np.array([1, 1, 0, 0], bool)
    assert dice(a, a) == 1.0
    assert dice(a, ~a) == 0.0
    assert dice(a, np.array([1, 0, 0, 0], bool)) == pytest.approx(2 / 3)
    assert dice(a & False, a & False) == 1.0


def test_a_missing_model_is_one_sentence_and_status_2(tmp_path, capsys):
    assert main(["--cases", "1", "--models", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "ct_candidates" in error
    assert error.count("\n") == 1
