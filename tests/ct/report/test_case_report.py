"""The report of one case."""

import base64
import re
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pneumoscreen import RESEARCH_USE_ONLY, __version__
from pneumoscreen.case import Case, ReaderMark, Region
from pneumoscreen.ct.patches import central_slices
from pneumoscreen.ct.report.case_report import render_report, write_report
from pneumoscreen.ct.report.region_cards import RegionArtist
from pneumoscreen.evidence import Calibration
from pneumoscreen.report.pictures import axial_frame
from pneumoscreen.verdict import DEFAULT_CLASSES, Classes

from ...report.pages import Page
from .conftest import region


@pytest.fixture(scope="module")
def html(volume, screening) -> str:
    return render_report(volume, screening, DEFAULT_CLASSES)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_verdict_rule_and_research_use_stand_in_the_page(page, screening):
    assert "COVID-19" in page.text
    assert "Rule: single type. Only COVID-19 was found" in page.text
    assert page.text.count(RESEARCH_USE_ONLY) == 2
    assert f"PneumoScreen {__version__}" in page.text
    assert "Padding of -3024 was set to -1024." in page.text
    assert "9f9f9f9f9f9f" in page.text
    assert "1.25" in page.text


def test_lungs_show_the_worse_side(page):
    assert "Right lung 2.5 % 75 ml 3,000 ml" in page.text
    assert "Left lung 12.5 % 250 ml 2,000 ml" in page.text
    assert "Both lungs 6.5 % 325 ml 5,000 ml" in page.text


def test_nothing_is_loaded_from_anywhere(html, page):
    sources = [a.get("src") or a.get("href") for tag in ("img", "image", "link", "script", "a") for a in page.all(tag)]
    assert sources
    assert all(source.startswith(("data:image/jpeg;base64,", "#region-")) for source in sources)
    assert "@import" not in html
    assert "url(" not in html
    assert page.all("script") == []


def test_every_region_has_its_pictures_and_is_reached_from_the_overview(page, screening):
    numbers = range(1, len(screening.case.regions) + 1)
    ids = {a["id"] for a in page.all("article")}
    assert ids == {f"region-{number}" for number in numbers}
    links = [a["href"] for a in page.all("a")]
    assert sorted(links) == sorted(f"#region-{number}" for number in numbers for _ in range(2))
    assert len(page.all("img")) == 3 * len(numbers)
    assert len(page.all("image")) == 2 + len(numbers)
    assert all(a["alt"] for a in page.all("img"))
    assert all(a["aria-label"] for a in page.all("svg"))


def test_pictures_are_pictures(page):
    for attributes in page.all("image"):
        picture = Image.open(BytesIO(base64.b64decode(attributes["href"].split(",")[1])))
        assert picture.format == "JPEG"
        ratio = float(attributes["width"]) / float(attributes["height"])
        assert picture.width / picture.height == pytest.approx(ratio, rel=0.02)


def test_infections_come_first_and_the_irrelevant_are_folded(page, screening):
    order = [int(a["id"].split("-")[1]) for a in page.all("article")]
    labels = [screening.case.regions[number - 1].label for number in order]
    infected = labels.index("irrelevant")
    assert set(labels[:infected]) == {"covid19"}
    assert set(labels[infected:]) == {"irrelevant"}
    folded = len(labels) - infected
    said = f"{folded} region irrelevant" if folded == 1 else f"{folded} regions irrelevant"
    assert f"{said} to infection" in " ".join(page.details_text.split())


def test_a_hostile_document_stays_text(volume, screening):
    attack = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    mark = ReaderMark("irrelevant", attack, attack)
    regions = tuple(replace(r, id=f"{attack}{i}", reader=mark) for i, r in enumerate(screening.case.regions))
    hostile = screening.with_case(case_id=attack, notes=(attack,), regions=regions, timings_s={attack: 1.0})
    page = Page(render_report(volume, hostile, DEFAULT_CLASSES))
    assert page.all("script") == []
    assert all(set(a) == {"src", "alt"} for a in page.all("img"))
    assert attack in page.text
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


def test_a_reader_overrides_the_vote(volume, screening):
    first = replace(screening.case.regions[0], reader=ReaderMark("influenza_a", "reader-a", "2026-11-22T10:00:00Z"))
    text = Page(render_report(volume, screening.with_case(regions=(first,)), DEFAULT_CLASSES)).text
    assert "Reader reader-a marked this region as Influenza A (2026-11-22T10:00:00Z)" in text
    assert "this replaces the vote for COVID-19" in text
    assert "1 candidate region looked at; labelled 1 as Influenza A." in text


def test_a_region_drawn_by_a_reader_has_no_patches_yet(volume, screening):
    drawn = Region(
        "d1",
        "reader",
        screening.case.regions[0].center_mm,
        (20.0, 20.0, 20.0),
        1.0,
        "left",
        reader=ReaderMark("covid19", "reader-a", "2026-11-22T10:00:00Z"),
    )
    page = Page(render_report(volume, screening.with_case(regions=(drawn,)), DEFAULT_CLASSES))
    assert page.all("img") == []
    assert "no patches" in page.text
    assert "drawn by a reader" in page.text


def test_a_case_without_findings_says_so(volume, screening):
    text = Page(
        render_report(
            volume, screening.with_case(regions=(), notes=(), lungs={}, models={}, timings_s={}), DEFAULT_CLASSES
        )
    ).text
    assert "No infection found" in text
    assert "No candidate region was found in the lungs." in text
    assert "Nothing had to be repaired." in text
    assert "The lungs were not measured." in text


