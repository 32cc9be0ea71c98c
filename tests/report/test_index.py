"""The table of several cases, and the line of one."""

from dataclasses import replace

from pneumoscreen.report import render_index, summary_line, write_index


def test_every_case_leads_to_its_report(screening, tmp_path):
    spaced = replace(screening.case, case_id="a b#1")
    write_index([screening.case, spaced], tmp_path / "new" / "index.html", [("abdomen", "no lungs are in view")])
    html = (tmp_path / "new" / "index.html").read_text(encoding="utf-8")
    assert f'href="{screening.case.case_id}.html"' in html
    assert 'href="a%20b%231.html"' in html
    assert "no lungs are in view" in html
    assert "2 cases screened" in html


def test_names_and_reasons_stay_text(screening):
    attack = "<script>alert(1)</script>"
    html = render_index([replace(screening.case, case_id=attack)], [(attack, attack)])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3


def test_a_case_without_verdict_or_times_has_a_row(screening):
    html = render_index([replace(screening.case, verdict=None, timings_s={}, lungs={})])
    assert "No verdict" in html


def test_summary_line(screening):
    case = screening.case
    assert summary_line(case) == f"{case.case_id} covid19 {case.verdict.exported:.2f} 6.5"
    nothing = replace(case, regions=(), timings_s={}).with_verdict()
    assert summary_line(nothing) == f"{case.case_id} no_infection_found 0.00 -"
    assert summary_line(replace(case, verdict=None)) == f"{case.case_id} - - 6.5"
