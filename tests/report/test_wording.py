"""Numbers and sentences."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.case import CXR_CLASSES, CXR_LOCATIONS
from pneumoscreen.report import wording
from pneumoscreen.verdict import DEFAULT_CLASSES, Classes, decide


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 0, "0\u202f%"),
        (1.0, 0, "100\u202f%"),
        (0.004, 0, "<\u202f1\u202f%"),
        (0.9999, 1, ">\u202f99.9\u202f%"),
        (0.634, 1, "63.4\u202f%"),
    ],
)
def test_percentages(value, digits, text):
    assert wording.percent(value, digits) == text


@given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(0, 2))
def test_no_percentage_claims_a_certainty(value, digits):
    text = wording.percent(value, digits)
    number = float(text.strip("<>\u202f%"))
    assert 0.0 < number < 100.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_rule_is_explained_for_every_verdict(covid, influenza):
    verdict = decide([("covid19", covid), ("influenza_a", influenza)])
    words = wording.rule_in_words(verdict)
    assert words.name
    assert words.sentence.endswith(".")
    if verdict.rule == "softmax":
        assert max(verdict.confidence.values()) <= math.e / (math.e + 1) + 1e-12


def test_style_classes_follow_the_class_list():
    keys = [wording.label_key(label, DEFAULT_CLASSES) for label in ("covid19", "influenza_a", "irrelevant", None)]
    assert keys == ["type-0", "type-1", "irrelevant", "unknown"]
    own = Classes(("rsv", "covid19"), "other", "clear")
    assert wording.label_key("covid19", own) == "type-1"
    assert wording.label_key("clear", own) == "none"


def test_nouns():
    assert wording.plural(1, "region") == "1 region"
    assert wording.plural(2, "patch", "patches") == "2 patches"


def test_words_of_an_x_ray():
    assert [wording.display_name(name) for name in CXR_CLASSES] == [
        "COVID-19",
        "healthy",
        "community-acquired pneumonia",
    ]
    assert wording.capital(wording.display_name("cap")) == "Community-acquired pneumonia"
    assert wording.capital("") == ""
    assert set(wording.LOCATION_NAMES) == set(CXR_LOCATIONS)
    assert list(wording.CXR_KEYS) == list(CXR_CLASSES)
