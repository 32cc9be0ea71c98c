"""The report of a case as one page of HTML, with the reader's corrections; of HTML that Qt prints, too.

What stands in it is the document as it is, in the words of the panel. Research use only.
"""

from html import escape
from typing import Dict, Iterable, List, Optional, Sequence

from ..contract import DEFAULT_CLASSES, RESEARCH_USE_ONLY, Case, Classes, Region
from ..reading.progress import progress_in_words
from ..translation import _
from ..wording import (
    display_name,
    infection_in_words,
    location_name,
    percent,
    rule_in_words,
    side_name,
    state_of_region,
)
from ..xray.findings import extent_score
from .finding import affected_in_words, heading, type_in_words
from .report_sentence import sentence

STYLE = (
    "body{font-family:sans-serif;font-size:10pt;color:#1c2126}h1{font-size:15pt;margin-bottom:2pt}"
    "h2{font-size:11.5pt;margin-bottom:2pt}td,th{text-align:left;padding-right:6pt}.quiet{color:#5b6570}"
)
"""Ours: no more than what ``QTextDocument`` knows of CSS."""


def page(
    case: Case, numbers: Dict[str, int], reader: str, day: str, classes: Classes = DEFAULT_CLASSES, note: str = ""
) -> str:
    """The whole page.

    Args:
        case: as it stands, corrected or not.
        numbers: of its regions in the panel's table, by id.
        reader: whose reading it is.
        day: on which it is written.
        classes: of the site.
        note: of the reader.
    """
    is_scan = case.modality == "CT"
    parts = [
        f"<h1>{_text(_('Report of {case}').format(case=case.case_id))}</h1>",
        _quiet(_("{modality}, written by {reader} on {day}").format(modality=case.modality, reader=reader, day=day)),
        f"<p>{_text(sentence(case, classes))}</p>",
        *(_of_scan(case, numbers, classes) if is_scan else _of_radiograph(case)),
        f"<p><b>{_text(_('Note'))}</b>: {_text(note)}</p>" if note else "",
        *_of_models(case),
        f"<p><b>{_text(RESEARCH_USE_ONLY)}</b></p>",
    ]
    name = _text(case.case_id)
    head = f'<head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style></head>'
    return f"<!DOCTYPE html>\n<html>{head}<body>{''.join(parts)}</body></html>\n"


def _of_scan(case: Case, numbers: Dict[str, int], classes: Classes) -> List[str]:
    verdict = case.verdict
    if verdict is None:
        return []
    said = (type_in_words(verdict), infection_in_words(verdict), affected_in_words(case, classes))
    likely = [[display_name(name), percent(value)] for name, value in verdict.probability.items()]
    return [
        _title(_("Verdict")),
        f"<p><b>{_text(heading(verdict))}</b></p>",
        *(f"<p>{_text(line)}</p>" for line in said if line),
        _table((_("Type"), _("Noisy-OR")), likely),
        _quiet(rule_in_words(verdict)),
        _title(_("Regions ({progress})").format(progress=progress_in_words(case.regions))),
        _table(
            ("#", _("Side"), _("Type"), _("Sure"), "ml", "mm", _("State"), _("Reader")),
            [_row(region, numbers) for region in sorted(case.regions, key=lambda region: numbers[region.id])],
        ),
    ]


def _row(region: Region, numbers: Dict[str, int]) -> List[str]:
    opinion = region.opinion
    return [
        str(numbers[region.id]),
        side_name(region.side) or "–",
        "–" if opinion is None else display_name(opinion[0]),
        "–" if opinion is None else percent(opinion[1]),
        "–" if region.infected_ml is None else f"{region.infected_ml:.1f}",
        f"{max(region.size_mm):.0f}",
        state_of_region(region.state),
        "–" if region.reader is None else region.reader.name,
    ]


def _of_radiograph(case: Case) -> List[str]:
    cxr = case.cxr
    if cxr is None:
        return []
    said: Dict[str, Optional[str]] = cxr.reader or {}
    rows = [[display_name(name), percent(value)] for name, value in cxr.probabilities.items()]
    rows.append([_("Affected side"), location_name(cxr.location)])
    if cxr.severity:
        rows.append([_("Extent"), extent_score(cxr.severity)])
    by_reader = [[display_name(str(said["label"])), location_name(str(said.get("location")))]] if said else []
    return [
        _title(_("As the model found it")),
        _table((_("Class"), ""), rows),
        *([_title(_("As the reader says")), _table((_("Class"), _("Affected side")), by_reader)] if by_reader else []),
    ]


def _of_models(case: Case) -> List[str]:
    models = [f"{display_name(name)} v{model.version}" for name, model in sorted(case.models.items())]
    return [_title(_("Models")), _quiet(", ".join(models))] if models else []


def _title(text: str) -> str:
    return f"<h2>{_text(text)}</h2>"


def _quiet(text: str) -> str:
    return f'<p class="quiet">{_text(text)}</p>' if text else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line("th", heads), *(_line("td", row) for row in rows)]
    # Qt knows no distance of cells but this.
    return f'<table cellpadding="0" cellspacing="6">{"".join(lines)}</table>'


def _line(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    # A case, a reader and a note are named by people.
    return escape(text)
