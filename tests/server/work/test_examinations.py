"""Patients, ages, days and priority in the worklist of a real server: who sees them, and where they are not written."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pneumoscreen.active_learning.score_file import Finding, ScoreStore, StoredScore
from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.images.dicom_header import patient_key
from pneumoscreen.images.examination import Examination
from pneumoscreen.server import WORK_FOLDER
from pneumoscreen.server.access.identity import Role
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.client import Client
from pneumoscreen.server.inference.engine import scan_state
from pneumoscreen.server.store.datastore import StudiesDatastore
from pneumoscreen.server.store.reading import LimitedReading, Reading
from pneumoscreen.server.work.examinations import Examinations
from pneumoscreen.studies.keyed_names import KEY_FILE
from pneumoscreen.studies.patients import PATIENTS_FILE

from ...images.conftest import make_chest, write_series
from ..conftest import RunningServer, serving

PATIENCE_S = 120.0
SECRETS = ("MRN0012345", "Mustermann", "19570301", "20200131", "2020-01-31", patient_key("MRN0012345"))
EXAMINED = {"PatientID": "MRN0012345", "PatientBirthDate": "19570301", "StudyDate": "20200131"}
URGENCY = {"first": 0.2, "second": 0.9, "third": 0.9, "visit_day1": None}


def stored(studies: Path, case_id: str, infection: float | None) -> StoredScore:
    place = studies / (case_id if (studies / case_id).exists() else f"{case_id}.nii.gz")
    scan = scan_state(Path(os.path.realpath(place)))
    embedding = np.ones(4, dtype=np.float32) / 2
    return StoredScore(
        case_id, CaseScore(case_id, 0.5, 0.1, embedding), {}, scan, Finding("CT", "covid19", 0.9, 2, True, infection)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two series of one patient, one of another, two visits of a third by name, and one that the site's list names."""
    studies = tmp_path_factory.mktemp("clinic")
    write_series(studies / "first", make_chest()[:3], **EXAMINED)
    write_series(studies / "second", make_chest()[:3], **EXAMINED | {"StudyDate": "20200215"})
    write_series(studies / "third", make_chest()[:3], PatientID="77", PatientAge="030Y", StudyDate="20200210")
    for name in ("visit_day1", "visit_day2", "listed"):
        (studies / f"{name}.nii.gz").write_bytes(b"not opened")
    (studies / PATIENTS_FILE).write_text("case,patient\nlisted,77\n")
    scores = ScoreStore(studies / WORK_FOLDER / "scores")
    for case_id, infection in URGENCY.items():
        scores.put(stored(studies, case_id, infection))
    scores.put(StoredScore("visit_day2", None, {}, "s", error="the scan shows no lungs"))
    return studies


@pytest.fixture(scope="module")
def clinic(folder: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    file = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
    tokens = {role: file.add(f"{role.label}-a", role)[1] for role in Role}

    def client(address: str) -> Client:
        return Client(address, tokens[Role.READER])

    with serving(folder, model_root, tmp_path_factory, "--tokens", str(file.path), client=client) as running:
        # Whoever may read may see the list, whatever more that one may do.
        for role in (role for role in Role if role >= Role.READER):
            assert Client(running.client.address, tokens[role]).worklist()
        yield running


def examined(client: Client) -> dict[str, dict[str, Any]]:
    """The worklist by case, once every image is known."""
    end = time.monotonic() + PATIENCE_S
    while True:
        rows = {row["id"]: row for row in client.worklist()}
        if all(row["patient"] for row in rows.values()) or time.monotonic() > end:
            return rows
        time.sleep(0.1)


def test_one_patient_has_one_name_whatever_says_who_it_is(clinic: RunningServer) -> None:
    rows = examined(clinic.client)
    patients = {name: row["patient"] for name, row in rows.items()}
    assert patients["first"] == patients["second"]
    assert patients["third"] == patients["listed"]
    assert patients["visit_day1"] == patients["visit_day2"]
    assert len(set(patients.values())) == 3
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in patients.values())
    assert clinic.client.worklist(search=patients["first"], sort="acquired")[0]["id"] == "first"
    assert len(clinic.client.worklist(search=patients["first"])) == 2


