"""What of a studies folder counts: whose words, beside which screening, and what a scan was without its readers."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.evaluation.reader_study import Condition
from pneumoscreen.monitoring.records import as_screened, models_in_words
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.versions import ADJUDICATION, IMPORT
from pneumoscreen.verdict import DEFAULT_CLASSES

from .clinic import CLEAR, INFECTED, Clinic, film, models, read, region, scan

FOUND = (region("r1", INFECTED), region("r2", INFECTED))
IN_WORDS = "ct_candidates 4, ct_classifier 4"


def test_the_newest_submission_of_each_reader_and_condition_counts(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = clinic.screen(scan("a", FOUND))
    clinic.submit(read(case, "dr-ann", CLEAR, shown=False), "dr-ann", 1)
    clinic.submit(read(case, "dr-ann", CLEAR, shown=True), "dr-ann", 2)
    clinic.submit(read(case, "dr-ann", INFECTED, shown=True), "dr-ann", 3)
    clinic.submit(read(case, "import", CLEAR), "import", 4, IMPORT)
    found = clinic.records()["CT"]
    assert [(one.condition, one.said, one.by_model) for one in found.submissions] == [
        (Condition.WITHOUT, CLEAR, INFECTED),
        (Condition.WITH, INFECTED, INFECTED),
    ]
    assert (found.imports, found.models, found.submissions[0].models) == (1, IN_WORDS, IN_WORDS)


def test_what_is_left_open_is_no_verdict(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = clinic.screen(scan("a", FOUND))
    marked = read(case, "dr-ann", INFECTED)
    half = replace(marked, diagnosis=None, regions=(marked.regions[0], case.regions[1]))
    clinic.submit(half, "dr-ann")
    clinic.submit(replace(marked, diagnosis=None), "dr-bob")
    assert [one.said for one in clinic.records()["CT"].submissions] == [None, INFECTED]


def test_the_model_is_asked_by_its_screening_not_by_what_a_reader_left_of_it(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = clinic.screen(scan("a", FOUND))
    deleted = replace(read(case, "dr-ann", CLEAR), regions=(), diagnosis=None)
    clinic.submit(deleted, "dr-ann", 1)
    clinic.submit(read(scan("unscreened", FOUND), "dr-ann", INFECTED), "dr-ann", 1)
    by_case = {one.case_id: one for one in clinic.records()["CT"].submissions}
    assert (by_case["a"].said, by_case["a"].by_model) == (CLEAR, INFECTED)
    assert by_case["unscreened"].by_model is None, "regions may be missing in it"
    (word,) = [word for word in clinic.records()["CT"].last_words if word.case_id == "a"]
    assert word.probability == pytest.approx(case.verdict.infection.probability)
    assert word.probability > 0.9


def test_under_new_models_the_screening_by_the_old_ones_stays(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = clinic.screen(scan("a", FOUND), 1)
    clinic.submit(read(case, "dr-ann", CLEAR), "dr-ann", 2)
    clinic.screen(scan("a", (), version=5), 10)
    found = clinic.records()["CT"]
    (submission,), (image,) = found.submissions, found.scans
    assert submission.found == case and submission.by_model == INFECTED
    assert found.models == image.models == "ct_candidates 5, ct_classifier 5"
    assert image.at < submission.at < image.screened_at


def test_an_adjudication_is_the_last_word_and_no_submission(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = clinic.screen(scan("a", FOUND))
    clinic.submit(read(case, "dr-ann", CLEAR), "dr-ann", 1)
    clinic.submit(read(case, "dr-eve", INFECTED), "dr-eve", 2, ADJUDICATION)
    found = clinic.records()["CT"]
    assert [one.reader for one in found.submissions] == ["dr-ann"]
    assert [(word.label, word.is_settled) for word in found.last_words] == [(INFECTED, True)]


def test_withdrawn_words_and_the_store_s_own_files_are_read(tmp_path: Path) -> None:
    clinic, store = Clinic.at(tmp_path), AnnotationStore(tmp_path)
    case = clinic.screen(scan("a", FOUND))
    store.submit(read(case, "dr-ann", CLEAR), "dr-ann")
    assert len(clinic.records()["CT"].submissions) == 1
    store.withdraw("a", "dr-eve")
    found = clinic.records()["CT"]
    assert (found.submissions, found.last_words, len(found.scans)) == ((), (), 1)


def test_without_its_readers_a_document_is_the_screening_again() -> None:
    case = scan("a", FOUND)
    drawn = replace(region("r9", INFECTED), source="reader", reader=read(case, "x", INFECTED).regions[0].reader)
    marked = read(case, "dr-ann", CLEAR)
    assert as_screened(replace(marked, regions=(*marked.regions, drawn)), DEFAULT_CLASSES) == case
    assert models_in_words(replace(case, models={})) == ""


def test_of_an_x_ray_what_nobody_spoke_on_is_no_agreement(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = film("a")
    clinic.submit(case, "dr-ann", 1)
    said = {"label": "cap", "location": "right", "name": "dr-bob"}
    clinic.submit(replace(case, cxr=replace(case.cxr, reader=said)), "dr-bob", 2)
    found = clinic.records()["CXR"]
    assert [(one.said, one.by_model) for one in found.submissions] == [(None, "covid19"), ("cap", "covid19")]
    assert found.is_infection("cap") and not found.is_infection("healthy")


def test_patients_are_those_of_the_list(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    for name in ("a", "b"):
        clinic.screen(scan(name, FOUND))
    clinic.patients = {"a": "7", "b": "7"}
    clinic.list_patients()
    assert len({image.patient for image in clinic.records()["CT"].scans}) == 1
    assert models(4)["ct_classifier"].version == 4
