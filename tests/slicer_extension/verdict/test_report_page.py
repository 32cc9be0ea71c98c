"""The report as a page: what stands in the document, with the reader's corrections, and no markup of anybody's."""

from dataclasses import replace
from html.parser import HTMLParser

from tests.slicer_extension.cases import measured

from PneumoScreenLib.reading.reading import Reading
from PneumoScreenLib.verdict.report_page import page


class Cells(HTMLParser):
    """Rows of all tables, and the tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self._open = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data


def written(reading: Reading, note: str = "") -> str:
    return page(reading.case, reading.numbers, reading.reader, "2026-11-28", note=note)


def test_a_correction_is_in_the_report_and_in_its_verdict() -> None:
    reading = Reading(measured(), reader="dr-a")
    first = next(key for key, number in reading.numbers.items() if number == 1)
    before = Cells(written(reading)).rows
    reading.mark(first, "irrelevant")
    html = written(reading)
    rows = Cells(html).rows
    (row,) = [row for row in rows if row[0] == "1"]
    assert row[2] == "Irrelevant" and row[6:] == ["corrected", "dr-a"]
    (same,) = [row for row in before if row[0] == "1"]
    assert same[6:] == ["open", "–"]
    assert len([row for row in rows if row[0].isdigit()]) == len(reading.case.regions)
    assert "<h2>Models</h2>" not in html, "the case names none"
    assert "1 of 6 read" in html and "Research use only" in html and "dr-a on 2026-11-28" in html


def test_names_and_notes_are_text_and_no_markup() -> None:
    reading = Reading(replace(measured(), case_id="<script>alert(1)</script>"), reader="<b>dr</b>")
    html = written(reading, note="a < b & <img src=x>")
    assert "&lt;script&gt;" in html and "a &lt; b &amp; &lt;img src=x&gt;" in html
    assert not Cells(html).tags & {"script", "img"}


def test_a_radiograph_has_its_own_report() -> None:
    from tests.slicer_extension.xray.test_panel import DOCUMENT

    from PneumoScreenLib.contract import Case

    reading = Reading(Case.from_dict(DOCUMENT), reader="dr-a")
    rows = Cells(written(reading)).rows
    assert ["Affected side", "Both"] in rows or any(row[0] == "Affected side" for row in rows)
    assert "As the reader says" not in written(reading)
    reading.mark_xray("healthy", "none")
    assert ["Healthy", "Neither"] in Cells(written(reading)).rows
