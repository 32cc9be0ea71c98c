"""How the starter weights are made: phantoms, and synthetic lesions on one openly licensed real scan.

Ours. ``python -m pneumoscreen.training.starter candidates --scan FOLDER --work DIR`` and then
``... classifier ...`` make the weights again; every seed is fixed here. The two networks see different
phantoms, so that the classifier learns from candidates as they come out on unseen scans. The scan is
given by its folder and the side whose lung holds no opacity; only that lung is used.
"""

import argparse
from collections.abc import Iterable, Iterator
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
from ..phantoms import Phantom, generate_phantom, implant_lesions, mirrored
from ..verdict import DEFAULT_CLASSES
from .candidate_data import CaseCache
from .candidates import CandidateTrainingSettings, train_candidates
from .classifier import ClassifierTrainingSettings, train_classifier
from .classifier_data import PatchSet, collect_patches

LABELS = {"left": LEFT, "right": RIGHT}
ATTRIBUTION = (
    "Lung-PET-CT-Dx, The Cancer Imaging Archive, CC BY 4.0: Li P, Wang S, Li T, Lu J, HuangFu Y, Wang D (2020), "
    "https://doi.org/10.7937/TCIA.2020.NNC2-0461"
)
CANDIDATE_PHANTOMS = range(1, 361)
CANDIDATE_VALIDATION = range(337, 361)
CANDIDATE_IMPLANTS = range(1, 91)
CLASSIFIER_PHANTOMS = range(1001, 1241)
CLASSIFIER_IMPLANTS = range(1001, 1061)


@dataclass(frozen=True)
class RealScan:
    """A real scan and the lungs in it that hold no opacity, uint8 [z, y, x], 1 left, 2 right."""

    volume: Volume
    lungs: NDArray[np.uint8]

    @classmethod
    def read(cls, folder: Path, clear_side: str) -> "RealScan":
        """Read and segment a scan; only the lung of ``clear_side`` is kept."""
        volume = read_volume(folder)
        labels = segment_lungs(volume).labels
        return cls(volume, np.where(labels == LABELS[clear_side], labels, 0).astype(np.uint8))

    def implant(self, seed: int) -> Phantom:
        """The scan of this seed: lesions drawn, every other one the mirror image."""
        scan = (self.volume, self.lungs) if seed % 2 else mirrored(self.volume, self.lungs)
        return implant_lesions(*scan, _diagnosis(seed), seed)


def _diagnosis(seed: int) -> str:
    return DEFAULT_CLASSES.case_labels[(seed - 1) % len(DEFAULT_CLASSES.case_labels)]


@dataclass(frozen=True)
class _Worker:
    """What a worker process needs to make a training case."""

    scan: Path
    clear_side: str
    work: Path
    settings: CandidateTrainingSettings
    patches: ClassifierTrainingSettings

    def cases(self, phantoms: Iterable[int], implants: Iterable[int], part: int, parts: int) -> Iterator[Phantom]:
        for number, seed in enumerate(phantoms):
            if number % parts == part:
                yield generate_phantom(seed, _diagnosis(seed))
        real = RealScan.read(self.scan, self.clear_side)
        for number, seed in enumerate(implants):
            if number % parts == part:
                yield real.implant(seed)

    def prepare_candidates(self, part: int, parts: int) -> list[Path]:
        torch.set_num_threads(1)
        cache = CaseCache(self.work / "cache", self.settings.model.grid)
        return [cache.add(case) for case in self.cases(CANDIDATE_PHANTOMS, CANDIDATE_IMPLANTS, part, parts)]

    def collect_patches(self, part: int, parts: int) -> PatchSet:
        torch.set_num_threads(1)
        settings = self.settings.model
        model = CandidateModel.untrained(settings)
        model.network.load_state_dict(load_file(self.work / "ct_candidates.safetensors"))
        sets = []
        for number, case in enumerate(self.cases(CLASSIFIER_PHANTOMS, CLASSIFIER_IMPLANTS, part, parts)):
            real = not case.volume.case_id.startswith("phantom")
            lungs = Lungs(case.lungs) if real else segment_lungs(case.volume)
            boxes = find_candidates(case.volume, lungs, model).boxes
            seed = 10_000 * part + number
            # All implants lie in one patient's lung: the split keeps them together.
            patient = case.volume.source.name if real else case.volume.case_id
            data, cut = self.patches.data, self.patches.network.patches
            sets.append(collect_patches(case, patient, lungs, boxes, seed, data, cut))
            print(f"patches {part}: {number + 1} cases", flush=True)
        return PatchSet.join(sets)


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
    data = _describe(CANDIDATE_PHANTOMS, CANDIDATE_IMPLANTS) + f"; phantoms {_span(CANDIDATE_VALIDATION)} held out"
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
    data += f"; {worker.patches.validation_share:.0%} of the patients held out, by the hash of their names"
    card = make_card("classifier", trained.model.card_network(), worker.patches.seed, trained.figures, data)
    print("published as version", store.publish("ct_classifier", trained.model.state(), card))


def make_card(network: str, shape: dict[str, Any], seed: int, figures: dict[str, Any], data: str) -> dict[str, Any]:
    """What the card of starter weights says of where they come from."""
    return {
        "network": shape,
        "data": data,
        "seed": seed,
        "command": f"python -m pneumoscreen.training.starter {network} --scan lungdx_A0001_dicom --work DIR",
        "figures": figures,
        "licence": "Apache-2.0",
        "attribution": ATTRIBUTION,
    }


def _describe(phantoms: range, implants: range) -> str:
    return (
        f"phantoms of seeds {_span(phantoms)}, and synthetic lesions of seeds {_span(implants)} in the right lung of "
        "one real scan (Lung-PET-CT-Dx, patient A0001), every other one mirrored; no patient with pneumonia"
    )


def _span(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Make the starter weights again.")
    parser.add_argument("network", choices=["candidates", "classifier"])
    parser.add_argument("--scan", type=Path, required=True, help="folder or file of the real scan")
    parser.add_argument("--clear-side", choices=sorted(LABELS), default="right", help="lung without opacities")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches, checkpoints and results")
    parser.add_argument("--candidates-config", type=Path, default=Path("configs/ct_candidates.yaml"))
    parser.add_argument("--classifier-config", type=Path, default=Path("configs/ct_classifier.yaml"))
    parser.add_argument("--model-dir", type=Path, help="model store to publish to; default: the project's own")
    parser.add_argument("--processes", type=int, default=2, help="processes that make the cases")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    worker = _Worker(
        arguments.scan,
        arguments.clear_side,
        arguments.work,
        load_config(arguments.candidates_config, CandidateTrainingSettings),
        load_config(arguments.classifier_config, ClassifierTrainingSettings),
    )
    make = make_candidates if arguments.network == "candidates" else make_classifier
    make(worker, arguments.processes, ModelStore(arguments.model_dir))


if __name__ == "__main__":
    main()
