"""Reader studies: whose words count, and the figures against numpy and scikit-learn."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from pneumoscreen.case import Case, Reading
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.evaluation.reader_figures import EVERYBODY, between_readers, differences, reader_rows
from pneumoscreen.evaluation.reader_page import render_reader_page
from pneumoscreen.evaluation.reader_study import Condition, ReadingsFound, readings_of
from pneumoscreen.evaluation.reader_summary import ReaderSummary, summarize_readers
from pneumoscreen.evaluation.reader_text import readers_to_text
from pneumoscreen.metrics.agreement import Agreement
from pneumoscreen.studies.cases import find_scans
from pneumoscreen.studies.split import DEFAULT_SPLIT
from pneumoscreen.verdict import Verdict

from ..case_documents import RADIOGRAPH
from .reading_room import AT, ReadingRoom, Said, read, screened, simulated

LABELS = ["covid19", "influenza_a", "no_infection_found"]
WITHOUT, WITH, NOT_TOLD = Condition.WITHOUT, Condition.WITH, Condition.NOT_TOLD


def found(folder: Path, is_ct: bool = True) -> ReadingsFound:
    modality = "CT" if is_ct else "CXR"
    return readings_of(folder, [study for study in find_scans(folder) if study.scan.modality == modality], modality)


def summary(folder: Path) -> ReaderSummary:
    return summarize_readers(found(folder), "studies folder clinic", "CT", DEFAULT_SPLIT)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReadingRoom, list[Said], dict[str, str]]:
    return simulated(tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize("reader", ["dr-ann", "dr-bob", EVERYBODY])
@pytest.mark.parametrize("condition", [WITHOUT, WITH])
def test_a_row_is_what_its_readings_say(study, reader, condition) -> None:
    room, said, known = study
    (row,) = [r for r in reader_rows(found(room.folder)) if (r.reader, r.condition) == (reader, condition)]
    own = [s for s in said if s.shown is (condition is WITH) and reader in (s.reader, EVERYBODY)]
    assert (row.readings, row.cases, row.patients) == (len(own), 24, 12)
    seconds = [s.seconds for s in own]
    assert row.time.median.estimate == pytest.approx(np.median(seconds))
    quartiles = np.quantile(seconds, [0.25, 0.75])
    assert (row.time.first_quartile, row.time.third_quartile, row.time.count) == (*quartiles, len(own))
    assert row.time.median.low < row.time.median.estimate < row.time.median.high
    judged = [(s.label, known[s.case_id]) for s in own if s.case_id in known]
    assert_agreement(row.with_truth, judged)
    votes = {"irrelevant": "no_infection_found"}
    by_model = [(s.label, votes.get(room.votes[s.case_id], room.votes[s.case_id])) for s in own]
    assert_agreement(row.with_model, by_model)


def assert_agreement(agreement: Agreement, pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    assert agreement.matrix.total == len(pairs)
    assert agreement.observed.estimate == pytest.approx(np.mean([a == b for a, b in pairs]))
    assert agreement.kappa.estimate == pytest.approx(cohen_kappa_score(first, second, labels=LABELS))
    assert agreement.kappa.low < agreement.kappa.estimate < agreement.kappa.high


def test_what_the_model_changes_is_the_figure_with_it_less_that_without(study) -> None:
    room, said, known = study
    rows = {row.reader: row for row in differences(found(room.folder))}
    assert list(rows) == ["dr-ann", "dr-bob", EVERYBODY]

    def of(shown: bool, reader: str) -> list[Said]:
        return [s for s in said if s.shown is shown and reader in (s.reader, EVERYBODY)]

    for reader, row in rows.items():
        medians = [np.median([s.seconds for s in of(shown, reader)]) for shown in (True, False)]
        assert row.seconds.estimate == pytest.approx(medians[0] - medians[1])
        right = [
            np.mean([s.label == known[s.case_id] for s in of(shown, reader) if s.case_id in known])
            for shown in (True, False)
        ]
        assert row.truth.estimate == pytest.approx(right[0] - right[1])
    assert [row.pairs for row in rows.values()] == [24, 24, 48]
    assert rows[EVERYBODY].seconds.high < 0.0, "they were made that much faster"


def test_readers_are_compared_in_one_condition_and_region_by_region(study) -> None:
    room, said, _ = study
    rows = {(row.condition, row.agreement.level): row.agreement for row in between_readers(found(room.folder))}
    assert set(rows) == {(WITHOUT, "cases"), (WITH, "cases"), (None, "cases"), (None, "regions")}
    for condition in (WITHOUT, WITH):
        by_reader = {
            reader: {s.case_id: s.label for s in said if s.reader == reader and s.shown is (condition is WITH)}
            for reader in ("dr-ann", "dr-bob")
        }
        pairs = [(by_reader["dr-ann"][case_id], by_reader["dr-bob"][case_id]) for case_id in room.votes]
        assert_agreement(rows[condition, "cases"], pairs)
    assert rows[None, "cases"].kappa == rows[WITHOUT, "cases"].kappa, "all of them read without it first"
    assert rows[None, "regions"].matrix.total == 24


def test_the_first_submission_counts_and_what_was_withdrawn_does_not(tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path, {"a": "covid19", "b": "covid19"})
    room.submit(Said("a", "ann", "influenza_a", 50.0, False))
    room.submit(Said("a", "ann", "covid19", 5.0, False))
    room.submit(Said("b", "ann", "influenza_a", 70.0, True))
    room.store.withdraw("b", "ann")
    room.submit(Said("b", "ann", "covid19", 60.0, True))
    told = {(r.case_id, r.condition): (r.said, r.seconds) for r in found(tmp_path).readings}
    assert told == {("a", WITHOUT): ("influenza_a", 50.0), ("b", WITH): ("covid19", 60.0)}


def test_a_submission_that_tells_nothing_is_neither_with_nor_without(tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path, {"a": "covid19"})
    room.submit(Said("a", "ann", "covid19", None, None))
    room.submit(Said("a", "bob", "covid19", 30.0, None))
    rows = {row.reader: row for row in reader_rows(found(tmp_path))}
    assert {row.condition for row in rows.values()} == {NOT_TOLD}
    assert (rows["ann"].time, rows["bob"].time.count) == (None, 1)
    assert np.isnan(rows["bob"].time.median.low), "of one patient no interval"
    assert differences(found(tmp_path)) == []
    assert "Whether the model was shown is not told of 2 readings." in summary(tmp_path).cautions()


def test_without_a_diagnosis_the_marks_speak_and_a_label_map_s_diagnosis_is_nobody_s_word(tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path, {"a": "covid19", "b": "covid19"})
    marked = read(screened("a", "covid19"), Said("a", "ann", "influenza_a", 10.0, True))
    room.store.submit(replace(marked, diagnosis=None), "ann")
    painted = tmp_path / "painted.nii.gz"
    painted.write_bytes((tmp_path / "b.nii.gz").read_bytes())
    case = replace(read(screened("b", "covid19"), Said("b", "ann", "influenza_a", 10.0, True)), diagnosis="covid19")
    room.store.submit(case, "ann", label_map=painted)
    painted.unlink()
    assert {r.case_id: r.said for r in found(tmp_path).readings} == {"a": "influenza_a", "b": "influenza_a"}


def test_what_was_settled_is_the_truth_and_no_reading(tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path, {"a": "covid19"})
    room.truth("a", "no_infection_found")
    room.submit(Said("a", "ann", "covid19", 10.0, True))
    second = room.submit(Said("a", "bob", "influenza_a", 10.0, True))
    assert {r.truth for r in found(tmp_path).readings} == {"no_infection_found"}
    room.store.adjudicate("a", second.version, "chief")
    told = found(tmp_path)
    assert {(r.reader, r.truth) for r in told.readings} == {("ann", "influenza_a"), ("bob", "influenza_a")}
    assert (told.settled, told.imported) == (1, 0)
    assert any("settled after the readings" in sentence for sentence in summary(tmp_path).cautions())


def test_x_rays_are_read_by_their_classes(tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path, {})
    softmax = {"covid19": 0.7, "healthy": 0.1, "cap": 0.2}
    verdict = Verdict("covid19", "softmax", softmax, softmax)
    document = Case.from_dict(RADIOGRAPH)
    document = replace(document, verdict=verdict, cxr=replace(document.cxr, probabilities=softmax))
    (tmp_path / f"{document.case_id}.png").write_bytes(b"not opened")
    by_hand = {"label": "cap", "location": "none", "name": "ann", "at": AT}
    case = replace(document, diagnosis=None, cxr=replace(document.cxr, reader=by_hand), reading=Reading(12.0, False))
    room.store.submit(case, "ann")
    (reading,) = found(tmp_path, is_ct=False).readings
    assert (reading.said, reading.model, reading.condition) == ("cap", "covid19", WITHOUT)
    with pytest.raises(PneumoScreenError, match="no reader has submitted any CT"):
        found(tmp_path)


def test_text_file_and_page_name_the_population_and_agree(study) -> None:
    room, _, known = study
    made = summary(room.folder)
    people = made.population
    assert (people.cases, people.patients, people.readings) == (24, 12, 96)
    assert (sum(people.truths.values()), people.imported, people.settled) == (len(known), len(known), 0)
    assert sum(people.sides.values()) == 24
    text, page, content = readers_to_text(made), render_reader_page(made), json.dumps(made.to_dict(), allow_nan=False)
    sentence = "96 readings of 24 cases (CT) of 12 patients by 2 readers (dr-ann 48, dr-bob 48)"
    assert sentence in text
    everybody = [row for row in made.rows if row.reader == EVERYBODY]
    for row in everybody:
        median = f"{row.time.median.estimate:.0f}"
        assert f"{EVERYBODY}, {row.condition} the model: {median} [" in text
        assert f"<b>{median} s</b>" in page
    assert json.loads(content)["population"]["readers"] == {"dr-ann": 48, "dr-bob": 48}
    assert "24 cases of 12 patients; studies folder clinic" in page
    for caution in made.cautions():
        assert caution in text
    assert "patient-" not in content + page + text, "hashes of numbers stay here"
