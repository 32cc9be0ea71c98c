"""What every page of this package shares: the templates, bars, and the cards that CT and X-ray reports have alike."""

import datetime
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import RESEARCH_USE_ONLY, __version__
from ..case import Case
from . import wording
from .pictures import INFECTION_TINT


@dataclass(frozen=True)
class Bar:
    """A labelled bar: style class, name, value in [0, 1], and the value as text."""

    key: str
    name: str
    value: float
    text: str


@cache
def environment() -> Environment:
    """The templates of this package, with autoescape everywhere and no undefined names let through.

    One for the process: compiling the templates takes longer than filling them in.
    """
    templates = Environment(
        loader=PackageLoader("pneumoscreen.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    templates.filters["percent"] = wording.percent
    templates.filters["display_name"] = wording.display_name
    templates.globals.update(
        palette=wording.PALETTE,
        irrelevant_colour=wording.IRRELEVANT_COLOUR,
        none_colour=wording.NONE_FOUND_COLOUR,
        infection_tint="#{:02x}{:02x}{:02x}".format(*INFECTION_TINT),
        research_use_only=RESEARCH_USE_ONLY,
        program_version=__version__,
        plural=wording.plural,
    )
    return templates


def shared_cards(case: Case) -> dict[str, Any]:
    """What ``screening.html.j2`` shows of any case beside the image facts: times, models, notes and its own date."""
    return {
        "case": case,
        "times": _times(case),
        "models": [(wording.MODEL_NAMES.get(name, name), model) for name, model in sorted(case.models.items())],
        "written": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _times(case: Case) -> list[Bar]:
    total = case.timings_s.get("total") or sum(case.timings_s.values()) or 1.0
    return [
        Bar(
            "time",
            wording.STAGE_NAMES.get(name, wording.display_name(name)),
            min(seconds / total, 1.0),
            f"{seconds:.2f}\u202fs",
        )
        for name, seconds in case.timings_s.items()
    ]
