"""Page, text and JSON of an evaluation on a site's scans: the same figures, whole, and inside one file."""

import json
import re
from html.parser import HTMLParser

import pytest
from tests.ct.figures.site_outcomes import NONE_FOUND, site_case, site_outcome

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.case import ModelInfo
from pneumoscreen.ct.figures.site_cautions import site_cautions
from pneumoscreen.ct.figures.site_page import render_site_page
from pneumoscreen.ct.figures.site_summary import SiteSummary
from pneumoscreen.ct.figures.site_text import site_to_text
from pneumoscreen.evaluation.site_cases import Condition
from pneumoscreen.verdict import DEFAULT_CLASSES

MODELS = {"ct_candidates": ModelInfo(3, "ab" * 32), "ct_classifier": ModelInfo(5, "cd" * 32)}
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Checks that elements close in order, and collects ids, references and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.open == []
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        self.references += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data + " "


def summary(infection: float | None = 0.9, conditions: tuple[Condition, ...] = (Condition("use", "measure"),)):
    low = None if infection is None else 0.1
    rows = [
        site_outcome(site_case("a.nii.gz", "covid19", "infected", "clear", "P1"), "covid19", 3, 1, infection),
        site_outcome(site_case("b.nii.gz", "cap", "infected", "infected"), "covid19", 2, 2, infection, decided=False),
        site_outcome(site_case("<b>.nii.gz", "healthy", "clear", "clear"), NONE_FOUND, 0, 0, low),
        site_outcome(site_case("d.nii.gz", "other", "absent", "absent"), None, reason="no <lungs> in view"),
        site_outcome(site_case("e.nii.gz", "other", "other", "clear", counted=False), "covid19", 1, 0, infection),
    ]
    return SiteSummary.of("scans.csv", conditions, rows, MODELS, DEFAULT_CLASSES)


@pytest.fixture(scope="module")
def page() -> str:
    return render_site_page(summary())


def test_the_page_is_whole_and_leads_to_reports_and_documents_only(page: str) -> None:
    found = Page(page)
    assert len(found.ids) == len(set(found.ids))
    outside = {link for link in found.references if not link.startswith(("#", "data:"))}
    files = {link.partition("#")[0] for link in outside}
    assert files == {
        f"case%20{name}.{kind}"
        for name in ("a.nii.gz", "b.nii.gz", "%3Cb%3E.nii.gz", "e.nii.gz")
        for kind in ("html", "json")
    }
    assert "case%20a.nii.gz.html#region-2" in outside
    assert page.count(RESEARCH_USE_ONLY) == 2
    assert "&lt;b&gt;.nii.gz" in page
    assert "no &lt;lungs&gt; in view" in page
    assert "<lungs>" not in page


def test_the_page_says_what_is_refused_wrong_and_not_counted(page: str) -> None:
    words = Page(page).words
    assert "Refused; counts as not flagged. no <lungs> in view" in words.replace(" .", ".")
    assert "Infection, type undecided" in words
    assert "screened but not counted" in words
    apart = words.index("Screened but not counted")
    assert words.index("Every counted scan") < words.index("d.nii.gz") < apart < words.index("e.nii.gz")
    assert "other disease" in words
    assert "version" in words.lower()


def test_page_text_and_json_hold_the_same_figures(page: str) -> None:
    found = summary()
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    text, words = site_to_text(found), Page(page).words
    figures = document["figures"]
    assert (figures["sensitivity"]["part"], figures["sensitivity"]["of"]) == (2, 2)
    assert figures["curves"]["auc"]["estimate"] == 1.0
    assert figures["false_regions"]["part"] == 1
    for share in (figures["sensitivity"], figures["specificity"], figures["lung_sensitivity"]):
        assert f"{share['part']} of {share['of']}, {share['estimate']:.3f}" in text
        assert f"{share['part']} of {share['of']}" in words
    assert [scan["path"] for scan in document["scans"]] == [
        "a.nii.gz",
        "b.nii.gz",
        "<b>.nii.gz",
        "d.nii.gz",
        "e.nii.gz",
    ]
    first, refused, last = (document["scans"][i] for i in (0, 3, 4))
    assert first["infection_probability"] == 0.9
    assert first["false_regions"] == 1
    assert (refused["verdict"], refused["flagged"], refused["refused"]) == (None, False, "no <lungs> in view")
    assert (last["counted"], document["where"]) == (False, ["use=measure"])
    assert document["calibrated_on"] == "phantoms and 9 scans"
    assert document["models"]["ct_classifier"]["version"] == 5


def test_without_calibration_the_page_says_so_and_draws_no_curve() -> None:
    found = summary(infection=None)
    words = Page(render_site_page(found)).words
    assert "not calibrated" in words
    assert "Receiver operating characteristic" not in words
    assert "AUC of the probability of infection: not calibrated" in site_to_text(found)
    assert found.to_dict()["figures"]["curves"] is None


def test_the_curve_follows_the_colours_of_the_page(page: str) -> None:
    curve = re.findall(r'<figure class="plot">.*?</figure>', page, flags=re.DOTALL)
    assert len(curve) == 1
    assert re.findall(r"#[0-9a-fA-F]{6}\b", curve[0]) == []


def test_cautions_name_what_the_scans_cannot_tell() -> None:
    told = " ".join(site_cautions(summary()))
    assert "Only rows with use=measure count." in told
    assert "1 scan could not be screened, 0 of them pneumonia" in told
    assert "Without them the specificity is 1 of 1" in told
    assert "pneumonia 2, no pneumonia 2" in told
    assert "sensitivity 0.22" in told  # 0.22 ** 2 = .05
    assert "not calibrated" not in told
    every = " ".join(site_cautions(summary(infection=None, conditions=())))
    assert "Every row counts" in every
    assert "not calibrated" in every


def test_one_kind_of_scan_alone_leaves_its_figures_without_a_number() -> None:
    rows = [site_outcome(site_case("a", "healthy", "clear", "clear"), NONE_FOUND, infection=0.1)]
    found = SiteSummary.of("t.csv", (), rows, {}, DEFAULT_CLASSES)
    words = Page(render_site_page(found)).words
    assert "no such scan" in words
    assert "nan" not in words.lower().split()
    assert "- (no such scan)" in site_to_text(found)
    json.dumps(found.to_dict(), allow_nan=False)
