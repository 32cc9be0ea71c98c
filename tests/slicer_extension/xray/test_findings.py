"""A chest X-ray in words: the model's finding, and the reader's own."""

from dataclasses import replace

import pytest
from tests.slicer_extension.xray.test_panel import DOCUMENT

from pneumoscreen.case import Case
from pneumoscreen.verdict import Infection
from pneumoscreen.xray_findings import SEEN
from PneumoScreenLib.reading.reading import Reading
from PneumoScreenLib.xray import findings


@pytest.mark.parametrize(
    ("label", "decided", "said"),
    [
        ("covid19", False, "Opacity found, type undecided  (opacity 80 %)"),
        ("cap", True, "Community-acquired pneumonia  (opacity 80 %)"),
        ("healthy", True, "No opacity found  (opacity 80 %)"),
    ],
)
def test_an_x_ray_whose_lungs_were_asked_for_an_opacity(label: str, decided: bool, said: str) -> None:
    case = Case.from_dict({**DOCUMENT, "notes": [f"{SEEN} phantoms.", "Turned back."]})
    assert case.verdict is not None
    assert findings.film_verdict_in_words(case) == "COVID-19  70 %"
    infection = Infection(0.8, "433 films")
    asked = replace(case, verdict=replace(case.verdict, label=label, decided=decided, infection=infection))
    assert findings.film_verdict_in_words(asked) == said
    assert findings.film_cautions(asked) == f"Infection 80 %, calibrated on 433 films\n{SEEN} phantoms."


@pytest.mark.parametrize(
    ("label", "location", "said"),
    [
        ("cap", "bipulmonary", "CAP, both (reader)"),
        ("covid19", "left", "COVID-19, left (reader)"),
        ("healthy", "none", "Healthy (reader)"),
    ],
)
def test_what_the_reader_says(label: str, location: str, said: str) -> None:
    reading = Reading(Case.from_dict(DOCUMENT), reader="dr-a")
    assert reading.case.cxr is not None and findings.film_reading_in_words(reading.case.cxr) == ""
    reading.mark_xray(label, location)
    assert reading.case.cxr is not None and findings.film_reading_in_words(reading.case.cxr) == said
