"""What the cases are like that the shipped CT weights have learnt from, told by their cards.

Ours. One command tells it again, for ``pneumoscreen monitor``; no weights change:

    python -m pneumoscreen.ct.learning.starter_inputs --scans FOLDER

Only training cases of the starter are looked at, and of them every so manieth. Those that it held out to validate on
count as well: they are drawn from the same.
"""

import argparse
import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from ...case import Case
from ...config import load_config
from ...errors import ModelError
from ...metrics.inputs import CARD_INPUTS, kept_figures
from ...models.store import ModelStore
from ...workers.asked import Workers
from ..candidates.infected import lung_infos
from ..lungs.segmentation import Lungs
from ..networks import CANDIDATES, CLASSIFIER
from .candidates import CandidateTrainingSettings
from .classifier import ClassifierTrainingSettings
from .real_scans import ScansSettings
from .starter import COHORTS, COMMAND, Worker, results_of_parts

EVERY = {CANDIDATES: 16, CLASSIFIER: 8}
"""Ours: about 50 cases of each network."""


def documents(worker: Worker, name: str, part: int, parts: int) -> list[Case]:
    """A process's share of the training cases of a network that its card tells of; nothing is said of findings."""
    torch.set_num_threads(1)
    found = []
    for cohort in COHORTS[name]:
        some = {kind: getattr(cohort, kind)[:: EVERY[name]] for kind in ("phantoms", "implants", "as_they_are")}
        chosen = replace(cohort, **some)
        real = (case for _, case in worker.real_cases(chosen, part, parts))
        for case in itertools.chain(worker.phantoms(chosen, part, parts), real):
            lungs = lung_infos(case.volume, Lungs(case.lungs))
            found.append(Case(case.volume.case_id, "CT", case.volume.image_info(), lungs=lungs))
    return found


def tell_inputs(worker: Worker, workers: Workers, store: ModelStore) -> None:
    """Tell the cards of the weights in use what their training cases are like.

    Raises:
        ModelError: if weights in use are not of this recipe.
    """
    for name, every in EVERY.items():
        weights = store.load(name)
        if not str(weights.card["command"]).startswith(COMMAND):
            raise ModelError(f"{name} version {weights.version} was not made by {COMMAND}; its training told its card")
        parts = results_of_parts(worker, workers, partial(documents, worker, name))
        found = sorted((case for part in parts for case in part), key=lambda case: case.case_id)
        of = (
            f"{len(found)} training cases, every {every}th: phantoms, and "
            f"{', '.join(scan.name for scan in worker.scans.scans)} with and without synthetic lesions"
        )
        store.tell(name, weights.version, CARD_INPUTS, kept_figures([(case.case_id, case) for case in found], of))
        print("told the card of", name, "version", weights.version, flush=True)


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Tell the cards what the training cases are like.")
    parser.add_argument("--scans", type=Path, required=True, help="folder that holds the real scans")
    parser.add_argument("--scans-config", type=Path, default=Path("configs/starter_scans.yaml"))
    parser.add_argument("--model-dir", type=Path, help="model store; default: the project's own")
    parser.add_argument("--processes", type=int, default=2, help="processes that make the cases")
    parser.add_argument("--ray", metavar="auto|ADDRESS", help="so many actors of a Ray cluster instead")
    arguments = parser.parse_args()
    workers = Workers.of(arguments.processes, arguments.ray, device="cpu")
    scans = load_config(arguments.scans_config, ScansSettings)
    worker = Worker(arguments.scans, scans, Path(), CandidateTrainingSettings(), ClassifierTrainingSettings())
    tell_inputs(worker, workers, ModelStore(arguments.model_dir))


if __name__ == "__main__":
    main()
