"""``pneumoscreen train``: labelled studies in, a published model out - or one that is kept, and why.

The status of the run is written before torch and MONAI are loaded, which takes seconds.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ..errors import PneumoScreenError
from ..output import prepare_folder
from ..studies.audit import utc_text
from ..training.status import PLAN_FILE, TrainingState, TrainStatus, read_status, write_status
from ..workers.asked import UNASKED, Workers
from .terminal import complain

_STARTING = "the training starts"


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
    workers: Workers = UNASKED,
) -> None:
    """Train one network, offer it for publication and print what became of it.

    Args:
        task: name of the network; see ``methods.networks``.
        studies: folder of scans with case documents as labels.
        config: settings of the run.
        out: folder of the run: plan, prepared cases, checkpoints, status; made where missing.
        resume: go on with the run in ``out``.
        from_scratch: begin with random weights instead of those in use.
        model_dir: root of the model store; None takes the project's own.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: who prepares the cases.

    Raises:
        PneumoScreenError: if settings, studies or folders cannot be used.
    """
    with _announced(task, prepare_folder(out), resume):
        from ..config import load_config
        from ..methods import recipe_for
        from ..models.store import ModelStore
        from ..server.store.studies_source import labelled_at_hand
        from ..training.runs import run_training
        from .device import pick_device

        pick_device(device)
        recipe = recipe_for(task)
        settings = load_config(config, recipe.settings_type)
        store = ModelStore(model_dir)
        # Before hours of training, not after them.
        prepare_folder(store.root)
        with labelled_at_hand(studies, recipe.modality, complain):
            publication = run_training(
                recipe,
                studies,
                settings,
                out,
                store,
                device=device,
                resume=resume,
                pretrained=not from_scratch,
                say=complain,
                command=f"pneumoscreen train {task} --studies {studies} --config {config} --out {out}",
                workers=workers,
            )
    if _is_first():
        print(publication.sentence)


@contextmanager
def _announced(task: str, out: Path, resume: bool) -> Iterator[None]:
    """Say in the status that a training starts, and why where it cannot."""
    if not _is_first() or ((out / PLAN_FILE).exists() and not resume):
        yield  # the run that is there will be refused, and its status is its own
        return
    now = utc_text(datetime.now(UTC))
    status = replace(read_status(out) or TrainStatus(task), state=TrainingState.PREPARING, publication=None)
    write_status(out, replace(status, started=now, updated=now, message=_STARTING))
    try:
        yield
    except PneumoScreenError as error:
        status = read_status(out) or status
        if status.message == _STARTING:
            write_status(out, replace(status, state=TrainingState.FAILED, message=str(error)))
        raise


def _is_first() -> bool:
    """Under torchrun every process runs this; the first one speaks for all."""
    return os.environ.get("RANK", "0") == "0"
