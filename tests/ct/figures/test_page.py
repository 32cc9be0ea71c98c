"""The page, the text and the JSON of an evaluation: the same figures, whole, and inside one file."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.case import Case, ImageInfo, ModelInfo, ReaderMark, Region
from pneumoscreen.ct.figures.cautions import cautions
from pneumoscreen.ct.figures.cohort import CohortResult, Failure
from pneumoscreen.ct.figures.page import render_page
from pneumoscreen.ct.figures.summary import Population, Summary, summarize
from pneumoscreen.ct.figures.text import to_text
from pneumoscreen.evaluation.figures import LeftOut
from pneumoscreen.metrics.agreement import ReadCase
from pneumoscreen.metrics.detection import match
from pneumoscreen.verdict import Classes

MODELS = {"ct_candidates": ModelInfo(3, "ab" * 32), "ct_classifier": ModelInfo(5, "cd" * 32)}
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Checks that elements close in order, and collects ids, references and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.outside: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:")):
                self.outside.append(value)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def population(result: CohortResult, side: str | None = "test") -> Population:
    return Population.of(result, "studies folder hospital", side, MODELS)


def read(name: str) -> ReadCase:
    def document(label: str, reader: str) -> Case:
        mark = ReaderMark(label, reader, "2026-01-01T00:00:00Z")
        box = Region("r1", "model", (1.0, 2.0, 3.0), (9.0, 9.0, 9.0), 0.5, "left", (), "covid19", 0.9, mark)
        return Case(name, "CT", ImageInfo((9, 9, 9), (1.0, 1.0, 1.0), "ab"), regions=(box,), models=MODELS)

    return ReadCase(name, name, {"ann": document("covid19", "ann"), "<bob>": document("irrelevant", "<bob>")})


@pytest.fixture(scope="module")
def summary(make_cohort) -> Summary:
    cohort = replace(
        make_cohort(cases=24, scans=2, sharpness=5.0).under({"m1": 2.0, "m2": 3.0}),
        failures=(Failure("case-900", "no lungs", "patient-900", "covid19"),),
        left_out=(LeftOut("case-901", "field regions must be a list"),),
    )
    return summarize(cohort, population(cohort), [read("case-000"), read("case-001")])


@pytest.fixture(scope="module")
def page(summary: Summary) -> str:
    return render_page(summary)


def test_the_page_is_whole_and_needs_nothing_else(page):
    found = Page(page)
    assert len(found.ids) == len(set(found.ids))
    assert found.outside == []
    assert page.count("<svg") == 8  # two ROC, two precision-recall, FROC, three reliability diagrams
    for reference in re.findall(r"url\(#([^)]*)\)", page):
        assert reference in found.ids
    assert page.count(RESEARCH_USE_ONLY) == 2
    assert "&lt;bob&gt;" in page
    assert "<bob>" not in page


def test_figures_follow_the_colours_of_the_page(page):
    inside = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert re.findall(r"#[0-9a-fA-F]{6}\b", inside) == []
    assert "<style" not in inside
    assert set(re.findall(r"var\((--[\w-]+)\)", inside)) <= set(re.findall(r"(--[\w-]+):", page))


def test_page_text_and_json_hold_the_same_figures(summary, page):
    document = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    text = to_text(summary)
    words = Page(page).words
    accuracy = document["verdicts"]["accuracy"]["m2"]
    assert accuracy["estimate"] == pytest.approx(summary.accuracy["m2"].estimate)
    for value in (accuracy, document["candidates"]["lesion_recall"], document["patches"]["m1"]["intervals"]["mean_f1"]):
        assert f"{value['estimate']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" in text
        assert f"{value['estimate']:.3f}" in words
        assert f"{value['low']:.3f} to {value['high']:.3f}" in words
    assert "paper, M2: accuracy 0.867" in text
    for name in (
        "case-900",
        "case-901",
        "field regions must be a list",
        "not screened",
        "counts as a missed infection",
    ):
        assert name in text
        assert name in words


def test_every_block_names_its_population(summary):
    document = summary.to_dict()
    assert document["population"]["patients"] == 13
    assert document["population"]["cases"] == 25
    for block in ("candidates", "patches", "regions", "cases", "verdicts", "curves", "calibration"):
        people = document[block]["population"]
        assert (people["side"], people["patients"], people["cases"]) == ("test", 13, 25)
        assert people["models"]["ct_classifier"] == {"version": 5, "sha256": "cd" * 32}


def test_calibration_stands_before_and_after_the_stored_temperature(summary):
    at = [(a.head, a.level, a.temperature) for a in summary.calibration]
    assert at == [
        (head, level, temperature)
        for head, stored in (("m1", 2.0), ("m2", 3.0))
        for temperature in (1.0, stored)
        for level in ("patches", "cases")
    ] + [("m2", "infection", 3.0)]
    losses = [a.figures["negative_log_likelihood"].estimate for a in summary.calibration if a.level == "patches"]
    assert losses[1] < losses[0]
    assert losses[3] < losses[2]


def test_readers_stand_against_the_model_and_each_other(summary):
    pairs = [(a.first, a.second, a.level, a.observed.estimate) for a in summary.with_model]
    assert ("ann", "model", "regions", 1.0) in pairs
    assert ("<bob>", "model", "regions", 0.0) in pairs
    assert [(a.level, a.observed.estimate) for a in summary.between_readers] == [("regions", 0.0), ("cases", 0.0)]


def test_cautions_fit_the_cohort(make_cohort, summary):
    said = " ".join(cautions(summary))
    assert "There are 13 patients" in said
    assert "1 case could not be screened" in said
    assert "synthetic" not in said
    phantoms = make_cohort(cases=3)
    said = " ".join(cautions(summarize(phantoms, population(phantoms, side=None))))
    assert "synthetic cases" in said
    assert "No temperature is stored" in said
    training = make_cohort(cases=3)
    assert "not the test patients (training)" in " ".join(
        cautions(summarize(training, population(training, "training")))
    )
    single = make_cohort(cases=1)
    said = " ".join(cautions(summarize(single, population(single))))
    assert "There is one patient" in said
    assert "No case of Influenza A, No infection found" in said


@pytest.mark.parametrize("cases", [1, 3])
def test_the_smallest_cohorts_have_a_page(make_cohort, cases, tmp_path: Path):
    cohort = make_cohort(cases=cases)
    found = summarize(cohort, population(cohort))
    Page(render_page(found))
    json.dumps(found.to_dict(), allow_nan=False)
    assert "nan" not in to_text(found)
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", render_page(found), flags=re.DOTALL)


def test_cases_without_any_region_have_a_page(make_cohort):
    cohort = make_cohort(cases=3)
    bare = tuple(
        replace(
            outcome,
            true_patches=(),
            true_regions=(),
            sizes=(),
            heads={
                name: type(head).of(head.uncalibrated[:0], (), 1.0, cohort.classes)
                for name, head in outcome.heads.items()
            },
            detection=match(np.zeros((0, 6)), [], [[0, 0, 0, 4, 4, 4], [9, 9, 9, 12, 12, 12]]),
        )
        for outcome in cohort.outcomes
    )
    empty = replace(cohort, outcomes=bare)
    found = summarize(empty, population(empty))
    Page(render_page(found))
    assert found.lesion_recall.estimate == 0.0
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_site_with_its_own_classes_and_one_classifier_has_a_page(make_cohort):
    classes = Classes(("rsv", "influenza_b"), "irrelevant", "no_infection_found")
    names = {"covid19": "rsv", "influenza_a": "influenza_b"}

    def renamed(label: str) -> str:
        return names.get(label, label)

    cohort = make_cohort(cases=6)
    outcomes = tuple(
        replace(
            outcome,
            diagnosis=renamed(outcome.diagnosis),
            true_patches=tuple(map(renamed, outcome.true_patches)),
            true_regions=tuple(map(renamed, outcome.true_regions)),
            heads={"m1": type(outcome.heads["m1"]).of(outcome.heads["m1"].uncalibrated, outcome.sizes, 1.0, classes)},
        )
        for outcome in cohort.outcomes
    )
    own = CohortResult(outcomes, (), classes, "m1")
    found = summarize(own, population(own))
    words = Page(render_page(found)).words
    assert "Rsv" in words
    assert "In the paper" not in words  # other classes cannot be set beside the paper's
    assert found.gains["cases"] is None
