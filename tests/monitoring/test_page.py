"""The page, the JSON file and the figures for Prometheus agree, and tell nobody's name."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.monitoring.page import NOBODY, NOTHING, monitoring_to_text, render_monitoring
from pneumoscreen.monitoring.readings import HELP, readings_of
from pneumoscreen.monitoring.summary import Monitoring

from .clinic import CLEAR, INFECTED, Clinic, film, read, region, scan, simulated


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Monitoring:
    clinic = simulated(tmp_path_factory.mktemp("clinic"), 120, shift=True, late_skill=0.6)
    case = film("Doe_Jane")
    said = {"label": "cap", "location": "right", "name": "dr-ann"}
    clinic.submit(replace(case, cxr=replace(case.cxr, reader=said)), "dr-ann", 200)
    return clinic.monitoring()


def test_page_and_text_tell_what_the_json_tells(told: Monitoring) -> None:
    document = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    page, text = render_monitoring(told), monitoring_to_text(told)
    ct, film_part = document["modalities"]
    assert (ct["modality"], film_part["modality"]) == ("CT", "CXR")
    for sentence in (*ct["recommendation"]["reasons"], *ct["alarms"]):
        assert sentence in text and sentence.replace("'", "&#39;") in page
    share = ct["agreement"]["by_models"][0]["shares"]["verdict"]
    assert f"{share['part']} of {share['of']}" in page
    assert "Research use only" in page and document["notice"] in page
    assert film_part["sides"] == [{"from": "left", "to": "right", "images": 1}] and "affected sides changed" in page
    assert "Readers have judged 1 case of 1 patient" in text


def test_the_page_loads_nothing_and_names_no_case(told: Monitoring) -> None:
    page = render_monitoring(told)
    assert not re.search(r"(src|href)=[\"']?(?!#|data:)(https?:|//|/)", page) and "<script" not in page
    for content in (page, json.dumps(told.to_dict())):
        assert "Doe_Jane" not in content and "case-0" not in content and "patient-" not in content


def test_readers_can_be_hashed(told: Monitoring, tmp_path: Path) -> None:
    clinic = simulated(tmp_path, 30)
    page = render_monitoring(clinic.monitoring(reader_name=lambda name: f"reader-{len(name)}"))
    assert "dr-ann" in render_monitoring(told)
    assert "dr-ann" not in page and "reader-6" in page


def test_what_prometheus_is_told_has_no_name_of_a_reader_or_case(told: Monitoring) -> None:
    found = list(readings_of(told))
    assert {reading.name for reading in found} <= set(HELP)
    labels = {value for reading in found for value in reading.labels.values()}
    assert not any(word in value for value in labels for word in ("dr-", "case-", "Doe"))
    (share,) = [
        one.value
        for one in found
        if one.name == "agreement_ratio" and one.labels == {"modality": "CT", "figure": "verdict"}
    ]
    assert share == told.modalities[0].in_use.shares["verdict"].interval.estimate
    advice = {one.labels["advice"]: one.value for one in found if one.name == "retrain_advice" and one.value}
    assert set(advice) == {each.recommendation.advice.value for each in told.modalities}


def test_an_empty_folder_and_one_that_nobody_has_read_say_so(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    nothing = clinic.monitoring()
    assert NOTHING in render_monitoring(nothing) and monitoring_to_text(nothing) == NOTHING + "\n"
    clinic.screen(scan("a", (region("r1", INFECTED),)))
    page = render_monitoring(clinic.monitoring())
    assert NOBODY in page and "nothing can be said" in page and "scans of 1 patient: too few" in page


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    clinic.submit(read(scan("lost", (region("r1", INFECTED),)), "dr-ann", CLEAR), "dr-ann")
    (found,) = clinic.monitoring().modalities
    text = " ".join(found.cautions())
    assert "not told of 1 submission; they count" in text and "Have some cases read before" in text
    assert "Of 1 submission the screening by those models is not kept" in text
    assert "Of 1 case with a last word the model's probability is not kept" in text
