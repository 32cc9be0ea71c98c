"""Which study comes first, by what a site's rules say of its headers."""

import pytest
from pydicom.dataset import Dataset

from pneumoscreen.errors import ConfigError
from pneumoscreen.pacs.priority import KEYWORDS, Rule, priority_of, rules_of

RULES = rules_of(["RequestedProcedurePriority=STAT", "InstitutionalDepartmentName=*emergency*", "Modality=CT"])


def header(**fields: object) -> Dataset:
    found = Dataset()
    for keyword, value in fields.items():
        setattr(found, keyword, value)
    return found


@pytest.mark.parametrize(
    ("fields", "priority"),
    [
        ({"RequestedProcedurePriority": "STAT", "InstitutionalDepartmentName": "Emergency"}, 3),
        ({"RequestAttributesSequence": [header(RequestedProcedurePriority="stat ")]}, 3),
        ({"InstitutionalDepartmentName": "Central Emergency Department", "Modality": "CT"}, 2),
        ({"InstitutionalDepartmentName": "Cardiology", "Modality": "CT"}, 1),
        ({"InstitutionalDepartmentName": "Cardiology", "Modality": "DX"}, 0),
        ({}, 0),
    ],
)
def test_the_first_rule_that_fits_counts(fields: dict[str, object], priority: int) -> None:
    assert priority_of(header(**fields), RULES) == priority


def test_a_pattern_is_for_the_whole_value_and_an_odd_one_fits_nothing() -> None:
    assert Rule("StudyDescription", "chest").fits(header(StudyDescription="CHEST"))
    assert not Rule("StudyDescription", "chest").fits(header(StudyDescription="CHEST CT"))
    assert Rule("StudyDescription", "chest (c*").fits(header(StudyDescription="Chest (CT)"))
    assert not Rule("StudyDescription", "*x").fits(header(StudyDescription="a" * 10_000 + "x"))
    assert not Rule("StudyDescription", "*").fits(header(RequestAttributesSequence=[]))
    assert Rule("StudyDescription", "b").fits(header(StudyDescription=["a", "b"]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("STAT", "--first STAT: is no rule; write a field and a pattern, as in StudyDescription=*stat*"),
        ("StudyDescription=", "is no rule"),
        ("PatientName=*Muster*", "--first PatientName=*Muster*: PatientName is no field that a rule asks for; use Req"),
    ],
)
def test_what_is_no_rule_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        rules_of([text])
    assert sentence in str(raised.value)


def test_no_rule_asks_who_a_patient_is() -> None:
    assert not [keyword for keyword in KEYWORDS if keyword.startswith("Patient") or "Name" in keyword[:-4]]
