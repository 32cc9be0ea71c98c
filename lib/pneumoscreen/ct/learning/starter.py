"""How the starter weights are made: phantoms, and synthetic lesions on openly licensed real scans.

Ours. These make the weights again, and then how evidence becomes the probability of an infection; every seed is
fixed here:

    python -m pneumoscreen.ct.learning.starter candidates --scans FOLDER --work DIR
    python -m pneumoscreen.ct.learning.starter classifier --scans FOLDER --work DIR
    python -m pneumoscreen.ct.learning.starter infection --scans FOLDER --work DIR

The two networks see different phantoms, so that the classifier learns from candidates as they come out on unseen
scans. Both begin with the weights before them. Which real scans are used, and which are kept out to measure on, stands
in ``configs/starter_scans.yaml``; of each, lesions are put into the lungs that hold no opacity, and the whole scan is
shown as it is. Lungs are segmented as they are at inference.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file, save_file

from ...config import load_config
from ...evidence import case_evidence
from ...metrics.infection_calibration import fit_calibration, reliability_figures
from ...models.atomic_files import replace_durably
from ...models.store import ModelStore, Weights
from ...phantoms.lesion_kinds import Manifestation
from ...training.warm_start import averaged
from ...verdict import DEFAULT_CLASSES
from ...workers.asked import Workers
from ...workers.results import Calls, results_of
from .. import networks
from ..candidates.finding import CandidateModel, find_candidates
from ..classifier import ClassifierModel
from ..lungs.segmentation import Lungs, segment_lungs
from ..phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from ..screening import Screener
from .candidate_data import CaseCache
from .candidates import CandidateTrainingSettings, train_candidates
from .classifier import ClassifierTrainingSettings, confusion_figures, confusion_of, train_classifier
from .classifier_data import PatchSet, collect_patches, split_patches
from .real_scans import RealScan, ScanSettings, ScansSettings

COMMAND = "python -m pneumoscreen.ct.learning.starter"


@dataclass(frozen=True)
class Cohort:
    """Seeds of the cases of one network.

    Attributes:
        phantoms: of phantoms, the three diagnoses in turn.
        implants: of lesions put into each real scan, the three diagnoses in turn.
        as_they_are: of each real scan without anything put into it.
        manifestation: how the infections show.
    """

    phantoms: range
    implants: range
    as_they_are: range
    manifestation: Manifestation = "drawn"

    def describe(self, scans: ScansSettings) -> str:
        """What the card says of the data."""
        names = ", ".join(scan.name for scan in scans.scans)
        return (
            f"phantoms of seeds {_span(self.phantoms)}; synthetic lesions of seeds {_span(self.implants)} in the clear "
            f"lungs of each of {names}; these scans as they are, seeds {_span(self.as_they_are)}; every other one "
            "mirrored, kernel, noise, slice thickness and breath varied; no patient with pneumonia"
        )

    def describe_more(self) -> str:
        """What the card says of a cohort beside the others."""
        shown = {"early": "one to three small foci", "fine": "bands, clusters of small nodules and filled airways"}
        return (
            f"infections of {shown[self.manifestation]}: phantoms of seeds {_span(self.phantoms)}, and seeds "
            f"{_span(self.implants)} in the clear lungs of each of these scans"
        )


CANDIDATES = Cohort(range(3001, 3241), range(3001, 3037), range(3001, 3009))
EARLY_CANDIDATES = Cohort(range(3301, 3401), range(3301, 3331), range(0), "early")
"""Small foci, which are few among the others and easily missed in thick slices."""
FINE_CANDIDATES = Cohort(range(3601, 3641), range(3601, 3613), range(0), "fine")
"""Bands, clusters of small nodules and filled airways: what the network before missed most often."""
CANDIDATE_COHORTS = (CANDIDATES, EARLY_CANDIDATES, FINE_CANDIDATES)
CANDIDATE_VALIDATION = range(3217, 3241)
HELD_OUT_IMPLANTS = range(3501, 3507)
"""Of lesions put into the scans that are kept out, to validate on."""
CLASSIFIER = Cohort(range(4001, 4181), range(4001, 4031), range(4001, 4013))
EARLY_CLASSIFIER = Cohort(range(4301, 4331), range(4301, 4307), range(0), "early")
COHORTS = {networks.CANDIDATES: CANDIDATE_COHORTS, networks.CLASSIFIER: (CLASSIFIER, EARLY_CLASSIFIER)}
"""By network."""
INFECTION = Cohort(range(6001, 6061), range(6001, 6007), range(6001, 6007))
"""Of the probability of an infection; the real scans are those that are kept out."""
CLEAR_BOXES = 80
"""Random pieces of lung from each scan as it is: real hila and vessels, which phantoms imitate poorly."""


class HeldOutCase(NamedTuple):
    """Evidence of a case that no training has seen, and whether it shows an infection."""

    evidence: float
    infected: bool


def _diagnosis(seed: int) -> str:
    return DEFAULT_CLASSES.case_labels[(seed - 1) % len(DEFAULT_CLASSES.case_labels)]


@dataclass(frozen=True)
class Worker:
    """What a worker process needs to make a training case."""

    folder: Path
    scans: ScansSettings
    work: Path
    settings: CandidateTrainingSettings
    patches: ClassifierTrainingSettings

    def phantoms(self, cohort: Cohort, part: int, parts: int) -> Iterator[Phantom]:
        """This process's share of the phantoms, with lungs as they are segmented."""
        for seed in cohort.phantoms[part::parts]:
            phantom = generate_phantom(seed, _diagnosis(seed), PhantomSpec(manifestation=cohort.manifestation))
            yield replace(phantom, lungs=segment_lungs(phantom.volume).labels)

    def real_cases(
        self, cohort: Cohort, part: int, parts: int, scans: Sequence[ScanSettings] | None = None
    ) -> Iterator[tuple[str, Phantom]]:
        """This process's share of the real scans' cases, with the patient's name; by default of those that train."""
        for settings in self.scans.scans if scans is None else scans:
            scan = RealScan.of_settings(self.folder, settings)
            for seed in cohort.implants[part::parts]:
                yield settings.name, scan.case(seed, _diagnosis(seed), cohort.manifestation)
            for seed in cohort.as_they_are[part::parts]:
                yield settings.name, scan.case(seed, None)

    def prepare_candidates(self, part: int, parts: int) -> list[Path]:
        """This process's share of the training cases on the working grid; what a killed run prepared is taken up."""
        cache = CaseCache(self.work / "cache", self.settings.model.grid)
        cases = itertools.chain(
            *((case for _, case in self.real_cases(cohort, part, parts)) for cohort in CANDIDATE_COHORTS),
            *(self.phantoms(cohort, part, parts) for cohort in CANDIDATE_COHORTS),
        )
        listed = self.work / f"prepared-{part}-of-{parts}.txt"
        if not listed.exists():
            replace_durably(listed, "\n".join(str(cache.add(case)) for case in cases).encode())
        return [Path(line) for line in listed.read_text().splitlines()]

    def prepare_held_out(self) -> list[Path]:
        """Lesions put into the scans that are kept out."""
        cache = CaseCache(self.work / "cache", self.settings.model.grid)
        scans = [RealScan.of_settings(self.folder, settings) for settings in self.scans.held_out]
        return [cache.add(scan.case(seed, _diagnosis(seed))) for scan in scans for seed in HELD_OUT_IMPLANTS]

    def evidence_of_held_out(self, models: Path, part: int, parts: int) -> list[HeldOutCase]:
        """Evidence and truth of this process's share of the cases that calibrate."""
        screener = Screener.from_store(ModelStore(models), "cpu")
        cases = itertools.chain(
            (case for _, case in self.real_cases(INFECTION, part, parts, self.scans.held_out)),
            self.phantoms(INFECTION, part, parts),
        )
        found = []
        for case in cases:
            regions = screener.screen(case.volume).case.regions
            found.append(HeldOutCase(case_evidence(regions, screener.classes), bool(case.infections)))
            print(f"evidence {part}: {case.volume.case_id} {found[-1]}", flush=True)
        return found

    def collect_patches(self, part: int, parts: int) -> PatchSet:
        model = CandidateModel.untrained(self.settings.model)
        model.network.load_state_dict(load_file(self.work / "ct_candidates.safetensors"))
        sets = []
        # All cases of a real scan are one patient's: the split keeps them together.
        for number, (patient, case) in enumerate(self._classifier_cases(part, parts)):
            sets.append(self._patches_of(case, patient, model, seed=10_000 * part + number))
            print(f"patches {part}: {number + 1} cases, {sum(map(len, sets))} patches", flush=True)
        return PatchSet.join(sets)

    def _classifier_cases(self, part: int, parts: int) -> Iterator[tuple[str, Phantom]]:
        for cohort in (CLASSIFIER, EARLY_CLASSIFIER):
            yield from self.real_cases(cohort, part, parts)
            for phantom in self.phantoms(cohort, part, parts):
                yield phantom.volume.case_id, phantom

    def _patches_of(self, case: Phantom, patient: str, model: CandidateModel, seed: int) -> PatchSet:
        data, cut = self.patches.data, self.patches.network.patches
        if "as-it-is" in case.volume.case_id:
            data = data.model_copy(update={"random": CLEAR_BOXES})
        boxes = find_candidates(case.volume, lungs := Lungs(case.lungs), model).boxes
        return collect_patches(case, patient, lungs, boxes, seed, data, cut)


