"""The table of several cases, and the line of one."""

from dataclasses import replace

from pneumoscreen.evidence import Calibration
from pneumoscreen.report import render_index, summary_line, write_index
from pneumoscreen.verdict import DEFAULT_CLASSES

from .pages import Page


def test_every_case_leads_to_its_report(screening, tmp_path):
    spaced = replace(screening.case, case_id="a b#1")
    write_index(
        [screening.case, spaced],
        tmp_path / "new" / "index.html",
        DEFAULT_CLASSES,
        [("abdomen", "no lungs are in view")],
    )
    html = (tmp_path / "new" / "index.html").read_text(encoding="utf-8")
    assert f'href="{screening.case.case_id}.html"' in html
    assert 'href="a%20b%231.html"' in html
    assert "no lungs are in view" in html
    assert "2 cases screened" in html


def test_sources_and_what_was_passed_over_are_told(screening, tmp_path):
    case = replace(screening.case, image=replace(screening.case.image, source="patA/ST1/<b>"))
    left_out = [("in/shot.png", "in/shot.png is a picture beside a CT")]
    write_index([case], tmp_path / "index.html", DEFAULT_CLASSES, passed_over=left_out)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "patA/ST1/&lt;b&gt;" in html
    assert "Passed over" in html and "is a picture beside a CT" in html
    assert "Not screened" not in html
    assert "Passed over" not in render_index([case], DEFAULT_CLASSES)


def test_names_and_reasons_stay_text(screening):
    attack = "<script>alert(1)</script>"
    html = render_index([replace(screening.case, case_id=attack)], DEFAULT_CLASSES, [(attack, attack)])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3


def test_a_case_without_verdict_or_times_has_a_row(screening):
    html = render_index([replace(screening.case, verdict=None, timings_s={}, lungs={})], DEFAULT_CLASSES)
    assert "No verdict" in html


def test_summary_line(screening):
    case = screening.case
    assert summary_line(case) == f"{case.case_id} covid19 {case.verdict.exported:.2f} 6.5"
    nothing = replace(case, regions=(), timings_s={}).with_verdict()
    assert summary_line(nothing) == f"{case.case_id} no_infection_found 0.00 -"
    assert summary_line(replace(case, verdict=None)) == f"{case.case_id} - - 6.5"


def test_an_undecided_type_and_the_probability_of_infection(screening):
    case = screening.case.with_verdict(calibration=Calibration(-3.0, 1.5, "60 phantoms"))
    plain = Page(render_index([screening.case], DEFAULT_CLASSES)).text
    assert "Infection:" not in plain
    unsure = replace(case, case_id="unsure", verdict=replace(case.verdict, decided=False))
    text = Page(render_index([case, unsure], DEFAULT_CLASSES)).text
    assert "unsure Infection found, type undecided" in text
    assert "COVID-19 1" in text and "Infection found, type undecided 1" in text
    assert "calibrated on 60 phantoms." in text
    # The line that programs read keeps its form: the label of the verdict.
    assert summary_line(unsure).startswith("unsure covid19 ")


def test_an_index_of_both_modalities(screening, cxr_screening):
    text = Page(render_index([screening.case, cxr_screening.case], DEFAULT_CLASSES)).text
    assert "2 cases screened Chest screening" in text
    assert "CT COVID-19 1 Influenza A 0 No infection found 0" in text
    assert "X-ray COVID-19 1 Healthy 0 Community-acquired pneumonia 0" in text
    assert "chest COVID-19 80.0 % – – – Left lung 0.5 s" in text
    assert "CT probability: Noisy-OR" in text
    assert "X-ray probability: softmax over COVID-19, healthy, community-acquired pneumonia" in text
