"""Nobody sees another reader's document before submitting: on every route that leads to one, by tokens of each role."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.case import Reading
from pneumoscreen.evaluation.reader_study import Condition, readings_of
from pneumoscreen.images.volume import Volume
from pneumoscreen.server.access.identity import Role
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.client import Client
from pneumoscreen.studies.cases import find_scans

from ...studies.conftest import document
from ..conftest import RunningServer, serving

TOLD = "her own words"


@dataclass(frozen=True)
class Clinic:
    running: RunningServer
    tokens: dict[str, str]

    def ask(self, method: str, path: str, who: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        return requests.request(method, self.running.client.address + path, headers=headers, timeout=60, **more)

    def submit(self, case: str, who: str, label: str = "covid19") -> None:
        made = replace(document(case, reader=who, label=label), diagnosis=label)
        answer = self.ask("PUT", f"/pneumoscreen/annotations/{case}", who, data=made.to_json())
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def clinic(model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    studies = tmp_path_factory.mktemp("studies")
    for name in ("one", "two", "three", "four", "five"):
        (studies / f"{name}.nii.gz").write_bytes(b"not opened")
    file = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
    sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / "scan.nii.gz")
    names = {"ann": Role.READER, "bob": Role.READER, "chief": Role.TRAINER, "root": Role.ADMINISTRATOR}
    tokens = {name: file.add(name, role)[1] for name, role in names.items()}

    def client(address: str) -> Client:
        return Client(address, tokens["root"])

    with serving(studies, model_root, tmp_path_factory, "--tokens", str(file.path), client=client) as running:
        yield Clinic(running, tokens)


def routes(case: str) -> tuple[str, str]:
    return f"/pneumoscreen/annotations/{case}/1", f"/datastore/label?label={case}&tag=final"


def test_a_second_reader_sees_the_first_one_s_document_after_submitting_only(clinic: Clinic) -> None:
    clinic.submit("one", "ann", "influenza_a")
    for path in routes("one"):
        refused = clinic.ask("GET", path, "bob")
        assert (refused.status_code, "submit your own reading first" in refused.json()["detail"]) == (403, True), path
        assert "influenza" not in refused.text
        assert clinic.ask("GET", path, "ann").status_code == 200
    listed = clinic.ask("GET", "/pneumoscreen/annotations/one", "bob").json()
    assert (listed["counting"], listed["current"]) == (1, {"ann": 1})
    clinic.submit("one", "bob")
    assert clinic.ask("GET", routes("one")[0], "bob").json()["document"]["diagnosis"] == "influenza_a"
    assert clinic.ask("GET", routes("one")[1], "bob").status_code == 200


def test_whoever_settles_cases_sees_all(clinic: Clinic) -> None:
    clinic.submit("two", "ann")
    for who in ("chief", "root"):
        for path in routes("two"):
            assert clinic.ask("GET", path, who).status_code == 200
    clinic.ask("POST", "/pneumoscreen/annotations/two/adjudicate", "chief", json={"version": 1})
    assert clinic.ask("GET", "/pneumoscreen/annotations/two/2", "bob").status_code == 403
    assert clinic.ask("GET", "/pneumoscreen/annotations/two/2", "ann").status_code == 200


def test_neither_worklist_nor_index_tells_what_the_first_one_found(clinic: Clinic) -> None:
    made = replace(document("three", reader="ann", label="influenza_a"), diagnosis="influenza_a").to_json()
    said = {"label_info": [{"name": TOLD, "idx": 1}], "diagnosis": "influenza_a"}
    answer = clinic.ask(
        "PUT",
        "/datastore/label?image=three&tag=final",
        "ann",
        files={"label": ("three.json", made)},
        data={"params": json.dumps(said)},
    )
    assert answer.status_code == 200, answer.text
    asked = (
        "/pneumoscreen/cases",
        "/pneumoscreen/cases/three",
        "/datastore/?output=all",
        "/datastore/label/info?label=three&tag=final",
    )
    for path in asked:
        hidden = clinic.ask("GET", path, "bob")
        assert hidden.status_code == 200
        assert "influenza" not in hidden.text and TOLD not in hidden.text, path
    row = clinic.ask("GET", "/pneumoscreen/cases/three", "bob").json()
    assert (row["state"], row["readers"], row["versions"]) == ("done", ["ann"], 1)
    assert clinic.ask("GET", "/pneumoscreen/cases/three", "ann").json()["diagnosis"] == "influenza_a"
    assert TOLD in clinic.ask("GET", asked[3], "ann").text
    assert clinic.ask("GET", asked[3], "bob").json()["reader"] == "ann"


def test_a_conflict_shows_who_was_faster_and_not_what_was_said(clinic: Clinic) -> None:
    clinic.submit("four", "ann", "influenza_a")
    made = document("four", reader="bob").to_json()
    refused = clinic.ask("PUT", "/pneumoscreen/annotations/four?base=0", "bob", data=made)
    assert (refused.status_code, refused.json()["other"]["reader"]) == (409, "ann")
    assert "influenza" not in refused.text
    assert clinic.ask("GET", "/pneumoscreen/annotations/four/1", "bob").status_code == 403
    on_top = clinic.ask("PUT", "/pneumoscreen/annotations/four?base=1", "bob", data=made)
    assert on_top.status_code == 200
    assert clinic.ask("GET", "/pneumoscreen/annotations/four/1", "bob").status_code == 200


def test_a_label_map_takes_nothing_over_from_a_reading_that_was_not_seen(clinic: Clinic, phantom: Volume) -> None:
    clinic.submit("scan", "ann", "influenza_a")
    values = np.zeros(phantom.hu.shape, np.uint8)
    values[12:15, 60:70, 30:38] = 1
    file = clinic.running.log.with_name("map.nrrd")
    sitk.WriteImage(phantom.to_sitk(values), file)
    said = {"label_info": [{"name": "covid19", "idx": 1}]}

    def painted(who: str) -> dict[str, Any]:
        answer = clinic.ask(
            "PUT",
            "/datastore/label?image=scan&tag=final",
            who,
            files={"label": ("map.nrrd", file.read_bytes())},
            data={"params": json.dumps(said)},
        )
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
        return dict(clinic.ask("GET", f"/pneumoscreen/annotations/scan/{version}", who).json()["document"])

    assert painted("bob")["diagnosis"] is None
    assert painted("chief")["diagnosis"] is None, "what counts now is bob's"
    clinic.submit("scan", "ann", "influenza_a")
    assert painted("chief")["diagnosis"] == "influenza_a", "whoever may see it goes on from it"


def test_time_and_condition_travel_into_the_reader_study(clinic: Clinic) -> None:
    for who, told in (("ann", Reading(31.0, False)), ("bob", Reading(19.5, True))):
        made = replace(document("five", reader=who), reading=told)
        answer = clinic.ask("PUT", "/pneumoscreen/annotations/five", who, data=made.to_json())
        assert answer.status_code == 200, answer.text
    scans = [study for study in find_scans(clinic.running.studies) if study.case_id == "five"]
    readings = readings_of(clinic.running.studies, scans).readings
    told = {reading.reader: (reading.condition, reading.seconds, reading.said) for reading in readings}
    assert told == {"ann": (Condition.WITHOUT, 31.0, "covid19"), "bob": (Condition.WITH, 19.5, "covid19")}


def test_a_withdrawn_submission_opens_nothing(clinic: Clinic) -> None:
    clinic.submit("two", "bob")
    assert clinic.ask("GET", "/pneumoscreen/annotations/two/1", "bob").status_code == 200
    assert clinic.ask("DELETE", "/datastore/label?id=two&tag=final", "root").status_code == 200
    clinic.submit("two", "ann")
    assert clinic.ask("GET", "/pneumoscreen/annotations/two/1", "bob").status_code == 403
    mine = clinic.ask("GET", "/pneumoscreen/annotations/two", "bob").json()["versions"]
    own = next(version["version"] for version in mine if version["reader"] == "bob")
    assert clinic.ask("GET", f"/pneumoscreen/annotations/two/{own}", "bob").status_code == 200