def make_candidates(worker: Worker, workers: Workers, store: ModelStore) -> None:
    """Train and publish the candidate network; leaves ``ct_candidates.safetensors`` in the work folder."""
    prepared = results_of_parts(worker, workers, worker.prepare_candidates, more=[worker.prepare_held_out])
    held_out = prepared.pop()
    files = sorted(path for part in prepared for path in part)
    names = {f"phantom-{seed:06d}" for seed in CANDIDATE_VALIDATION}
    training = [path for path in files if path.stem not in names]
    validation = [path for path in files if path.stem in names] + held_out
    before = store.load(networks.CANDIDATES)
    trained = train_candidates(
        training, worker.settings, worker.work / "candidates", validation=validation, initial_state=before.state
    )
    save_file(trained.model.state(), worker.work / "ct_candidates.safetensors")
    kept = ", ".join(settings.name for settings in worker.scans.held_out)
    population = (
        f"held out: phantoms {_span(CANDIDATE_VALIDATION)}, and lesions of seeds {_span(HELD_OUT_IMPLANTS)} in {kept}"
    )
    figures = {"population": population, **(trained.figures.to_dict() if trained.figures else {})}
    data = f"{CANDIDATES.describe(worker.scans)}; {EARLY_CANDIDATES.describe_more()}; {FINE_CANDIDATES.describe_more()}"
    data += f"; phantoms {_span(CANDIDATE_VALIDATION)} held out"
    card = make_card("candidates", trained.model.card_network(), worker, figures, f"{data}; {_begun_with(before)}")
    print("published as version", store.publish(networks.CANDIDATES, trained.model.state(), card))


