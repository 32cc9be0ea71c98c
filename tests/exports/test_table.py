"""The tables of results: a line a case, a line a region, and nothing that a spreadsheet would run."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.case_documents import CONTRACT, RADIOGRAPH, changed

from pneumoscreen.case import Case
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.keyed_names import KEY_FILE, key_of, keyed

from .conftest import Run

DOCUMENTS = Path(__file__).parents[2] / "docs" / "export.md"


def written(folder: Path, *documents: dict[str, Any]) -> Path:
    """A folder of results as ``screen`` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        path = folder / f"{document['case_id']}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        os.utime(path, (1_800_000_000, 1_800_000_000))
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_ct_and_an_xray(export: Run, tmp_path: Path) -> None:
    source = written(tmp_path / "results", CONTRACT, RADIOGRAPH)
    ended = export("csv", source, "--out", tmp_path / "out")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == [str(tmp_path / "out" / name) for name in ("cases.csv", "regions.csv")]
    ct, film = rows(tmp_path / "out" / "cases.csv")
    key = key_of(source)
    expected = {
        "case_id": "ct-0007", "patient": keyed(key, "ct-0007"), "modality": "CT", "verdict": "covid19",
        "decided": "yes", "verdict_text": "COVID-19", "infection": "0.97", "confidence": "0.63",
        "probability_covid19": "0.94", "probability_influenza_a": "0.4", "probability_healthy": "",
        "lung_ml_left": "2100.5", "affected_percent_left": "3.1", "affected_percent_right": "9.8",
        "regions": "1", "regions_covid19": "1", "regions_irrelevant": "0", "judged_by": "reader",
        "reader": "reader-a", "annotation_version": "", "models": "ct_candidates 3 …; ct_classifier 5 …",
        "date": "2027-01-15T08:00:00.000Z", "reading_seconds": "81.5", "model_shown": "yes",
        "study_uid": "1.2.840", "source": "scans/ct-0007", "notes": "The axes were flipped.",
    }  # fmt: skip
    assert {name: ct[name] for name in expected} == expected
    expected = {
        "modality": "CXR", "verdict": "", "verdict_text": "No verdict", "diagnosis": "cap", "location": "left",
        "opacity_probability_left": "0.9", "opacity_probability_right": "0.1", "affected_percent_left": "20.0",
        "box_right": "150 20 100 200", "regions": "", "judged_by": "algorithm", "reader": "",
    }  # fmt: skip
    assert {name: film[name] for name in expected} == expected
    (region,) = rows(tmp_path / "out" / "regions.csv")
    expected = {
        "case_id": "ct-0007", "region": "r1", "side": "left", "label": "covid19", "confidence": "1.0",
        "judged_by": "reader", "model_label": "covid19", "model_confidence": "0.91", "score": "0.93",
        "source": "model", "state": "accepted", "infected_ml": "65.1", "center_x_mm": "61.2", "center_z_mm": "-210.0",
        "size_y_mm": "28.0", "slices": "41", "reader": "reader-a", "date": "2026-11-22T10:00:00Z",
    }  # fmt: skip
    assert region == expected | {name: region[name] for name in ("center_y_mm", "size_x_mm", "size_z_mm")}


def test_every_column_is_explained(export: Run, tmp_path: Path) -> None:
    export("csv", written(tmp_path / "results", CONTRACT), "--out", tmp_path / "out")
    text = DOCUMENTS.read_text(encoding="utf-8")
    for table in ("cases.csv", "regions.csv"):
        for column in rows(tmp_path / "out" / table)[0]:
            name = column
            for ending in ("_left", "_right", "_x_mm", "_y_mm", "_z_mm"):
                name = name.removesuffix(ending)
            for start in ("probability_", "regions_"):
                name = f"{start}<label>" if name.startswith(start) else name
            assert f"`{name}" in text, column


def test_no_cell_is_a_formula(export: Run, tmp_path: Path) -> None:
    document = changed("notes", ['=HYPERLINK("http://x","y")'])
    document["regions"][0]["id"], document["regions"][0]["reader"]["name"] = "+1", "@reader"
    document["image"]["source"] = "-2+3|cmd"
    export("csv", written(tmp_path / "results", document), "--out", tmp_path / "out")
    (case,), (region,) = rows(tmp_path / "out" / "cases.csv"), rows(tmp_path / "out" / "regions.csv")
    assert [case["notes"], case["source"], case["reader"]] == [
        '\'=HYPERLINK("http://x","y")', "'-2+3|cmd", "'@reader"
    ]  # fmt: skip
    assert [region["region"], region["reader"]] == ["'+1", "'@reader"]


