"""How the shipped lung-box regressor learns where lungs lie: openly licensed films with drawn boxes, and phantoms.

Ours. One command makes it again; every seed is fixed here and in its configuration:

    python -m pneumoscreen.cxr.learning.lung_box_starter --films DIR --work DIR

What may teach and what only measures is said in ``cxr/importers/public_films.py``. The measuring films enter nothing
but the last figures of the card.
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...case import SIDES
from ...config import load_config
from ...errors import PneumoScreenError
from ...images.radiograph_reader import read_radiograph_file
from ...metrics.bootstrap import cluster_bootstrap
from ...models.store import ModelStore
from ..figures.cases import labelled_phantom
from ..figures.lungs import exchanged, iou
from ..importers.public_films import MEASURE, TRAIN, BoxedFilm, read_boxed_films
from ..lung_boxes import LungBoxModel, LungBoxSettings, find_lung_boxes
from ..networks import LUNG_BOXES
from ..phantoms.radiograph import generate_radiograph
from ..truth import LabelledRadiograph
from .data import PictureSet
from .items import Items, gather, lung_box_items
from .lessons import LungBoxLesson, LungBoxTrainingSettings, with_anchors
from .run import train_lesson
from .starter import split

COMMAND = "python -m pneumoscreen.cxr.learning.lung_box_starter --films DIR --work DIR"
DATA = (
    "films of the Cohen collection (Cohen et al. 2020, CC BY 4.0) and of Hannover Medical School (Winther et al. 2020, "
    "CC BY 3.0) whose lung boxes radiologists drew; a trunk learnt on ImageNet"
)
PHANTOM_SEEDS = 220_001
PHANTOM_PREFIX = "phantom-"


class LungBoxStarterSettings(LungBoxTrainingSettings):
    """The training, as ``configs/starter_lung_boxes.yaml`` describes it.

    Attributes:
        phantoms: how many phantoms teach beside the films.
        films_share: of the pictures of a step.
    """

    network: LungBoxSettings = LungBoxSettings(size=192, trunk="efficientnet_lite0")
    phantoms: int = Field(400, ge=0)
    films_share: float = Field(0.5, gt=0.0, le=1.0)


class FilmsAndPhantoms(LungBoxLesson):
    """The lesson on few films and many phantoms.

    Args:
        settings: of the training.
        patients: of the training pictures, in their order.
    """

    def __init__(self, settings: LungBoxStarterSettings, patients: Sequence[str]) -> None:
        super().__init__(settings)
        self.share, self.patients = settings.films_share, np.array(patients)

    def weights(self, targets: Tensor) -> Tensor:
        """Films and phantoms by their shares; a patient of many films counts as the root of their number (ours)."""
        is_phantom = np.char.startswith(self.patients, PHANTOM_PREFIX)
        _, owner, counts = np.unique(self.patients, return_inverse=True, return_counts=True)
        weights = 1.0 / np.sqrt(counts[owner])
        for rows, share in ((~is_phantom, self.share), (is_phantom, 1.0 - self.share)):
            if rows.any():
                weights[rows] *= share / weights[rows].sum()
        return torch.from_numpy(weights)


def items_of_films(folder: Path, films: Sequence[BoxedFilm], settings: LungBoxSettings) -> Iterator[tuple[str, Items]]:
    """What each film gives the training, with its patient; a film that cannot be read is named and left out."""
    for film in films:
        try:
            radiograph = read_radiograph_file(folder / film.path)
        except PneumoScreenError as error:
            print(f"left out: {error}", flush=True)
            continue
        yield film.patient, lung_box_items(LabelledRadiograph(radiograph, film.patient, film.boxes, "", {}), settings)


def items_of_phantoms(count: int, settings: LungBoxSettings) -> Iterator[tuple[str, Items]]:
    """The same of phantoms, each a patient of its own."""
    for number, seed in enumerate(range(PHANTOM_SEEDS, PHANTOM_SEEDS + count)):
        yield f"{PHANTOM_PREFIX}{seed}", lung_box_items(labelled_phantom(generate_radiograph(seed)), settings)
        if number % 50 == 0:
            print(f"phantoms: {number} of {count}", flush=True)


def make_lung_box_weights(folder: Path, work: Path, settings: LungBoxStarterSettings, store: ModelStore) -> None:
    """Train on the films that teach and on phantoms, measure on the others, and publish."""
    films = read_boxed_films(folder)
    teaching = [film for film in films if film.use == TRAIN]
    training, validation = split(gather(items_of_films(folder, teaching, settings.network)), settings.split)
    if settings.phantoms:
        training = joined(training, gather(items_of_phantoms(settings.phantoms, settings.network)))
    lesson = FilmsAndPhantoms(with_anchors(settings, training.targets), training.patients)
    say = partial(print, flush=True)
    trained = train_lesson(lesson, training, validation, lesson.settings, work / LUNG_BOXES, say=say)
    model = lesson.model
    model.network.cpu().eval()
    card = {
        "network": model.card_network(),
        "data": f"{DATA}; {settings.phantoms} radiograph phantoms" if settings.phantoms else DATA,
        "seed": settings.seed,
        "command": COMMAND,
        "figures": {
            "population": "held out by patient: films of the same collections",
            **trained.figures,
            "not_learnt_from": figures_of(folder, [film for film in films if film.use == MEASURE], model),
        },
        "licence": "Apache-2.0",
    }
    version = store.publish(LUNG_BOXES, model.state(), card)
    print("published", LUNG_BOXES, "version", version, card["figures"], flush=True)


def joined(first: PictureSet, second: PictureSet) -> PictureSet:
    """Both sets, the first one first."""
    pictures = np.concatenate([first.pictures, second.pictures])
    return PictureSet(pictures, torch.cat([first.targets, second.targets]), first.patients + second.patients)


def figures_of(folder: Path, films: Sequence[BoxedFilm], model: LungBoxModel) -> dict[str, Any]:
    """Mean overlap of the boxes with a reader's over all films and over each collection, with intervals by patient."""
    overlaps: dict[str, dict[str, list[float]]] = {}
    readers: list[float] = []
    crossed = refused = 0
    for film in films:
        readers += [iou(film.boxes[side], film.second[side]) for side in film.second]
        try:
            found = find_lung_boxes(read_radiograph_file(folder / film.path), model).by_side()
        except PneumoScreenError:
            refused += 1
            continue
        crossed += exchanged(film.boxes, found)
        for group in ("all", film.group):
            lungs = overlaps.setdefault(group, {}).setdefault(film.patient, [])
            lungs += [iou(film.boxes[side], found[side]) for side in SIDES]
    return {
        "films": len(films),
        "refused": refused,
        "exchanged": crossed,
        "overlap": {group: _mean_of(list(patients.values())) for group, patients in overlaps.items()},
        "overlap_of_two_readers": round(float(np.mean(readers)), 4) if readers else None,
    }


def _mean_of(patients: Sequence[Sequence[float]]) -> dict[str, float | None]:
    def mean(drawn: Sequence[Sequence[float]]) -> float:
        return float(np.mean(np.concatenate(drawn)))

    return cluster_bootstrap(patients, mean).rounded()


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Make the weights that find the lungs' boxes again.")
    parser.add_argument("--films", type=Path, required=True, help="folder of public films and their tables")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--config", type=Path, default=Path("configs/starter_lung_boxes.yaml"))
    parser.add_argument("--model-dir", type=Path, help="model store to publish to; default: the project's own")
    arguments = parser.parse_args()
    settings = load_config(arguments.config, LungBoxStarterSettings)
    make_lung_box_weights(arguments.films, arguments.work, settings, ModelStore(arguments.model_dir))


if __name__ == "__main__":
    main()
