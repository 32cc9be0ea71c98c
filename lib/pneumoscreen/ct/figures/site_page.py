"""The page of an evaluation on a site's own scans: one HTML file with every figure and picture inside."""

import datetime
from typing import Any
from urllib.parse import quote

import numpy as np

from ...case import SIDES
from ...evaluation import plots
from ...evaluation.figures import Figure, Share
from ...evaluation.site_cases import CLEAR, INFECTED
from ...report import wording
from ...report.page import environment
from ...verdict import Classes
from .site_cautions import site_cautions
from .site_figures import REFUSED, UNDECIDED, UNKNOWN, verdict_word
from .site_outcome import SiteOutcome
from .site_summary import HOW_COUNTED, HOW_REFUSED, SiteSummary

STATE_NAMES = {INFECTED: "infected", CLEAR: "clear", "other": "other disease", "absent": "absent", UNKNOWN: "not known"}
WORDS = {UNDECIDED: "Infection, type undecided", REFUSED: "Refused"}


def render_site_page(summary: SiteSummary) -> str:
    """The HTML of an evaluation."""
    figures = summary.figures
    curves = figures.curves
    return (
        environment()
        .get_template("site.html.j2")
        .render(
            figures=figures,
            people=_people(summary),
            headline=_headline(summary),
            cautions=site_cautions(summary),
            models=[(wording.MODEL_NAMES.get(name, name), model) for name, model in sorted(summary.models.items())],
            cases=_cases(summary),
            columns=_columns(summary),
            taken_for=_taken_for(summary),
            roc=plots.roc_figure("site", {"": [curves]}, "", summary.classes) if curves and curves.defined else None,
            strips=_strips(summary),
            lungs=_lungs(summary),
            regions=_regions(summary),
            counted=[_scan(outcome, summary) for outcome in summary.counted],
            not_counted=[_scan(outcome, summary) for outcome in summary.not_counted],
            written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )


def _people(summary: SiteSummary) -> dict[str, Any]:
    figures = summary.figures
    sick = {outcome.case.label for outcome in summary.counted if summary.is_pneumonia(outcome)}
    chips = [(_key(label, summary.classes), _name(label), count) for label, count in summary.labels.items()]
    ill = [chip for chip, label in zip(chips, summary.labels, strict=True) if label in sick]
    return {
        "table": summary.table,
        "where": [str(condition) for condition in summary.conditions],
        "scans": figures.scans,
        "patients": figures.patients,
        "not_counted": len(summary.not_counted),
        "pneumonia": ill,
        "others": [chip for chip in chips if chip not in ill],
        "how": HOW_COUNTED,
        "refused": HOW_REFUSED,
        "calibrated_on": summary.calibrated_on,
    }


def _headline(summary: SiteSummary) -> list[dict[str, Any]]:
    figures = summary.figures
    curves = figures.curves
    infected = sum(row.lungs for row in figures.lungs if row.state == INFECTED)
    cards = [
        {"name": "Sensitivity", "what": "pneumonias that are flagged", **_share(figures.sensitivity)},
        {"name": "Specificity", "what": "other scans that are not flagged", **_share(figures.specificity)},
    ]
    if curves is None:
        cards.append({"name": "AUC of infection", "figure": None, "big": "", "count": "not calibrated", "what": _AUC})
    else:
        cards.append({"name": "AUC of infection", "figure": Figure.of(curves.auc), "count": "", "what": _AUC})
    clear = figures.lung_specificity.whole
    cards.append(
        {
            "name": "False regions",
            "figure": None,
            "big": str(figures.false_regions.part),
            "count": f"in {wording.plural(clear, 'clear lung')}",
            "what": f"infected lungs with a region: {figures.lung_sensitivity.part} of {infected}",
        }
    )
    return cards


_AUC = "how well the probability of infection tells pneumonia from the rest; .5 is chance"


def _share(share: Share) -> dict[str, Any]:
    """A share as a card or a row of a table shows it."""
    figure = Figure.of(share.interval)
    return {"figure": figure, "count": f"{share.part} of {share.whole}" if share.whole else "no such scan"}


def _cases(summary: SiteSummary) -> list[dict[str, Any]]:
    figures = summary.figures
    rows = [
        ("Sensitivity", "pneumonias that are flagged", figures.sensitivity),
        ("Specificity", "other scans that are not flagged", figures.specificity),
        ("Type right", f"of the scans with a known type; undecided: {figures.undecided}", figures.types),
        ("Type right where decided", "of those flagged with a type", figures.decided_types),
    ]
    return [{"name": name, "what": what, **_share(share)} for name, what, share in rows]


def _columns(summary: SiteSummary) -> list[tuple[str, str, str]]:
    """What the scans were taken for: label, style class and name, those that occur."""
    classes = summary.classes
    occurring = {name for found in summary.figures.taken_for.values() for name in found}
    ordered = [*classes.infections, UNDECIDED, classes.none_found, REFUSED]
    return [(name, _key(name, classes), _name(name)) for name in ordered if name in occurring]


def _taken_for(summary: SiteSummary) -> list[dict[str, Any]]:
    columns = [name for name, _, _ in _columns(summary)]
    return [
        {
            "key": _key(label, summary.classes),
            "name": _name(label),
            "counts": [found.get(name, 0) for name in columns],
        }
        for label, found in summary.figures.taken_for.items()
    ]


def _strips(summary: SiteSummary) -> list[dict[str, Any]]:
    """The probability of infection of every counted scan, a line for each kind; empty where it is not calibrated."""
    if summary.figures.curves is None:
        return []
    kinds = (("Pneumonia", True), ("No pneumonia", False))
    return [
        {
            "name": name,
            "dots": [
                (100.0 * float(np.clip(outcome.infection or 0.0, 0.0, 1.0)), outcome.case.path)
                for outcome in summary.counted
                if summary.is_pneumonia(outcome) is ill
            ],
        }
        for name, ill in kinds
    ]


def _lungs(summary: SiteSummary) -> dict[str, Any]:
    figures = summary.figures
    return {
        "shares": [
            {"name": "Infected lungs with a region", **_share(figures.lung_sensitivity)},
            {"name": "Clear lungs without one", **_share(figures.lung_specificity)},
        ],
        "rows": [
            {
                "name": wording.capital(STATE_NAMES[row.state]),
                "apart": row.state not in (INFECTED, CLEAR),
                "lungs": row.lungs,
                "flagged": row.flagged,
                "regions": row.regions,
                "affected": f"{row.affected['mean']:.1f} % ({row.affected['min']:.1f} to {row.affected['max']:.1f})"
                if row.affected
                else "–",
            }
            for row in figures.lungs
        ],
    }


def _regions(summary: SiteSummary) -> list[tuple[str, str, str]]:
    """Name, value and interval or remark."""
    figures = summary.figures
    regions, candidates, false = (
        Figure.of(share.interval) for share in (figures.regions, figures.candidates, figures.false_regions)
    )
    found = [
        ("Infection regions a pneumonia scan", regions.estimate, regions.interval),
        ("All regions a pneumonia scan", candidates.estimate, candidates.interval),
        ("False regions a scan with a clear lung", false.estimate, false.interval),
        (
            "Infection regions that overlap by more than half of the smaller",
            wording.plural(figures.overlaps, "pair"),
            f"in {wording.plural(figures.overlapping, 'scan')}; among all regions {figures.candidate_overlaps}",
        ),
    ]
    if figures.seconds:
        seconds = figures.seconds
        found.append(("Seconds a scan", f"{seconds['median']:.1f}", f"median; at most {seconds['max']:.1f}"))
    return found


def _scan(outcome: SiteOutcome, summary: SiteSummary) -> dict[str, Any]:
    row, classes = outcome.case, summary.classes
    ill = summary.is_pneumonia(outcome)
    return {
        "path": row.path,
        "file": outcome.file,
        "patient": row.patient if row.patient != row.path else None,
        "truth": (_key(row.label, classes), _name(row.label)),
        "verdict": (_key(verdict_word(outcome), classes), _name(verdict_word(outcome))),
        "wrong": ("missed" if ill else "flagged for nothing") if ill != outcome.flagged else None,
        "reason": outcome.reason,
        "how_refused": ("counts as a missed pneumonia" if ill else "counts as not flagged") if row.counted else None,
        "overview": outcome.overview,
        "infection": "not calibrated" if outcome.infection is None else wording.percent(outcome.infection, 1),
        "lungs": [
            {
                "side": side,
                "state": STATE_NAMES[row.lungs.get(side, UNKNOWN)],
                "regions": outcome.regions[side],
                "affected": f"{outcome.affected[side]:.1f} %" if side in outcome.affected else "–",
                "wrong": (row.lungs.get(side) == CLEAR and outcome.regions[side] > 0)
                or (row.lungs.get(side) == INFECTED and outcome.regions[side] == 0),
            }
            for side in reversed(SIDES)  # the right lung first, as it lies in the picture
        ],
        "candidates": outcome.candidates,
        "seconds": f"{outcome.seconds:.1f} s" if outcome.seconds is not None else "–",
        "report": None if outcome.case_id is None else quote(f"{outcome.case_id}.html", safe=""),
        "document": None if outcome.case_id is None else quote(f"{outcome.case_id}.json", safe=""),
    }


def _key(label: str, classes: Classes) -> str:
    if label == UNDECIDED:
        return "any"
    return "none" if label == "healthy" else wording.label_key(label, classes)


def _name(word: str) -> str:
    return WORDS.get(word) or wording.capital(wording.display_name(word))