def make_classifier(worker: Worker, workers: Workers, store: ModelStore) -> None:
    """Train and publish the classifier on regions of the candidate network of the work folder."""
    path = worker.work / "patches.npz"
    if not path.exists():
        PatchSet.join(results_of_parts(worker, workers, worker.collect_patches)).save(path)
    before = store.load(networks.CLASSIFIER)
    patches = PatchSet.load(path)
    trained = train_classifier(patches, worker.patches, worker.work / "classifier", initial_state=before.state)
    network = trained.model.network
    network.load_state_dict(averaged(before.state, trained.model.state()))
    validation = split_patches(patches, worker.patches.split)[1]
    confusion = confusion_of(network, trained.model.device, validation, worker.patches)
    figures = {**trained.figures, **confusion_figures(confusion)}
    data = f"{CLASSIFIER.describe(worker.scans)}; {EARLY_CLASSIFIER.describe_more()}"
    data += "; random pieces of the scans as they are"
    data += f"; {worker.patches.split.validation:.0%} of the patients held out, by the hash of their names"
    data += f"; {_begun_with(before)}; the mean of these weights and those that the training ended with"
    card = make_card("classifier", trained.model.card_network(), worker, figures, data)
    print("published as version", store.publish(networks.CLASSIFIER, trained.model.state(), card))


