"""The report of one chest X-ray."""

import time
from dataclasses import replace

import numpy as np
import pytest

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.case import placed
from pneumoscreen.cxr.report.case_report import render_cxr_report, write_cxr_report
from pneumoscreen.report import render_index, summary_line
from pneumoscreen.verdict import DEFAULT_CLASSES, Infection, Verdict
from pneumoscreen.xray_findings import SEEN

from ...report.pages import Page

ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


def with_cxr(screening, **changes):
    """The screening with other findings."""
    return replace(screening, case=replace(screening.case, cxr=replace(screening.case.cxr, **changes)))


def taken_for(screening, label):
    """The screening with another verdict and, as then no side is looked for, no attention."""
    shares = {name: 0.7 if name == label else 0.15 for name in ("covid19", "healthy", "cap")}
    other = with_cxr(screening, sides={}, location="none")
    case = replace(other.case, verdict=Verdict(label, "softmax", shares, shares))
    return replace(other, case=case, attention={})


@pytest.fixture(scope="module")
def html(radiograph, cxr_screening) -> str:
    return render_cxr_report(radiograph, cxr_screening)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_verdict_and_caution_stand_together(page):
    verdict = page.text.split("Affected side")[0]
    assert "COVID-19 80.0 % confidence" in verdict
    assert "COVID-19 80.0 % Healthy 5.0 % Community-acquired pneumonia 15.0 %" in verdict
    assert RESEARCH_USE_ONLY in verdict
    assert "cannot replace a CT or a PCR test" in verdict
    assert "card of each model version" in verdict
    assert page.text.count(RESEARCH_USE_ONLY) == 2


def test_the_affected_side_is_said_in_words(page):
    assert "Affected side left lung Right lung 20.0 % Left lung 90.0 %" in page.text


@pytest.mark.parametrize(("location", "words"), [("bipulmonary", "both lungs"), ("none", "no side")])
def test_other_sides(radiograph, cxr_screening, location, words):
    text = Page(render_cxr_report(radiograph, with_cxr(cxr_screening, location=location))).text
    assert f"Affected side {words}" in text
    assert ("Neither lung taken by itself" in text) == (location == "none")


def opaque(screening, label, *, decided, probability):
    """The screening as the lungs come first: each was asked for an opacity."""
    shares = {name: 0.6 if name == label else 0.2 for name in ("covid19", "healthy", "cap")}
    infection = Infection(probability, "433 films of 400 patients")
    verdict = Verdict(label, "softmax", shares, shares, decided=decided, infection=infection)
    location = "none" if label == "healthy" else "right"
    found = with_cxr(screening, sides={"left": 0.2, "right": probability}, location=location)
    notes = (*found.case.notes, f"{SEEN} class: phantoms; lungs: films that radiologists read.")
    return replace(found, case=replace(found.case, verdict=verdict, notes=notes))


def test_an_undecided_type_is_no_covid(radiograph, cxr_screening):
    text = Page(render_cxr_report(radiograph, opaque(cxr_screening, "covid19", decided=False, probability=0.9))).text
    verdict = text.split("Affected side")[0]
    assert "Opacity found, type undecided 90 % probability of an opacity" in verdict
    assert "calibrated on 433 films of 400 patients" in verdict
    assert "The type is undecided" in verdict
    assert f"{SEEN} class: phantoms; lungs: films that radiologists read." in verdict
    assert "An opacity is no diagnosis" in verdict
    assert "Affected side right lung Right lung 90 % Left lung 20 %" in text.replace(".0 %", " %")


def test_no_opacity_is_not_called_healthy_and_both_lungs_are_shown(radiograph, cxr_screening):
    page = Page(render_cxr_report(radiograph, opaque(cxr_screening, "healthy", decided=True, probability=0.1)))
    assert "No opacity found 10 % probability of an opacity" in page.text
    assert "Not looked for" not in page.text
    assert "Neither lung taken by itself" not in page.text
    assert "Left lung as the side network saw it" in [a["alt"] for a in page.all("img")]
    assert "Grad-CAM: what in each lung spoke for an opacity." in page.text
    assert "scaled to its own largest value" not in page.text


def test_the_extent_stands_zone_by_zone_the_right_lung_first(radiograph, cxr_screening):
    screening = opaque(cxr_screening, "covid19", decided=False, probability=0.9)
    zones = {f"{side}_{zone}": 0.0 for side in ("left", "right") for zone in ("upper", "middle", "lower")}
    zones |= {"right_lower": 3.0, "left_middle": 1.0}
    findings = replace(screening.case.cxr, opacity={"left": 0.04, "right": 0.25}, severity=zones)
    page = Page(render_cxr_report(radiograph, replace(screening, case=replace(screening.case, cxr=findings))))
    assert "Extent: 4 of 18" in page.text
    assert "Upper 0 0 Middle 0 1 Lower 3 0 Opaque 25 % 4 %" in page.text


