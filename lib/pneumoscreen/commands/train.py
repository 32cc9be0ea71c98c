"""``pneumoscreen train``: labelled studies in, a published model out - or one that is kept, and why."""

import os
from pathlib import Path

from ..config import load_config
from ..models.store import ModelStore
from ..training.recipes import recipe_for
from ..training.runs import run_training
from .device import pick_device
from .folders import prepare_folder
from .terminal import complain


def train_task(
    task: str,
    studies: Path,
    config: Path,
    out: Path,
    *,
    resume: bool = False,
    from_scratch: bool = False,
    model_dir: Path | None = None,
    device: str = "auto",
) -> None:
    """Train one network, offer it for publication and print what became of it.

    Args:
        task: ``ct_candidates`` or ``ct_classifier``.
        studies: folder of scans with case documents as labels.
        config: settings of the run.
        out: folder of the run: plan, prepared cases, checkpoints, status; made where missing.
        resume: go on with the run in ``out``.
        from_scratch: begin with random weights instead of those in use.
        model_dir: root of the model store; None takes the project's own.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        PneumoScreenError: if settings, studies or folders cannot be used.
    """
    pick_device(device)
    settings = load_config(config, recipe_for(task).settings_type)
    store = ModelStore(model_dir)
    # Before hours of training, not after them.
    prepare_folder(store.root)
    publication = run_training(
        task,
        studies,
        settings,
        prepare_folder(out),
        store,
        device=device,
        resume=resume,
        pretrained=not from_scratch,
        say=complain,
        command=f"pneumoscreen train {task} --studies {studies} --config {config} --out {out}",
    )
    if os.environ.get("RANK", "0") == "0":
        # Under torchrun every process arrives here; the first one has published.
        print(publication.sentence)
