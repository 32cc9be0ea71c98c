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
from .curves import BASELINE, FIGURES, LOWER_IS_BETTER, Curves
from .picture import colours, curves_figure
from .settings import SimulationSettings
from .text import count_text, mean_text

PAGE, DOCUMENT = "simulation.html", "simulation.json"
MINUS = "\N{MINUS SIGN}"


def write_results(out: Path, curves: Curves, settings: SimulationSettings) -> dict[str, Any]:
    """Write ``simulation.html`` and ``simulation.json``; returns what stands in the latter."""
    document = {**curves.to_dict(), "settings": settings.model_dump(mode="json"), "findings": findings(curves)}
    replace_durably(out / DOCUMENT, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    replace_durably(out / PAGE, render_page(curves, settings).encode())
    return document


def findings(curves: Curves) -> list[str]:
    """What the case accuracy says, in sentences: whether labels help, and whether choosing them does."""
    figure = next(iter(FIGURES))
    plan = curves.plan
    said = []
    for name in curves.values:
        points = curves.mean(name, figure)
        said.append(
            f"{name}: from {plan.labels[0]} to {plan.labels[-1]} labelled cases the {FIGURES[figure]} goes from "
            f"{points[0].estimate:.3f} to {points[-1].estimate:.3f} ({mean_text(curves.gain(name, figure), '+')})."
        )
    for name in curves.values:
        reached = curves.reached(name, figure)
        if name == BASELINE or reached is None:
            continue
        labels, share = count_text(reached.labels), count_text(reached.share_of_all, 2)
        if math.isinf(reached.labels.estimate):
            said.append(f"{name} does not reach the final {FIGURES[figure]} of random choice; draws: labels {labels}.")
        else:
            said.append(
                f"{name} has the final {FIGURES[figure]} of random choice with {labels} labelled cases, a share of "
                f"{share} of its {plan.labels[-1]}."
            )
    return said


def render_page(curves: Curves, settings: SimulationSettings) -> str:
    """The HTML of a simulation."""
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
            figures=[_block(curves, figure) for figure in FIGURES],
            shares=[(display_name(name), share / total) for name, share in settings.shares.items()],
            steps=settings.steps,
            matrix=settings.phantom.matrix,
            written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )


def _block(curves: Curves, figure: str) -> dict[str, Any]:
    names = list(curves.values)
    means = {name: curves.mean(name, figure) for name in names}
    return {
        "key": figure,
        "title": FIGURES[figure].capitalize() + (", lower is better" if figure in LOWER_IS_BETTER else ""),
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