def test_without_an_extent_nothing_is_said_of_it(page):
    assert "Extent" not in page.text


def test_a_table_of_cases_says_the_same(cxr_screening):
    case = opaque(cxr_screening, "covid19", decided=False, probability=0.9).case
    text = Page(render_index([case], DEFAULT_CLASSES)).text
    assert "Opacity found, type undecided" in text
    assert "Right lung" in text


@pytest.mark.parametrize("label", ["healthy", "cap"])
def test_a_side_is_looked_for_in_covid_only(radiograph, cxr_screening, label):
    page = Page(render_cxr_report(radiograph, taken_for(cxr_screening, label)))
    assert "Affected side Not looked for" in page.text
    assert page.all("img") == []
    assert "side network saw" not in page.text


def test_the_grad_cam_has_a_strength_that_needs_no_script(page, radiograph, cxr_screening):
    choices = [a for a in page.all("input") if a.get("name") == "gradcam-strength"]
    assert [a["class"] for a in choices] == ["off", "faint", "half", "full"]
    assert ["checked" in a for a in choices] == [False, False, False, True]
    html = render_cxr_report(radiograph, cxr_screening)
    assert html.count('<g class="heat">') == 1
    assert all(f".gradcam:has(.{a['class']}:checked) .heat" in html for a in choices[:3])
    assert "<script" not in html


def test_the_left_box_is_drawn_at_the_larger_x(page):
    boxes = [a for a in page.all("rect") if a["class"].startswith("lung-box")]
    assert len(boxes) == 4
    x = {a["class"].split()[1]: float(a["x"]) for a in boxes}
    assert x["left"] > x["right"]
    names = [(float(a["x"]), a) for a in page.all("text") if "lung-name" in a["class"]]
    assert len(names) == 2
    marks = [float(a["x"]) for a in page.all("text") if a["class"] == "side"]
    assert marks[0] < marks[1]  # R, then L


def test_nothing_is_loaded_from_anywhere(html, page):
    sources = [a.get("src") or a.get("href") for tag in ("img", "image", "use", "a", "link") for a in page.all(tag)]
    assert len(sources) == 6 + 3 + 2
    assert all(
        s == "#radiograph" or s.startswith(("data:image/jpeg;base64,", "data:image/png;base64,")) for s in sources
    )
    assert html.count('id="radiograph"') == 1
    assert not any(outside in html for outside in ("http:", "https:", "@import", "url(", "<script"))
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_every_picture_says_what_it_is(page):
    assert all(a["aria-label"] for a in page.all("svg"))
    assert len(page.all("svg")) == 3
    alternatives = [a["alt"] for a in page.all("img") if a["alt"]]
    assert alternatives == [
        "Right lung as the side network saw it",
        "Attention mask over the right lung",
        "Left lung as the side network saw it",
        "Attention mask over the left lung",
    ]
    assert len(page.all("figcaption")) == 6
    assert "Grad-CAM: what spoke for “COVID-19”" in page.text
    assert "0.25 least" in page.text and "most 0.75" in page.text


def test_facts_notes_models_and_times(page):
    assert "Size 300 × 240 pixels Spacing not stated Burnt-in borders none" in page.text
    assert "The file states no pixel spacing; 1 mm was taken." in page.text
    assert "Class network 2 9f9f9f9f9f9f" in page.text
    assert "Class 0.25 s" in page.text


def test_spacing_and_borders_are_stated_where_known(radiograph, cxr_screening):
    stated = replace(radiograph, spacing_mm=(0.1434, 0.1434), content=(10, 0, 280, 240))
    case = replace(cxr_screening.case, image=stated.image_info())
    text = Page(render_cxr_report(stated, replace(cxr_screening, case=case))).text
    assert "Spacing 0.143 × 0.143 mm Burnt-in borders cut off: 280 × 240 pixels remain" in text


def test_the_source_is_stated(radiograph, cxr_screening):
    stated = replace(radiograph, source_below="patA/ST1/IM1.png")
    case = replace(cxr_screening.case, image=stated.image_info())
    assert "Source patA/ST1/IM1.png Modality" in Page(render_cxr_report(stated, replace(cxr_screening, case=case))).text
    assert "Source not known" in Page(render_cxr_report(radiograph, cxr_screening)).text


