"""Whose words an evaluation of agreement takes from a studies folder."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.case import Case, ReaderMark
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.evaluation.readers import read_cases
from pneumoscreen.metrics.agreement import reader_agreements
from pneumoscreen.phantoms.studies import TRUTH_READER
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.cases import Study, find_studies
from pneumoscreen.studies.layout import FINAL_LABELS
from pneumoscreen.verdict import DEFAULT_CLASSES

NAME = "phantom-000001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_studies(tmp_path, 1, 1, PhantomSpec(matrix=64, slices=20), diagnosis="covid19")
    return tmp_path


def studies(folder: Path) -> list[Study]:
    return find_studies(folder)


def marked(folder: Path, reader: str, label: str) -> Case:
    case = Case.from_json((folder / FINAL_LABELS / f"{NAME}.json").read_text(encoding="utf-8"))
    mark = ReaderMark(label, reader, "2026-01-01T00:00:00Z")
    return replace(case, regions=tuple(replace(region, reader=mark) for region in case.regions))


def test_the_newest_word_of_every_reader_and_no_adjudication(folder):
    store = AnnotationStore(folder)
    first = store.submit(marked(folder, "ann", "irrelevant"), "ann")
    store.submit(marked(folder, "ann", "covid19"), "ann")
    store.submit(marked(folder, "bob", "covid19"), "bob")
    store.adjudicate(NAME, first.version, "chief")
    [read] = read_cases(folder, studies(folder), DEFAULT_CLASSES)
    assert sorted(read.documents) == ["ann", "bob"]
    assert read.documents["ann"].regions[0].reader.label == "covid19"
    regions, case = reader_agreements([read], DEFAULT_CLASSES)
    assert regions.observed.estimate == case.observed.estimate == 1.0


def test_a_withdrawn_reading_counts_no_more(folder):
    store = AnnotationStore(folder)
    by_bob = marked(folder, "bob", "covid19")
    store.submit(marked(folder, "ann", "covid19"), "ann")
    store.withdraw(NAME, "ann")
    store.submit(by_bob, "bob")
    [read] = read_cases(folder, studies(folder), DEFAULT_CLASSES)
    assert sorted(read.documents) == ["bob"]


def test_a_plain_label_is_that_of_its_one_reader(folder):
    [read] = read_cases(folder, studies(folder), DEFAULT_CLASSES)
    assert list(read.documents) == [TRUTH_READER]


def test_a_damaged_label_says_nothing(folder):
    listed = studies(folder)
    (folder / FINAL_LABELS / f"{NAME}.json").write_text("{", encoding="utf-8")
    assert read_cases(folder, listed, DEFAULT_CLASSES) == []
