"""``pneumoscreen simulate``: learning curves of the strategies on phantoms, with a simulated reader."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..active_learning.strategies import DEFAULT, STRATEGIES
from ..config import load_config
from ..errors import ConfigError
from ..methods import method_named
from ..models.store import ModelStore
from ..output import prepare_folder
from ..simulation.curves import BASELINE, Curves
from ..simulation.page import write_results
from ..simulation.settings import Plan
from ..simulation.simulate import run_simulation
from ..simulation.text import to_text
from .device import pick_device


def simulate_reading(
    out: Path,
    *,
    modality: str = "ct",
    strategies: Sequence[str],
    pool: int,
    test: int,
    start: int,
    rounds: int,
    per_round: int,
    seeds: int,
    config: Path | None = None,
    cases: Path | None = None,
    model_dir: Path | None = None,
    device: str = "auto",
    jobs: int = 1,
    resume: bool = False,
    as_json: bool = False,
) -> None:
    """Simulate, print the tables and write ``out/simulation.json`` and ``out/simulation.html``.

    Args:
        out: folder for the results; made where missing.
        modality: of the method that is rehearsed.
        strategies: names; none takes the default strategy and random choice.
        pool: cases that are offered, the start cases among them.
        test: cases that judge.
        start: cases labelled before the first round.
        rounds: of choosing, labelling and training.
        per_round: cases labelled in a round.
        seeds: runs of each strategy.
        config: settings; None takes the defaults.
        cases: folder of prepared cases; None takes ``out/cases``.
        model_dir: root of the model store; None takes the project's own.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        jobs: processes.
        resume: go on with what is in ``out``.
        as_json: print the JSON instead of tables.

    Raises:
        PneumoScreenError: if an option, a setting, a model or a folder cannot be used.
    """
    chosen = tuple(dict.fromkeys(strategies)) or (BASELINE, DEFAULT)
    for name in chosen:
        if name not in STRATEGIES:
            raise ConfigError(f"--strategy {name}: not a strategy; use one of {', '.join(STRATEGIES)}")
    plan = Plan(chosen, pool=pool, test=test, start=start, rounds=rounds, per_round=per_round, seeds=seeds)
    kind = method_named(modality).rehearsed()
    settings = load_config(config, kind.settings_type) if config is not None else kind.settings_type.model_validate({})
    subject = kind(settings, ModelStore(model_dir), pick_device(device))
    out = prepare_folder(out)
    folder = prepare_folder(cases) if cases is not None else None
    ledger = run_simulation(plan, subject, out, cases=folder, jobs=jobs, resume=resume)
    curves = Curves.of(ledger, plan, subject)
    document = write_results(out, curves, subject)
    print(json.dumps(document, indent=2) if as_json else to_text(curves), end="\n" if as_json else "")