def test_age_and_day_stand_where_the_header_says_them(clinic: RunningServer) -> None:
    rows = examined(clinic.client)
    told = {name: (row["age"], row["acquired"]) for name, row in rows.items()}
    assert told["first"] == (62, "2020-01-31")
    assert told["third"] == (30, "2020-02-10")
    assert told["listed"] == told["visit_day1"] == (None, None)
    ages = [row["age"] for row in clinic.client.worklist(sort="age", descending=True)]
    assert ages == [62, 62, 30, None, None, None]


def test_the_likeliest_infection_is_first_and_of_equal_ones_the_older_image(clinic: RunningServer) -> None:
    rows = examined(clinic.client)
    assert {name: row["priority"] for name, row in rows.items()} == {
        "third": 1,
        "second": 2,
        "first": 3,
        "visit_day1": None,
        "visit_day2": None,
        "listed": None,
    }
    assert [row["id"] for row in clinic.client.worklist(sort="priority", limit=3)] == ["third", "second", "first"]


def test_nothing_of_a_patient_is_written_or_told_beside_it(clinic: RunningServer) -> None:
    examined(clinic.client)
    key = clinic.studies / KEY_FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    texts = [clinic.log.read_text(encoding="utf-8")]
    texts += [path.read_text(encoding="utf-8") for path in (clinic.studies / "audit").iterdir()]
    texts += [
        path.read_text(encoding="utf-8", errors="replace") for path in (clinic.studies / WORK_FOLDER).rglob("*.json")
    ]
    texts += [clinic.client.get("/info/").text, clinic.client.get("/datastore/?output=all").text]
    for text in texts:
        assert not any(secret in text for secret in SECRETS)
    patient = examined(clinic.client)["first"]["patient"]
    assert patient not in SECRETS and not any(patient in text for text in texts)


def all_of(studies: Path, reading: Reading) -> dict[str, tuple[Any, ...]]:
    """What a server that starts now knows once it has read every header."""
    datastore = StudiesDatastore(str(studies), reading=reading)
    examinations = Examinations(datastore, reading)
    end = time.monotonic() + PATIENCE_S
    while True:
        found = {name: (told.patient, told.age, told.acquired) for name, told in examinations.all().items()}
        if len(found) == len(datastore.list_images()) or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_a_name_stays_over_a_restart_and_is_another_one_elsewhere(tmp_path: Path) -> None:
    for studies in (tmp_path / "here", tmp_path / "there"):
        write_series(studies / "scan", make_chest()[:3], **EXAMINED)
    first = all_of(tmp_path / "here", Reading())
    assert first == all_of(tmp_path / "here", Reading()) and first["scan"][1:] == (62, "2020-01-31")
    other = all_of(tmp_path / "there", Reading())
    assert other["scan"][0] != first["scan"][0]
    (tmp_path / "here" / KEY_FILE).write_text("damaged")
    assert all_of(tmp_path / "here", Reading())["scan"][0] != first["scan"][0]
    assert (tmp_path / "here" / KEY_FILE).read_text(encoding="utf-8") == "damaged", (
        "what can be restored is not written over"
    )


def test_the_process_that_reads_for_the_server_says_the_same(tmp_path: Path) -> None:
    scan = write_series(tmp_path / "scan", make_chest()[:3], **EXAMINED)
    reading = LimitedReading()
    try:
        assert reading.examination(scan) == Reading().examination(scan)
        assert reading.examination(tmp_path / "gone") == Examination()
    finally:
        reading.close()


def test_a_list_that_cannot_be_used_stops_no_worklist(tmp_path: Path) -> None:
    (tmp_path / "scan_t1.nii.gz").write_bytes(b"x")
    (tmp_path / PATIENTS_FILE).write_text("nonsense\n")
    assert all_of(tmp_path, Reading()).keys() == {"scan_t1"}