def make_infection(worker: Worker, workers: Workers, store: ModelStore) -> None:
    """Fit the probability of an infection on cases that no training has seen, and publish it with the classifier."""
    parts = results_of_parts(worker, workers, partial(worker.evidence_of_held_out, store.root))
    found = [row for part in parts for row in part]
    names = " and ".join(scan.name for scan in worker.scans.held_out)
    evidence, infected = [row.evidence for row in found], [row.infected for row in found]
    kinds = f"{sum(infected)} with and {len(found) - sum(infected)} without infection"
    population = f"{len(found)} held-out cases ({kinds}): phantoms, and {names} with and without synthetic lesions"
    calibration = fit_calibration(evidence, infected, population)
    weights = store.load(networks.CLASSIFIER)
    model = ClassifierModel.load(weights).with_calibration(calibration)
    figures = {
        "cases": f"phantoms {_span(INFECTION.phantoms)}; {names}: lesions of seeds {_span(INFECTION.implants)}, "
        f"as they are of seeds {_span(INFECTION.as_they_are)}",
        **reliability_figures(evidence, infected, calibration),
        "candidates": store.load(networks.CANDIDATES).sha256,
        "command": f"{COMMAND} infection --scans FOLDER --work DIR",
    }
    card = {**weights.card, "network": model.card_network(), "infection": figures}
    print(calibration, figures)
    print("published as version", store.publish(networks.CLASSIFIER, weights.state, card))


def results_of_parts(
    worker: Worker, workers: Workers, of_part: Callable[[int, int], Any], more: Sequence[Callable[[], Any]] = ()
) -> list[Any]:
    """What each worker's part of the cases gives, and then what other calls give."""
    parts = workers.processes or 1
    calls = [*(partial(of_part, part, parts) for part in range(parts)), *more]
    return results_of(calls, workers.pool(Calls(worker.work), worker.work, "cpu", threads=1))


def _begun_with(before: Weights) -> str:
    return f"begun with the weights of version {before.version}, whose own data were: {before.card.get('data')}"


def make_card(
    network: str, shape: dict[str, Any], worker: Worker, figures: dict[str, Any], data: str
) -> dict[str, Any]:
    """What the card of starter weights says of where they come from."""
    settings = worker.settings if network == "candidates" else worker.patches
    return {
        "network": shape,
        "data": data,
        "seed": settings.seed,
        "command": f"{COMMAND} {network} --scans FOLDER --work DIR",
        "figures": figures,
        "licence": "Apache-2.0",
        "attribution": "; ".join(f"{scan.name}: {scan.attribution}" for scan in worker.scans.scans),
    }


def _span(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


MAKERS = {"candidates": make_candidates, "classifier": make_classifier, "infection": make_infection}


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Make the starter weights again.")
    parser.add_argument("network", choices=sorted(MAKERS))
    parser.add_argument("--scans", type=Path, required=True, help="folder that holds the real scans")
    parser.add_argument("--scans-config", type=Path, default=Path("configs/starter_scans.yaml"))
    parser.add_argument("--work", type=Path, required=True, help="folder for caches, checkpoints and results")
    parser.add_argument("--candidates-config", type=Path, default=Path("configs/starter_candidates.yaml"))
    parser.add_argument("--classifier-config", type=Path, default=Path("configs/starter_classifier.yaml"))
    parser.add_argument("--model-dir", type=Path, help="model store to publish to; default: the project's own")
    parser.add_argument("--processes", type=int, default=2, help="processes that make the cases")
    parser.add_argument("--ray", metavar="auto|ADDRESS", help="so many actors of a Ray cluster instead")
    arguments = parser.parse_args()
    workers = Workers.of(arguments.processes, arguments.ray, device="cpu")
    arguments.work.mkdir(parents=True, exist_ok=True)
    worker = Worker(
        arguments.scans,
        load_config(arguments.scans_config, ScansSettings),
        arguments.work,
        load_config(arguments.candidates_config, CandidateTrainingSettings),
        load_config(arguments.classifier_config, ClassifierTrainingSettings),
    )
    MAKERS[arguments.network](worker, workers, ModelStore(arguments.model_dir))


if __name__ == "__main__":
    main()
