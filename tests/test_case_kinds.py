"""Kinds of image beside CT and X-ray: documents hold what all cases share, and names of files tell them."""

from collections.abc import Iterator
from typing import Any

import pytest

from pneumoscreen.case import MODALITIES, Case
from pneumoscreen.case_kinds import KINDS, Kind, add_kind, modality_of_name
from pneumoscreen.errors import CaseError

LAMP = Kind("LAMP", 2, ("off", "on"), "lamp", "Lamp", "Lamp screening", endings=(".lamp.png",))
DOCUMENT: dict[str, Any] = {
    "schema": "pneumoscreen.case/2",
    "case_id": "a",
    "modality": "LAMP",
    "image": {"size": [4, 3], "spacing_mm": [1.0, 1.0], "sha256": "0"},
    "diagnosis": "on",
    "verdict": {
        "label": "off",
        "rule": "single",
        "probability": {"off": 0.9, "on": 0.1},
        "confidence": {"off": 0.9},
    },
}


@pytest.fixture
def lamp() -> Iterator[None]:
    add_kind(LAMP)
    yield
    del KINDS["LAMP"]


@pytest.mark.usefixtures("lamp")
def test_a_document_of_a_further_kind_comes_back_as_it_went_in() -> None:
    case = Case.from_dict(DOCUMENT)
    assert case.verdict is not None and case.verdict.label == "off"
    assert not {"lungs", "regions", "cxr"} & case.to_dict().keys()
    assert Case.from_json(case.to_json()) == case == case.with_verdict()


@pytest.mark.usefixtures("lamp")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"diagnosis": "covid19"}, "field diagnosis must be one of off, on"),
        ({"regions": [{}]}, "field regions belongs to a CT case only"),
        ({"cxr": {"a": 1}}, "field cxr belongs to an X-ray case only"),
        ({"image": {**DOCUMENT["image"], "size": [4, 3, 2]}}, "field image.size must hold 2 whole numbers"),
        ({"verdict": {**DOCUMENT["verdict"], "label": "healthy"}}, "field verdict.label must be one of off, on"),
    ],
)
def test_what_it_does_not_have_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CaseError, match=sentence.replace(".", r"\.")):
        Case.from_dict({**DOCUMENT, **changes})


def test_one_that_was_not_added_is_refused() -> None:
    with pytest.raises(CaseError, match="field modality must be one of CT, CXR, not 'LAMP'"):
        Case.from_dict(DOCUMENT)
    assert MODALITIES == ("CT", "CXR")


@pytest.mark.usefixtures("lamp")
def test_its_files_are_told_by_their_ending() -> None:
    assert [modality_of_name(name) for name in ("a.LAMP.png", "lamp.png", "a.nii.gz")] == ["LAMP", None, None]
