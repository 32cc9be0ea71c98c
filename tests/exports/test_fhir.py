"""Bundles of FHIR R4: valid, whole, with the codes that the DICOM objects have, and about nobody by name."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from tests.case_documents import CONTRACT, RADIOGRAPH, changed

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.exports.fhir_parts import check
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.keyed_names import key_of, keyed

from .conftest import Run
from .test_table import written

SNOMED = "http://snomed.info/sct"


def exported(export: Run, tmp_path: Path, *documents: dict[str, Any], words: tuple[str, ...] = ()) -> list[dict]:
    source = written(tmp_path / "results", *documents)
    ended = export("fhir", source, "--out", tmp_path / "out", *words)
    assert (ended.status, ended.err) == (0, "")
    return [
        json.loads((tmp_path / "out" / f"{document['case_id']}.json").read_text(encoding="utf-8"))
        for document in documents
    ]


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def observation(bundle: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [one for one in resources(bundle, "Observation") if one["code"]["coding"][0]["code"] == code]


def parts(one: dict[str, Any]) -> dict[str, Any]:
    """The values of an observation's components by their codes."""
    found = {}
    for part in one["component"]:
        (name,) = (name for name in part if name.startswith("value"))
        value = part[name]
        found[part["code"]["coding"][0]["code"]] = (
            (value["value"], value["code"]) if name == "valueQuantity" else
            value["coding"][0]["code"] if name == "valueCodeableConcept" else value
        )  # fmt: skip
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["reference"]] if "reference" in value else [])
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_bundles_are_valid_and_whole(export: Run, tmp_path: Path) -> None:
    for bundle in exported(export, tmp_path, CONTRACT, RADIOGRAPH):
        assert Bundle.model_validate(bundle).type == "collection"
        addresses = [entry["fullUrl"] for entry in bundle["entry"]]
        assert len(set(addresses)) == len(addresses) and set(references(bundle)) < set(addresses)
        (report,), (study,) = resources(bundle, "DiagnosticReport"), resources(bundle, "ImagingStudy")
        assert report["status"] == "preliminary"
        assert RESEARCH_USE_ONLY in report["conclusion"] and RESEARCH_USE_ONLY in report["text"]["div"]
        assert len(report["result"]) == len(resources(bundle, "Observation"))
        assert {one["status"] for one in resources(bundle, "Observation")} == {"preliminary"}
        assert study["modality"][0]["code"] == ("CT" if bundle["identifier"]["value"] == "ct-0007" else "DX")


def test_the_figures_of_a_ct(export: Run, tmp_path: Path) -> None:
    (bundle,) = exported(export, tmp_path, CONTRACT)
    (report,), (study,) = resources(bundle, "DiagnosticReport"), resources(bundle, "ImagingStudy")
    assert report["conclusionCode"][0]["coding"] == [{"system": SNOMED, "code": "840539006"}]
    assert study["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.840"}]
    (verdict,) = observation(bundle, "verdict")
    assert verdict["valueCodeableConcept"]["coding"][0]["code"] == "840539006" and parts(verdict) == {"decided": True}
    (infection,) = observation(bundle, "p-infection")
    assert infection["valueQuantity"]["value"] == 97.0
    (types,) = observation(bundle, "p-types")
    assert parts(types) == {"p-covid19": (94.0, "%"), "p-influenza_a": (40.0, "%")}
    lungs = {one["bodySite"]["coding"][0]["code"]: parts(one) for one in observation(bundle, "39607008")}
    assert lungs == {
        "44029006": {"118565006": (2100.5, "mL"), "affected-share": (3.1, "%")},
        "3341006": {"118565006": (2530.0, "mL"), "affected-share": (9.8, "%")},
    }
    (region,) = observation(bundle, "region")
    assert region["bodySite"]["coding"][0]["code"] == "44029006", "the patient's left"
    assert parts(region) == {
        "judged-by": "reader", "111012": (100.0, "%"), "score": (93.0, "%"), "infected-volume": (65.1, "mL"),
        "extent-x": (32.0, "mm"), "extent-y": (28.0, "mm"), "extent-z": (25.0, "mm"),
    }  # fmt: skip
    (reader,), (device,) = resources(bundle, "Practitioner"), resources(bundle, "Device")
    assert reader["identifier"][0]["value"] == "reader-a"
    assert [version["type"]["text"] for version in device["version"]] == ["program", "ct_candidates", "ct_classifier"]


