"""The JSON Schema that ships with the package: it is what the dataclasses say, and documents keep to it."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.case_documents import CONTRACT, RADIOGRAPH, cases, changed

from pneumoscreen.case import Case, ImageInfo
from pneumoscreen.case_schema import SCHEMA_FILE, case_schema, schema_text

# Draft 7 knows every keyword that the schema uses; the installed package knows no later draft.
VALIDATOR = jsonschema.Draft7Validator(case_schema())


def test_the_file_is_what_the_dataclasses_say() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run python -m pneumoscreen.case_schema"
    jsonschema.Draft7Validator.check_schema(case_schema())


def test_the_file_ships_with_the_package() -> None:
    shipped = resources.files("pneumoscreen").joinpath("case.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    project = Path(__file__).resolve().parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8")
    assert '"pneumoscreen" = ["case.schema.json", "py.typed"]' in project


@pytest.mark.parametrize("document", [CONTRACT, RADIOGRAPH], ids=["CT", "CXR"])
def test_the_contract_keeps_to_it(document: dict[str, Any]) -> None:
    VALIDATOR.validate(document)


def test_a_case_with_nothing_keeps_to_it() -> None:
    VALIDATOR.validate(Case("c", "CT", ImageInfo((1, 1, 1), (1.0, 1.0, 1.0), "x")).to_dict())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_document_that_is_written_keeps_to_it(data: st.DataObject) -> None:
    VALIDATOR.validate(json.loads(data.draw(cases()).to_json()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "pneumoscreen.case/1"),
        ("modality", "MR"),
        ("regions", None),
        ("regions.0.infected_ml", -1),
        ("regions.0.state", "closed"),
        ("regions.0.center_mm", [1.0, 2.0]),
        ("regions.0.extra", 1),
        ("regions.0.patches.0.probabilities.covid19", 2),
        ("lungs.left.affected_percent", 101),
        ("verdict.infection.probability", 1.5),
        ("verdict.decided", "yes"),
        ("reading.model_shown", 3),
        ("image.size.0", 0),
    ],
)
def test_what_the_contract_refuses_it_refuses(path: str, value: Any) -> None:
    assert not VALIDATOR.is_valid(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cxr.lung_boxes.left", [1.0, 2.0, 3.0, 4.0]),
        ("cxr.opacity.left", 2),
        ("cxr.location", "both"),
        ("regions", [{}]),
    ],
)
def test_radiographs_are_checked_too(path: str, value: Any) -> None:
    document = changed(path, value, {**RADIOGRAPH, "regions": []})
    assert not VALIDATOR.is_valid(document)
