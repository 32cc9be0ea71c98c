"""The results of a simulation as a page and as JSON."""

import datetime
import json
import math
from pathlib import Path
from typing import Any

from ..active_learning.strategies import DEFAULT, STRATEGIES
from ..models.atomic_files import replace_durably
from ..report.page import environment
from ..report.wording import display_name
from .curves import BASELINE, Curves
from .picture import colours, curves_figure
from .subject import Subject
from .text import count_text, mean_text

PAGE, DOCUMENT = "simulation.html", "simulation.json"
MINUS = "\N{MINUS SIGN}"


def write_results(out: Path, curves: Curves, subject: Subject) -> dict[str, Any]:
    """Write ``simulation.html`` and ``simulation.json``; returns what stands in the latter."""
    document = {**curves.to_dict(), "settings": subject.settings.model_dump(mode="json"), "findings": findings(curves)}
    replace_durably(out / DOCUMENT, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    replace_durably(out / PAGE, render_page(curves, subject).encode())
    return document


def findings(curves: Curves) -> list[str]:
    """What the case accuracy says, in sentences: whether labels help, and whether choosing them does."""
    figure = next(iter(curves.subject.figures))
    title, plan = curves.subject.figures[figure], curves.plan
    said = []
    for name in curves.values:
        points = curves.mean(name, figure)
        said.append(
            f"{name}: from {plan.labels[0]} to {plan.labels[-1]} labelled cases the {title} goes from "
            f"{points[0].estimate:.3f} to {points[-1].estimate:.3f} ({mean_text(curves.gain(name, figure), '+')})."
        )
    for name in curves.values:
        reached = curves.reached(name, figure)
        if name == BASELINE or reached is None:
            continue
        labels, share = count_text(reached.labels), count_text(reached.share_of_all, 2)
        if math.isinf(reached.labels.estimate):
            said.append(f"{name} does not reach the final {title} of random choice; draws: labels {labels}.")
        else:
            said.append(
                f"{name} has the final {title} of random choice with {labels} labelled cases, a share of "
                f"{share} of its {plan.labels[-1]}."
            )
    return said


def render_page(curves: Curves, subject: Subject) -> str:
    """The HTML of a simulation."""
    settings = subject.settings
    total = sum(settings.shares.values())
    names = list(curves.values)
    return (
        environment()
        .get_template("simulation.html.j2")
        .render(
            plan=curves.plan,
            findings=[_signed(sentence) for sentence in findings(curves)],
            legend=[(name, colour, STRATEGIES[name][0]) for name, colour in colours(names, DEFAULT).items()],
            baseline=BASELINE,
            figures=[_block(curves, figure) for figure in subject.figures],
            shares=[(display_name(name), share / total) for name, share in settings.shares.items()],
            steps=settings.steps,
            subject=subject,
            written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )


def _block(curves: Curves, figure: str) -> dict[str, Any]:
    names, subject = list(curves.values), curves.subject
    means = {name: curves.mean(name, figure) for name in names}
    return {
        "key": figure,
        "title": subject.figures[figure].capitalize()
        + (", lower is better" if figure in subject.lower_is_better else ""),
        "picture": curves_figure(curves, figure, DEFAULT),
        "names": names,
        "rows": [
            (labels, [_cell(mean_text(means[name][i])) for name in names])
            for i, labels in enumerate(curves.plan.labels)
        ],
        "gains": [_cell(mean_text(curves.gain(name, figure), "+")) for name in names],
        "leads": [_cell(mean_text(lead, "+")) if (lead := curves.lead(name, figure)) else None for name in names],
        "reached": [
            (_cell(count_text(r.labels)), _cell(count_text(r.share_of_all, 2)))
            if (r := curves.reached(name, figure))
            else None
            for name in names
        ],
    }


def _cell(text: str) -> tuple[str, str]:
    """Estimate and interval, apart, as the page shows them."""
    estimate, _, interval = text.partition(" ")
    return _signed(estimate), _signed(interval.strip("[]").replace(",", " to"))


def _signed(text: str) -> str:
    return text.replace("-0.", f"{MINUS}0.")
