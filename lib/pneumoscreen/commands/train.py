"""``pneumoscreen train``: labelled studies in, a published model out."""

import dataclasses
import os
from pathlib import Path
from typing import Any, get_args

from ..config import load_config
from ..ct.candidates import CandidateModel
from ..errors import ConfigError
from ..models.store import ModelStore
from ..studies.cases import Study, find_studies
from ..training.candidate_studies import prepare_studies
from ..training.candidates import CandidateTrainingSettings, train_candidates
from ..training.checkpoints import CheckpointFolder
from ..training.classifier import ClassifierTrainingSettings, train_classifier
from ..training.classifier_studies import prepare_patches
from ..training.device import DeviceName
from .device import pick_device
from .folders import prepare_folder
from .terminal import complain

CANDIDATES = "ct_candidates"
CLASSIFIER = "ct_classifier"
LICENCE = "not stated; whoever trained it decides"


def train_task(
    task: str,
    studies: Path,
    config: Path,
    out: Path,
    *,
    resume: bool = False,
    model_dir: Path | None = None,
    device: str = "auto",
) -> None:
    """Train one network and publish it as the newest version of its model.

    Args:
        task: ``ct_candidates`` or ``ct_classifier``.
        studies: folder of scans with case documents as labels.
        config: settings of the run.
        out: folder for prepared cases and checkpoints; made where missing.
        resume: go on from the newest checkpoint in ``out``.
        model_dir: root of the model store; None takes the project's own.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        PneumoScreenError: if settings, studies or folders cannot be used.
    """
    if device not in get_args(DeviceName):
        raise ConfigError(f"--device {device}: not a device for training; use {', '.join(get_args(DeviceName))}")
    train = {CANDIDATES: _train_candidates, CLASSIFIER: _train_classifier}[task]
    pick_device(device)
    store = ModelStore(model_dir)
    checkpoints = out / "checkpoints"
    if not resume and CheckpointFolder(checkpoints).steps():
        raise ConfigError(f"{out}: holds checkpoints of an earlier run; add --resume or name another folder")
    # Before hours of training, not after them.
    prepare_folder(store.root)
    state, card = train(config, find_studies(studies, complain), prepare_folder(out), checkpoints, store, device)
    if os.environ.get("RANK", "0") != "0":
        # Under torchrun every process arrives here with the same weights; the first one publishes them.
        return
    card |= {
        "data": str(studies),
        "command": f"pneumoscreen train {task} --studies {studies} --config {config} --out {out}",
        "licence": LICENCE,
    }
    version = store.publish(task, state, card)
    print(f"{task} version {version} published in {store.root}")


def _train_candidates(
    config: Path, studies: list[Study], out: Path, checkpoints: Path, store: ModelStore, device: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = load_config(config, CandidateTrainingSettings)
    settings = settings.model_copy(update={"device": device})
    training, validation = prepare_studies(studies, settings, out / "cases", complain)
    trained = train_candidates(training, settings, checkpoints, validation=validation)
    figures = dataclasses.asdict(trained.figures) if trained.figures else {}
    return trained.model.state(), {
        "network": trained.model.card_network(),
        "seed": settings.seed,
        "figures": figures,
    }


def _train_classifier(
    config: Path, studies: list[Study], out: Path, checkpoints: Path, store: ModelStore, device: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = load_config(config, ClassifierTrainingSettings)
    candidates, sha256 = None, ""
    if store.versions(CANDIDATES):
        # Regions as the present candidate network finds them belong to the training as well.
        weights = store.load(CANDIDATES)
        candidates, sha256 = CandidateModel.load(weights), weights.sha256
    patches = prepare_patches(studies, settings, out / "patches", candidates, sha256, complain)
    trained = train_classifier(patches, settings, checkpoints, device=device)  # type: ignore[arg-type]
    return trained.model.state(), {
        "network": trained.model.card_network(),
        "seed": settings.seed,
        "figures": trained.figures,
    }
