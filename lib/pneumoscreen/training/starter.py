"""How the starter weights are made: phantoms, and synthetic lesions on openly licensed real scans.

Ours. These two make the weights again; every seed is fixed here:

    python -m pneumoscreen.training.starter candidates --scan SCAN --work DIR
    python -m pneumoscreen.training.starter classifier --scan SCAN SCAN2 --work DIR

The two networks see different phantoms, so that the classifier learns from candidates as they come out on
unseen scans. Of a real scan only the lung without opacities is used; the side is the same for all scans.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from ..config import load_config
from ..ct.candidates import CandidateModel, find_candidates
from ..ct.lungs import Lungs, segment_lungs
from ..images.reader import read_volume
from ..images.volume import LEFT, RIGHT, Volume
from ..models.store import ModelStore
from ..phantoms import Phantom, generate_phantom, implant_either_way
from ..verdict import DEFAULT_CLASSES
from .candidate_data import CaseCache
from .candidates import CandidateTrainingSettings, train_candidates
from .classifier import ClassifierTrainingSettings, train_classifier
from .classifier_data import PatchSet, collect_patches

CLEAR_SIDES = {"left": (LEFT,), "right": (RIGHT,), "both": (LEFT, RIGHT)}
SCANS = ("Lung-PET-CT-Dx patient A0001", "elastix 3DCT_lung")
ATTRIBUTION = (
    "Lung-PET-CT-Dx, The Cancer Imaging Archive, CC BY 4.0: Li P, Wang S, Li T, Lu J, HuangFu Y, Wang D (2020), "
    "https://doi.org/10.7937/TCIA.2020.NNC2-0461; 3DCT_lung, a test image of elastix, Apache-2.0"
)
CANDIDATE_PHANTOMS = range(1, 361)
CANDIDATE_VALIDATION = range(337, 361)
CANDIDATE_IMPLANTS = range(1, 91)
CLASSIFIER_PHANTOMS = range(1001, 1241)
CLASSIFIER_IMPLANTS = (range(1001, 1061), range(1061, 1101))
"""Of the first and of the second scan."""
CLEAR_CASES = range(2001, 2041)
"""Both scans in turn, with irrelevant findings only."""
CLEAR_BOXES = 80
"""Random pieces of lung from each clear case: real hila and vessels, which phantoms imitate poorly."""


@dataclass(frozen=True)
class RealScan:
    """A real scan and the lungs in it that hold no opacity, uint8 [z, y, x], 1 left, 2 right."""

    volume: Volume
    lungs: NDArray[np.uint8]

    @classmethod
    def read(cls, folder: Path, clear_side: str) -> "RealScan":
        """Read and segment a scan; only the lung of ``clear_side`` (a key of ``CLEAR_SIDES``) is kept."""
        volume = read_volume(folder)
        labels = segment_lungs(volume).labels
        return cls(volume, np.where(np.isin(labels, CLEAR_SIDES[clear_side]), labels, 0).astype(np.uint8))

    def implant(self, seed: int, diagnosis: str) -> Phantom:
        """The scan of this seed: lesions drawn, every other one the mirror image."""
        return implant_either_way(self.volume, self.lungs, diagnosis, seed)


def _diagnosis(seed: int) -> str:
    return DEFAULT_CLASSES.case_labels[(seed - 1) % len(DEFAULT_CLASSES.case_labels)]


@dataclass(frozen=True)
class _Worker:
    """What a worker process needs to make a training case."""

    scans: tuple[Path, ...]
    clear_side: str
    work: Path
    settings: CandidateTrainingSettings
    patches: ClassifierTrainingSettings

    def cases(
        self, phantoms: range, implants: tuple[range, ...], clear: range, part: int, parts: int
    ) -> Iterator[Phantom]:
        """This process's share of the cases: phantoms, lesions on each scan, scans without infection."""
        for seed in phantoms[part::parts]:
            yield generate_phantom(seed, _diagnosis(seed))
        scans = [RealScan.read(path, self.clear_side) for path in self.scans]
        for scan, seeds in zip(scans, implants, strict=True):
            for seed in seeds[part::parts]:
                yield scan.implant(seed, _diagnosis(seed))
        for seed in clear[part::parts]:
            # Two seeds a turn, so that every scan comes upright and mirrored.
            yield scans[seed // 2 % len(scans)].implant(seed, DEFAULT_CLASSES.none_found)

    def prepare_candidates(self, part: int, parts: int) -> list[Path]:
        torch.set_num_threads(1)
        cache = CaseCache(self.work / "cache", self.settings.model.grid)
        cases = self.cases(CANDIDATE_PHANTOMS, (CANDIDATE_IMPLANTS,), range(0), part, parts)
        return [cache.add(case) for case in cases]

    def collect_patches(self, part: int, parts: int) -> PatchSet:
        torch.set_num_threads(1)
        settings = self.settings.model
        model = CandidateModel.untrained(settings)
        model.network.load_state_dict(load_file(self.work / "ct_candidates.safetensors"))
        sets = []
        cases = self.cases(CLASSIFIER_PHANTOMS, CLASSIFIER_IMPLANTS, CLEAR_CASES, part, parts)
        for number, case in enumerate(cases):
            sets.append(self._patches_of(case, model, seed=10_000 * part + number))
            print(f"patches {part}: {number + 1} cases", flush=True)
        return PatchSet.join(sets)

    def _patches_of(self, case: Phantom, model: CandidateModel, seed: int) -> PatchSet:
        data, cut = self.patches.data, self.patches.network.patches
        if case.volume.case_id.startswith("phantom"):
            boxes = find_candidates(case.volume, lungs := segment_lungs(case.volume), model).boxes
            return collect_patches(case, case.volume.case_id, lungs, boxes, seed, data, cut)
        if case.diagnosis == DEFAULT_CLASSES.none_found:
            data = data.model_copy(update={"random": CLEAR_BOXES})
        boxes = find_candidates(case.volume, lungs := Lungs(case.lungs), model).boxes
        # All implants of a scan lie in one patient's lung: the split keeps them together.
        return collect_patches(case, case.volume.source.name, lungs, boxes, seed, data, cut)


def make_candidates(worker: _Worker, processes: int, store: ModelStore) -> None:
    """Train and publish the candidate network; leaves ``ct_candidates.safetensors`` in the work folder."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        jobs = [pool.submit(worker.prepare_candidates, part, processes) for part in range(processes)]
        files = sorted(path for job in jobs for path in job.result())
    held_out = {f"phantom-{seed:06d}" for seed in CANDIDATE_VALIDATION}
    training = [path for path in files if path.stem not in held_out]
    validation = [path for path in files if path.stem in held_out]
    trained = train_candidates(training, worker.settings, worker.work / "candidates", validation=validation)
    save_file(trained.model.state(), worker.work / "ct_candidates.safetensors")
    population = f"held out: {len(validation)} phantoms"
    figures = {"population": population, **(trained.figures.to_dict() if trained.figures else {})}
    data = _describe(CANDIDATE_PHANTOMS, (CANDIDATE_IMPLANTS,)) + f"; phantoms {_span(CANDIDATE_VALIDATION)} held out"
    card = make_card("candidates", trained.model.card_network(), worker.settings.seed, figures, data)
    print("published as version", store.publish("ct_candidates", trained.model.state(), card))


def make_classifier(worker: _Worker, processes: int, store: ModelStore) -> None:
    """Train and publish the classifier on regions of the candidate network of the work folder."""
    path = worker.work / "patches.npz"
    if not path.exists():
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            jobs = [pool.submit(worker.collect_patches, part, processes) for part in range(processes)]
            PatchSet.join([job.result() for job in jobs]).save(path)
    trained = train_classifier(PatchSet.load(path), worker.patches, worker.work / "classifier")
    data = _describe(CLASSIFIER_PHANTOMS, CLASSIFIER_IMPLANTS)
    data += f"; random pieces of these two lungs without infection, seeds {_span(CLEAR_CASES)}"
    data += f"; {worker.patches.split.validation:.0%} of the patients held out, by the hash of their names"
    card = make_card("classifier", trained.model.card_network(), worker.patches.seed, trained.figures, data)
    print("published as version", store.publish("ct_classifier", trained.model.state(), card))


def make_card(network: str, shape: dict[str, Any], seed: int, figures: dict[str, Any], data: str) -> dict[str, Any]:
    """What the card of starter weights says of where they come from."""
    return {
        "network": shape,
        "data": data,
        "seed": seed,
        "command": f"python -m pneumoscreen.training.starter {network} --scan SCAN [SCAN2] --work DIR",
        "figures": figures,
        "licence": "Apache-2.0",
        "attribution": ATTRIBUTION,
    }


def _describe(phantoms: range, implants: tuple[range, ...]) -> str:
    lesions = " and ".join(
        f"of seeds {_span(seeds)} in the right lung of {name}" for seeds, name in zip(implants, SCANS, strict=False)
    )
    return (
        f"phantoms of seeds {_span(phantoms)}; synthetic lesions {lesions}, every other one mirrored; "
        "no patient with pneumonia"
    )


def _span(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Make the starter weights again.")
    parser.add_argument("network", choices=["candidates", "classifier"])
    parser.add_argument(
        "--scan", type=Path, required=True, nargs="+", help="the real scans: one for candidates, two for classifier"
    )
    parser.add_argument("--clear-side", choices=sorted(CLEAR_SIDES), default="right", help="lung without opacities")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches, checkpoints and results")
    parser.add_argument("--candidates-config", type=Path, default=Path("configs/starter_candidates.yaml"))
    parser.add_argument("--classifier-config", type=Path, default=Path("configs/starter_classifier.yaml"))
    parser.add_argument("--model-dir", type=Path, help="model store to publish to; default: the project's own")
    parser.add_argument("--processes", type=int, default=2, help="processes that make the cases")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    worker = _Worker(
        tuple(arguments.scan),
        arguments.clear_side,
        arguments.work,
        load_config(arguments.candidates_config, CandidateTrainingSettings),
        load_config(arguments.classifier_config, ClassifierTrainingSettings),
    )
    make = make_candidates if arguments.network == "candidates" else make_classifier
    make(worker, arguments.processes, ModelStore(arguments.model_dir))


if __name__ == "__main__":
    main()
