"""How the starter weights of the X-ray method are made: radiograph phantoms alone.

Ours. One command makes the three networks again; every seed is fixed here:

    python -m pneumoscreen.cxr.learning.starter --work DIR

No picture of a patient is used, and what the networks learn of phantoms says little about patients: a site trains
them on its own radiographs.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...config import Settings, load_config
from ...models.atomic_files import write_arrays
from ...models.network import NetworkModel
from ...models.store import ModelStore
from ...studies.split import Side, SplitSettings, side_of
from ..figures.cases import labelled_phantom
from ..phantoms.radiograph import generate_radiograph
from .data import PictureSet
from .items import Items, discrimination_items, gather, localization_items, lung_box_items
from .lessons import (
    DiscriminationLesson,
    DiscriminationTrainingSettings,
    LocalizationLesson,
    LocalizationTrainingSettings,
    LungBoxLesson,
    LungBoxTrainingSettings,
    with_anchors,
)
from .run import Lesson, RadiographTrainingSettings, train_lesson
from .temperature import calibrated

PHANTOMS = range(200_001, 201_801)
"""The class follows the seed; 15 % of them are held out, by the hash of their names."""
COMMAND = "python -m pneumoscreen.cxr.learning.starter --work DIR"


class StarterSettings(Settings):
    """The three trainings, as ``configs/starter_cxr.yaml`` describes them."""

    lung_boxes: LungBoxTrainingSettings = LungBoxTrainingSettings()
    discrimination: DiscriminationTrainingSettings = DiscriminationTrainingSettings()
    localization: LocalizationTrainingSettings = LocalizationTrainingSettings()


@dataclass(frozen=True)
class _Sets:
    """Pictures for the three lessons."""

    lung_boxes: list[tuple[str, Items]]
    discrimination: list[tuple[str, Items]]
    localization: list[tuple[str, Items]]

    @classmethod
    def of(cls, seeds: range, settings: StarterSettings) -> "_Sets":
        """Draw phantoms and cut what the lessons look at."""
        torch.set_num_threads(1)
        found = cls([], [], [])
        for number, seed in enumerate(seeds, start=1):
            labelled = labelled_phantom(generate_radiograph(seed))
            patient = labelled.patient
            found.lung_boxes.append((patient, lung_box_items(labelled, settings.lung_boxes.network)))
            found.discrimination.append((patient, discrimination_items(labelled, settings.discrimination.network)))
            found.localization.append((patient, localization_items(labelled, settings.localization.network)))
            if number % 50 == 0:
                print(f"phantoms from {seeds.start}: {number} of {len(seeds)}", flush=True)
        return found


def make_sets(work: Path, settings: StarterSettings, processes: int) -> dict[str, PictureSet]:
    """The pictures of all phantoms for each lesson; kept in the work folder."""
    names = list(StarterSettings.model_fields)
    files = {name: work / f"{name}.npz" for name in names}
    if not all(path.is_file() for path in files.values()):
        parts = [PHANTOMS[part::processes] for part in range(processes)]
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            done = list(pool.map(_Sets.of, parts, [settings] * processes))
        for name, path in files.items():
            gathered = gather(item for part in done for item in getattr(part, name))
            columns = {"targets": gathered.targets.numpy(), "patients": np.array(gathered.patients)}
            write_arrays(path, {"pictures": gathered.pictures, **columns})
    return {name: _read(path) for name, path in files.items()}


def _read(path: Path) -> PictureSet:
    with np.load(path) as held:
        return PictureSet(held["pictures"], torch.from_numpy(held["targets"]), tuple(held["patients"].tolist()))


def split(pictures: PictureSet, shares: SplitSettings) -> tuple[PictureSet, PictureSet]:
    """Training and validation pictures, by patient."""
    sides = np.array([side_of(patient, shares) for patient in pictures.patients])
    return pictures.only(np.flatnonzero(sides == Side.TRAINING)), pictures.only(
        np.flatnonzero(sides == Side.VALIDATION)
    )


def train_and_publish(
    lesson: Lesson,
    model: NetworkModel[Any, Any],
    sets: tuple[PictureSet, PictureSet],
    settings: RadiographTrainingSettings,
    work: Path,
    store: ModelStore,
) -> None:
    """Train one network on phantoms, fit its temperature on those that were held out, and publish it."""
    trained = train_lesson(lesson, *sets, settings, work / lesson.task)
    model = calibrated(model, trained.output, sets[1], partial(print, flush=True))
    card = {
        "network": model.card_network(),
        "data": f"radiograph phantoms of seeds {PHANTOMS.start}-{PHANTOMS.stop - 1}; no picture of a patient",
        "seed": settings.seed,
        "command": COMMAND,
        "figures": {"population": "held out: phantoms", **trained.figures},
        "licence": "Apache-2.0",
    }
    print("published", lesson.task, "version", store.publish(lesson.task, model.state(), card), flush=True)


def make_starter_weights(work: Path, settings: StarterSettings, processes: int, store: ModelStore) -> None:
    """Draw the phantoms, train the three networks and publish them."""
    sets = {
        name: split(pictures, getattr(settings, name).split)
        for name, pictures in make_sets(work, settings, processes).items()
    }
    boxes = LungBoxLesson(with_anchors(settings.lung_boxes, sets["lung_boxes"][0].targets))
    train_and_publish(boxes, boxes.model, sets["lung_boxes"], boxes.settings, work, store)
    localiser = LocalizationLesson(settings.localization)
    train_and_publish(localiser, localiser.model, sets["localization"], localiser.settings, work, store)
    discriminator = DiscriminationLesson(settings.discrimination)
    train_and_publish(discriminator, discriminator.model, sets["discrimination"], discriminator.settings, work, store)


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Make the starter weights of the X-ray method again.")
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures and checkpoints")
    parser.add_argument("--config", type=Path, default=Path("configs/starter_cxr.yaml"))
    parser.add_argument("--model-dir", type=Path, help="model store to publish to; default: the project's own")
    parser.add_argument("--processes", type=int, default=2, help="processes that draw the phantoms")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    settings = load_config(arguments.config, StarterSettings)
    make_starter_weights(arguments.work, settings, arguments.processes, ModelStore(arguments.model_dir))


if __name__ == "__main__":
    main()