def test_an_undecided_type_and_no_opacity_are_no_diagnosis(export: Run, tmp_path: Path) -> None:
    undecided = changed("verdict.decided", False)
    film = changed("case_id", "cxr-2", RADIOGRAPH)
    film["cxr"] |= {"location": "none", "reader": {"label": "cap", "location": "left", "name": "anna"}}
    film["cxr"]["probabilities"] = shares = {"covid19": 0.1, "healthy": 0.8, "cap": 0.1}
    film["verdict"] = {
        "label": "healthy", "rule": "softmax", "probability": shares, "confidence": shares, "decided": True,
        "infection": {"probability": 0.2, "calibrated_on": "films", "intercept": 0.0, "slope": 1.0},
    }  # fmt: skip
    ct, cxr = exported(export, tmp_path, undecided, film)
    (report,) = resources(ct, "DiagnosticReport")
    assert "conclusionCode" not in report and "type undecided" in report["conclusion"]
    (verdict,) = observation(ct, "verdict")
    assert verdict["valueCodeableConcept"]["coding"][0]["code"] == "undecided"
    verdict, said = observation(cxr, "verdict")
    assert verdict["valueCodeableConcept"]["text"] == "No opacity found"
    assert verdict["valueCodeableConcept"]["coding"][0]["code"] == "no-opacity"
    (report,) = resources(cxr, "DiagnosticReport")
    assert report["conclusionCode"][0]["coding"][0]["code"] == "385093006", "a reader's word goes before"
    said_first = "The reader says: community-acquired pneumonia, left lung. The networks say:"
    assert report["conclusion"].startswith(said_first) and said_first in report["text"]["div"]
    nothing = {**film, "case_id": "cxr-3", "cxr": {**film["cxr"], "reader": None}}
    (bundle,) = exported(export, tmp_path / "nothing", nothing)
    (report,) = resources(bundle, "DiagnosticReport")
    assert "conclusionCode" not in report, "that nothing was found is no diagnosis"
    assert parts(verdict) == {"decided": True, "location": "none"}
    assert said["valueCodeableConcept"]["coding"][0]["code"] == "385093006"
    assert parts(said) == {"judged-by": "reader", "location": "left"}
    (opacity,) = observation(cxr, "p-opacity")
    assert opacity["valueQuantity"]["value"] == 20.0


def test_the_patient_is_a_hash_or_what_the_site_says(export: Run, tmp_path: Path) -> None:
    (bundle,) = exported(export, tmp_path, CONTRACT)
    (report,) = resources(bundle, "DiagnosticReport")
    hashed = keyed(key_of(tmp_path / "results"), "ct-0007")
    assert report["subject"]["identifier"]["value"] == hashed and not resources(bundle, "Patient")
    table = tmp_path / "patients.csv"
    table.write_text("case,system,patient\nct-0007,urn:oid:1.2.3,4711\n")
    words = ("fhir", tmp_path / "results", "--patients", table)
    assert export(*words, "--out", tmp_path / "named").status == 0
    (report,) = resources(
        json.loads((tmp_path / "named" / "ct-0007.json").read_text(encoding="utf-8")), "DiagnosticReport"
    )
    assert report["subject"]["identifier"] == {"system": "urn:oid:1.2.3", "value": "4711"}
    table.write_text("case,system,patient\nct-7,urn:oid:1.2.3,4711\n")
    ended = export(*words, "--out", tmp_path / "other")
    assert ended.err == f"note: {table} has no row of 1 of the cases; these have hashed identifiers\n"
    ended = export(*words, "--out", tmp_path / "both", "--anonymous")
    assert ended.status == 2 and "--patients: does not go with --anonymous" in ended.err
    table.write_text("case,system,patient\nct-0007,,4711\n")
    ended = export(*words, "--out", tmp_path / "lacking")
    assert ended.status == 2 and "line 2 lacks a case, a system or a patient" in ended.err


def test_phantoms_and_a_corrected_case(export: Run, studies: Path, tmp_path: Path) -> None:
    store = AnnotationStore(studies)
    store.submit(store.counting("phantom-000001").document, "Anna Ärztin", base=1)
    assert export("fhir", studies, "--out", tmp_path / "out").status == 0
    bundles = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "out").iterdir()}
    assert set(bundles) == set(store.cases())
    for name, bundle in bundles.items():
        check(bundle)
        (reader,) = resources(bundle, "Practitioner")
        said = "Anna Ärztin" if name == "phantom-000001" else "phantom truth"
        assert reader["identifier"][0]["value"] == said


def test_a_bundle_that_is_none_is_refused() -> None:
    with pytest.raises(PneumoScreenError, match=r"is no valid FHIR \(field entry"):
        check(
            {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": {"resourceType": "Device", "x": 1}}],
            }
        )


def test_a_mark_without_a_time_gives_no_time(export: Run, tmp_path: Path) -> None:
    document = changed("regions.0.reader.at", "yesterday")
    document["regions"][0]["reader"]["name"] = "<b>&"
    (bundle,) = exported(export, tmp_path, document)
    assert Bundle.model_validate(bundle).timestamp is not None


def test_without_the_package_it_is_said_that_nothing_was_checked(
    export: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fhir.resources", None)
    ended = export("fhir", written(tmp_path / "results", CONTRACT), "--out", tmp_path / "out")
    assert ended.status == 0 and ended.err.startswith("note: not held to the definitions of FHIR; pip install")