def test_an_archive_and_what_is_no_document(export: Run, tmp_path: Path) -> None:
    source = tmp_path / "screened"
    written(source / "cases" / "0a", changed("case_id", "a"))
    written(source / "cases" / "ff", changed("case_id", "b"))
    (source / "evaluation.json").write_text('{"schema": "other"}')
    (source / "cases" / "ff" / "broken.json").write_text('{"schema": "pneumoscreen.case/2"}')
    (source / "cases" / "ff" / "cut.json").write_text('{"schema": "pneumo')
    ended = export("csv", source, "--out", tmp_path / "out")
    assert [row["case_id"] for row in rows(tmp_path / "out" / "cases.csv")] == ["a", "b"]
    first, second = ended.err.splitlines()
    assert ended.status == 2 and "broken.json: field" in first and "cut.json: the case document is not valid" in second


def test_a_name_that_leads_elsewhere_is_left_out(export: Run, tmp_path: Path) -> None:
    source = written(tmp_path / "results", CONTRACT)
    (source / "evil.json").write_text(json.dumps(changed("case_id", "../../evil")))
    ended = export("fhir", source, "--out", tmp_path / "out")
    assert ended.status == 2 and "is not a plain name" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "results"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ct-0007.json"]


def test_a_second_document_of_a_case_is_named_and_takes_no_ones_place(export: Run, tmp_path: Path) -> None:
    source = written(tmp_path / "results", CONTRACT)
    (source / "copy.json").write_text(json.dumps(changed("notes", ["the second"])))
    ended = export("fhir", source, "--out", tmp_path / "out")
    assert ended.status == 2
    assert ended.err == f"{source}/ct-0007.json: is of case ct-0007 as {source}/copy.json is; remove one of the two\n"


def test_of_a_studies_folder_what_counts(export: Run, studies: Path, tmp_path: Path) -> None:
    store = AnnotationStore(studies)
    first, second, third = (name for name in store.cases() if name.startswith("phantom"))
    corrected = store.counting(first).document
    store.submit(corrected, "anna", base=1)
    store.withdraw(second, "anna")
    screenings = studies / ".pneumoscreen" / "screenings"
    written(screenings, {**changed("case_id", second)})
    (studies / "labels" / "final" / f"{third}.json").write_text("{}")
    ended = export("csv", studies, "--out", tmp_path / "out")
    assert ended.status == 2 and f"{third}.json: field schema is missing" in ended.err
    table = {row["case_id"]: row for row in rows(tmp_path / "out" / "cases.csv")}
    assert set(table) == {first, second, *(name for name in store.cases() if name.startswith("xray"))}
    assert [table[first][name] for name in ("judged_by", "reader", "annotation_version", "annotation_kind")] == [
        "reader", "anna", "2", "reader"
    ]  # fmt: skip
    assert [table[second][name] for name in ("judged_by", "annotation_version", "verdict")] == [
        "algorithm",
        "",
        "covid19",
    ]
    assert table["xray-000001"]["reader_label"] == store.counting("xray-000001").document.cxr.reader["label"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("results", "--out", "results/below"), "lies in"),
        (("results", "--out", "full"), "exists already, and nothing in it is written over; name a new folder"),
        (("none", "--out", "out"), "does not exist"),
        (("full", "--out", "out"), "holds no case document"),
        (("results", "--out", "out", "--model-dir", "nowhere"), "nowhere: the folder of models does not exist"),
    ],
)
def test_a_mistake_is_one_sentence(words: tuple[str, str, str], sentence: str, export: Run, tmp_path: Path) -> None:
    written(tmp_path / "results", CONTRACT)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("kept")
    source, option, out, *more = words
    ended = export("csv", tmp_path / source, option, tmp_path / out, *more)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1) and sentence in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "results"]
    assert not (tmp_path / "full" / KEY_FILE).exists()


def test_a_document_stays_as_it_was(export: Run, tmp_path: Path) -> None:
    source = written(tmp_path / "results", CONTRACT)
    export("csv", source, "--out", tmp_path / "out", "--anonymous")
    assert Case.from_json((source / "ct-0007.json").read_text(encoding="utf-8")) == Case.from_dict(CONTRACT)