def test_a_readers_opinion_is_shown_beside_the_verdict(radiograph, cxr_screening):
    said = {"label": "cap", "location": "bipulmonary", "name": "reader-a", "at": "2026-11-22T10:00:00Z"}
    text = Page(render_cxr_report(radiograph, with_cxr(cxr_screening, reader=said))).text
    assert (
        "Reader reader-a takes this radiograph for community-acquired pneumonia, affected: both lungs "
        "(2026-11-22T10:00:00Z)." in text
    )
    assert "COVID-19 80.0 % confidence" in text


@pytest.mark.parametrize("said", [{"label": None}, {"label": ["x"], "location": 3, "name": {}, "at": 1}])
def test_a_readers_opinion_of_another_form_is_shown_as_far_as_it_goes(radiograph, cxr_screening, said):
    assert "takes this radiograph for" in Page(render_cxr_report(radiograph, with_cxr(cxr_screening, reader=said))).text


def test_a_hostile_document_stays_text(radiograph, cxr_screening):
    said = dict.fromkeys(("label", "location", "name", "at"), ATTACK)
    other = with_cxr(cxr_screening, reader=said, location=ATTACK)
    models = {ATTACK: cxr_screening.case.models["cxr_discrimination"]}
    case = replace(other.case, case_id=ATTACK, notes=(ATTACK,), timings_s={ATTACK: 1.0}, models=models)
    page = Page(render_cxr_report(radiograph, replace(other, case=case)))
    assert page.all("script") == []
    assert all(set(a) == {"src", "alt", "width", "height"} for a in page.all("img"))
    assert page.text.count("<script>alert(1)</script>") >= 8


def test_a_case_of_which_little_is_known(radiograph, cxr_screening):
    bare = with_cxr(taken_for(cxr_screening, "cap"), lung_boxes={})
    bare = replace(bare, superpixels=np.zeros((0, 0), np.int32))
    page = Page(
        render_cxr_report(
            radiograph, replace(bare, case=replace(bare.case, verdict=None, models={}, timings_s={}, notes=()))
        )
    )
    assert "No verdict" in page.text
    assert "No lung box is recorded." in page.text
    assert "what spoke for the chosen class" in page.text
    assert "Nothing had to be repaired." in page.text
    assert len(page.all("svg")) == 2
    assert RESEARCH_USE_ONLY in page.text.split("Affected side")[0]


def test_a_case_without_findings_is_refused(radiograph, cxr_screening):
    with pytest.raises(ValueError, match="no findings of an X-ray"):
        render_cxr_report(radiograph, replace(cxr_screening, case=replace(cxr_screening.case, cxr=None)))


def test_the_file_and_its_folder_are_made(radiograph, cxr_screening, tmp_path):
    write_cxr_report(radiograph, cxr_screening, tmp_path / "deep" / "chest.html")
    assert "Chest X-ray screening" in (tmp_path / "deep" / "chest.html").read_text(encoding="utf-8")


def test_size_and_time_of_a_large_radiograph_stay_in_their_budget(radiograph, cxr_screening):
    """2000x2000 with noise and 100 superpixels: 1.5 MB, and 150 ms of processor time."""
    size = 2000
    cells = np.arange(size) // 200
    noise = np.random.default_rng(0).random((size, size), dtype=np.float32)
    large = replace(radiograph, pixels=noise, content=(0, 0, size, size))
    screening = replace(
        with_cxr(cxr_screening, lung_boxes=placed({"left": (1100, 300, 700, 1300), "right": (200, 300, 700, 1300)})),
        gradcam=noise,
        superpixels=(cells[:, None] * 10 + cells[None] + 1).astype(np.int32),
    )
    html = render_cxr_report(large, screening)  # templates are compiled and Pillow is loaded in a real run too
    taken = []
    for _ in range(3):
        start = time.process_time()
        render_cxr_report(large, screening)
        taken.append(time.process_time() - start)
    assert min(taken) < 0.15
    assert len(html.encode()) < 1.5e6


def test_the_line_and_the_index_of_an_x_ray(cxr_screening):
    healthy = replace(taken_for(cxr_screening, "healthy").case, case_id="well")
    assert summary_line(cxr_screening.case) == "chest covid19 0.80 0.5"
    assert summary_line(healthy) == "well healthy 0.70 0.5"
    text = Page(render_index([cxr_screening.case, healthy], DEFAULT_CLASSES)).text
    assert "Chest X-ray screening" in text
    assert "COVID-19 1 Healthy 1 Community-acquired pneumonia 0" in text
    assert "chest COVID-19 80.0 % Left lung 0.5 s" in text
    assert "well Healthy 70.0 % – 0.5 s" in text
    assert "Noisy-OR" not in text
    assert "Regions" not in text