def test_two_types_are_explained_with_the_bound_of_the_softmax(volume, screening):
    regions = screening.case.regions
    sure = tuple(replace(p, label="covid19", confidence=0.97, probabilities={}) for p in regions[0].patches)
    patches = tuple(replace(p, label="influenza_a", confidence=0.6, probabilities={}) for p in regions[1].patches)
    both = (replace(regions[0], patches=sure), replace(regions[1], patches=patches))
    text = Page(render_report(volume, screening.with_case(regions=both), DEFAULT_CLASSES)).text
    assert "softmax over types" in text
    assert "cannot exceed 73 %" in text
    # e^.97 / (e^.97 + e^.6)
    assert "COVID-19 59.1 % exported confidence" in text


def test_a_type_that_cannot_be_told_is_called_undecided(volume, screening):
    regions = screening.case.regions
    patches = tuple(replace(p, label="influenza_a", probabilities={}) for p in regions[1].patches)
    second = replace(regions[1], patches=patches)
    text = Page(render_report(volume, screening.with_case(regions=(regions[0], second)), DEFAULT_CLASSES)).text
    head = text.split("Noisy-OR")[0]
    assert "Infection found, type undecided" in head
    assert "exported confidence" not in text
    # The paper's figures stay visible.
    assert "softmax over types" in text and "50.0 %" in text


def test_the_probability_of_an_infection_says_what_it_was_calibrated_on(volume, screening):
    case = screening.case.with_verdict(calibration=Calibration(-3.0, 1.5, "60 phantoms"))
    said = "Probability of an infection of any type: "
    text = Page(render_report(volume, replace(screening, case=case), DEFAULT_CLASSES)).text
    assert said in text and ", calibrated on 60 phantoms." in text
    assert said not in Page(render_report(volume, screening, DEFAULT_CLASSES)).text


def test_a_vote_that_is_not_borne_out_stays_visible(volume, screening):
    first = replace(screening.case.regions[0], infected_ml=0.02)
    text = Page(render_report(volume, screening.with_case(regions=(first,)), DEFAULT_CLASSES)).text
    assert "No infection found" in text
    assert "The patches vote COVID-19 (90 %), not borne out: 0.0 ml infected, candidate score 0.80." in text
    assert "3 of 3 patches agree" in text and "Infected volume 0.0 ml" in text


def test_a_site_with_its_own_classes_is_reported(volume, screening):
    classes = Classes(("rsv", "measles_pneumonia"), "other", "clear")
    patches = tuple(
        replace(p, label="measles_pneumonia", probabilities={"measles_pneumonia": p.confidence})
        for p in screening.case.regions[0].patches
    )
    own = replace(screening.case.regions[0], patches=patches, label="measles_pneumonia")
    case: Case = replace(screening.case, regions=(own,)).with_verdict(classes)
    text = Page(render_report(volume, replace(screening, case=case), classes)).text
    assert "Measles pneumonia" in text
    assert "COVID-19" not in text.split("How to read this report")[0]


def test_masks_of_another_grid_are_refused(volume, screening):
    with pytest.raises(ValueError, match="grid of the volume"):
        render_report(volume, replace(screening, infection=screening.infection[1:]), DEFAULT_CLASSES)


def test_the_file_and_its_folder_are_made(volume, screening, tmp_path, html):
    out = tmp_path / "deep" / "case.html"
    write_report(volume, screening, out, DEFAULT_CLASSES)
    written = re.compile(r"written [-0-9: ]+UTC")
    assert written.sub("", out.read_text(encoding="utf-8")) == written.sub("", html)


def test_size_and_time_of_a_large_scan_stay_in_their_budget(volume, screening):
    """512x512x70 and 20 regions: 3 MB, and 1.5 s of processor time."""
    rows, columns = (np.arange(512) * 160 // 512 for _ in range(2))
    levels = np.arange(70) * 32 // 70
    grid = np.ix_(levels, rows, columns)
    scale = np.array([512 / 160, 512 / 160, 70 / 32])
    large = replace(volume, hu=volume.hu[grid], spacing_mm=tuple(np.array(volume.spacing_mm) / scale))
    lungs = replace(screening.lungs, labels=screening.lungs.labels[grid])
    regions = tuple(replace(screening.case.regions[i % len(screening.case.regions)], id=f"r{i + 1}") for i in range(20))
    many = replace(screening.with_case(regions=regions), lungs=lungs, infection=screening.infection[grid])
    render_report(volume, screening, DEFAULT_CLASSES)  # templates and imports are warm in a real run too
    start = time.process_time()
    html = render_report(large, many, DEFAULT_CLASSES)
    assert time.process_time() - start < 1.5
    assert len(html.encode()) < 3e6


def test_the_picture_of_a_region_shows_the_middle_slice_of_its_patches(volume, phantom):
    """An even number of slices has two in the middle: the classifier and the picture take the same one."""
    depth, height, width = volume.hu.shape
    frame = axial_frame(volume, (0, height - 1), (0, width - 1), margin_mm=0.0)
    boxes = [np.array([low - 0.5, 60, 40, low + 3.5, 80, 60]) for low in range(8, 14)]
    regions = tuple(region(volume, number, box, "covid19") for number, box in enumerate(boxes, start=1))
    artist = RegionArtist(volume, phantom.lungs, phantom.infection_mask, frame, regions, DEFAULT_CLASSES)
    shown = {card.number: volume.stored_slice(card.context.slice) for card in artist.cards()}
    assert [shown[number] for number in sorted(shown)] == [central_slices(box, depth)[1] for box in boxes]


def test_the_source_is_stated(volume, screening):
    image = replace(screening.case.image, source="patA/ST1/ct")
    text = Page(render_report(volume, screening.with_case(image=image), DEFAULT_CLASSES)).text
    assert "Source patA/ST1/ct" in text
