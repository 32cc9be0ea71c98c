"""How the shipped localiser learns opacity from lungs that radiologists have read.

Ours. One command makes it again; every seed is fixed here and in its configuration:

    python -m pneumoscreen.cxr.learning.opacity_starter --films DIR --work DIR

Where the settings say so, what is published is the mean of these weights and those that were in use, and of their
calibrations. What may teach and what only measures is said in ``cxr/importers/public_films.py``. The calibration is
fitted on the lungs of the training films, each judged by weights that saw nothing of its patient; the measuring films
enter nothing.
"""

import argparse
import hashlib
from collections.abc import Iterator, Mapping
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydantic import Field
from safetensors.torch import load_file, save
from torch import Tensor

from ...case import SIDES
from ...config import load_config
from ...errors import ConfigError, PneumoScreenError
from ...evidence import Calibration
from ...images.radiograph import Radiograph
from ...images.radiograph_reader import read_radiograph_file
from ...metrics.curves import draw_curves
from ...metrics.infection_calibration import fit_calibration, probabilities, reliability_figures
from ...models.atomic_files import replace_durably
from ...models.store import ModelStore
from ...models.weights import Weights
from ...training.warm_start import averaged, name_of, settings_of
from ...workers.asked import UNASKED, Workers
from ...workers.results import Calls, results_of
from ...xray_findings import INFECTED
from .. import discrimination, localization, lung_boxes
from ..importers.public_films import TRAIN, Film, read_films
from ..localization import LocalizationModel, LocalizationSettings, OpacityCalibration
from ..lung_boxes import LungBoxModel, find_lung_boxes
from ..phantoms.radiograph import generate_radiograph
from .lung_heads import HeadSettings
from .lung_pictures import JudgedFilms, LungPicture, LungPictures, lung_picture
from .lung_tuning import Teaching, folds_of, judged_by_others, tuned

COMMAND = "python -m pneumoscreen.cxr.learning.opacity_starter --films DIR --work DIR"
DATA = (
    "lungs of NIH chest X-rays (Wang et al. 2017; NIH Clinical Center) that radiologists of RSNA (Shih et al. 2019) "
    "and ChestX-Det (Lian et al. 2021) have read; a trunk learnt on ImageNet"
)
PHANTOM_SEEDS = 210_001
PHANTOM_PREFIX = "phantom-"
FILMS, PHANTOMS = "films.npz", "phantoms.npz"


class OpacityStarterSettings(Teaching):
    """The training, as ``configs/starter_opacity.yaml`` describes it.

    Attributes:
        network: of the localiser.
        phantoms: how many phantoms teach beside the films.
        averaged: whether the mean with the weights in use is published, which must be of the same network.
    """

    network: LocalizationSettings = LocalizationSettings(
        trunk="efficientnet_lite0", tuned_stages=5, size=(128, 256), equalised=True, margin=0.05
    )
    phantoms: int = Field(120, ge=0)
    averaged: bool = False


def lungs_of_films(folder: Path, boxes: LungBoxModel, settings: HeadSettings) -> Iterator[LungPicture]:
    """The lungs of the films that teach, weighed as the settings say."""
    films = [film for film in read_films(folder) if film.use == TRAIN]
    for number, film in enumerate(films):
        try:
            radiograph = read_radiograph_file(folder / film.path)
            drawn = _drawn(film, radiograph.pixels.shape)
            weights = dict.fromkeys(film.doubtful, settings.doubtful) | dict.fromkeys(film.disputed, settings.disputed)
            yield from _lungs(radiograph, drawn, film, weights, boxes)
        except PneumoScreenError as error:
            print(f"left out: {error}", flush=True)
        if number % 50 == 0:
            print(f"films: {number} of {len(films)}", flush=True)


def lungs_of_phantoms(count: int, boxes: LungBoxModel, weight: float) -> Iterator[LungPicture]:
    """The lungs of phantoms, each a patient of its own."""
    for seed in range(PHANTOM_SEEDS, PHANTOM_SEEDS + count):
        phantom = generate_radiograph(seed)
        name, drawn = f"{PHANTOM_PREFIX}{seed}", phantom.lesions.astype(np.float32)
        film = Film(name, "phantoms", name, phantom.label, phantom.sides)
        yield from _lungs(phantom.radiograph, drawn, film, dict.fromkeys(SIDES, weight), boxes)


def _lungs(
    radiograph: Radiograph, drawn: NDArray[np.float32], film: Film, weights: Mapping[str, float], boxes: LungBoxModel
) -> Iterator[LungPicture]:
    places = find_lung_boxes(radiograph, boxes).by_side()
    for side in (side for side in SIDES if side in film.lungs):
        pixels, opacity, box = lung_picture(radiograph.pixels, drawn, places[side], side)
        certain, weight = side not in film.doubtful, weights.get(side, 1.0)
        yield LungPicture(pixels, opacity, box, film.lungs[side], certain, weight, film.path, film.patient)


def _drawn(film: Film, shape: tuple[int, ...]) -> NDArray[np.float32]:
    image = Image.new("F", (shape[1], shape[0]))
    for x, y, width, height in film.opacities:
        ImageDraw.Draw(image).rectangle((x, y, x + width, y + height), fill=1.0)
    return np.asarray(image)


def figures_of(
    logits: NDArray[np.float64], lungs: LungPictures, calibration: Calibration, folds: int
) -> dict[str, Any]:
    """What the card tells of held-out patients: lungs, films and reliability.

    Certain: infected, or called clear of every finding by a reader. All: with those that have no opacity in a film
    that is not normal, too.
    """
    films = JudgedFilms.of(logits, lungs)
    sure, rows = films.only(films.certain), lungs.certain
    return {
        "population": f"held out: {folds}-fold by patient, each lung judged by weights that saw no film of the patient",
        "patients": len(set(lungs.patients.tolist())),
        "certain_lungs": _told(logits[rows], lungs.infected[rows], lungs.patients[rows], calibration),
        "all_lungs": _told(logits, lungs.infected, lungs.patients, calibration),
        "certain_films": _told(sure.logits, sure.infected, sure.patients, calibration),
        "all_films": _told(films.logits, films.infected, films.patients, calibration),
        "certain_film_reliability": reliability_figures(sure.logits.tolist(), sure.infected.tolist(), calibration),
    }


def _told(
    logits: NDArray[np.float64], infected: NDArray[np.bool_], patients: NDArray[np.str_], calibration: Calibration
) -> dict[str, Any]:
    owner = np.unique(patients, return_inverse=True)[1].astype(np.int64)
    said = probabilities(logits.tolist(), calibration) >= INFECTED
    auc = draw_curves("", logits, infected, owner).auc
    return {
        "infected": int(infected.sum()),
        "clear": int((~infected).sum()),
        "auc": auc.rounded(),
        "found": round(float(said[infected].mean()), 4),
        "clear_called_infected": round(float(said[~infected].mean()), 4),
    }


def make_opacity_weights(
    films: Path, work: Path, settings: OpacityStarterSettings, store: ModelStore, workers: Workers = UNASKED
) -> None:
    """Keep the lungs, cross-validate, calibrate, train on all lungs, and publish the localiser."""
    work.mkdir(parents=True, exist_ok=True)
    boxes = LungBoxModel.load(store.load(lung_boxes.MODEL_NAME))
    real = LungPictures.kept(work / FILMS, partial(lungs_of_films, films, boxes, settings.head))
    make_phantoms = partial(lungs_of_phantoms, settings.phantoms, boxes, settings.head.phantoms)
    drawn = LungPictures.kept(work / PHANTOMS, make_phantoms) if settings.phantoms else None
    lungs = real if drawn is None else real.joined(drawn)
    logits, state = _trained(work, settings, lungs, workers)
    judged = JudgedFilms.of(logits[: len(real)], real)
    sure = judged.only(judged.certain)
    told = (
        f"{len(sure.logits)} NIH films of {len(set(sure.patients.tolist()))} patients that radiologists read, held out"
    )
    calibration = fit_calibration(sure.logits.tolist(), sure.infected.tolist(), told)
    figures = figures_of(logits[: len(real)], real, calibration, settings.tuning.folds)
    if drawn is not None:
        figures["phantom_lungs"] = _told(logits[len(real) :], drawn.infected, drawn.patients, calibration)
    opacity = OpacityCalibration(
        intercept=calibration.intercept, slope=calibration.slope, calibrated_on=calibration.calibrated_on
    )
    data = f"{DATA}; {settings.phantoms} radiograph phantoms" if settings.phantoms else DATA
    if settings.averaged:
        before = store.load(localization.MODEL_NAME)
        state, opacity = _mean_with(before, state, opacity)
        learnt = "the same" if before.card["data"] == data else before.card["data"]
        data += f"; the mean of these weights and of version {before.version}, which learnt from {learnt}"
        figures["population"] += "; of the training alone, not of the mean"
    final = LocalizationModel.untrained(settings.network.model_copy(update={"opacity": opacity}))
    final.network.load_state_dict(state)
    card = {
        "network": final.card_network(),
        "data": data,
        "seed": settings.tuning.seed,
        "command": COMMAND,
        "figures": figures,
        "licence": "Apache-2.0",
    }
    version = store.publish(localization.MODEL_NAME, final.state(), card)
    print("published", localization.MODEL_NAME, "version", version, figures, flush=True)


def _mean_with(
    before: Weights, state: dict[str, Tensor], opacity: OpacityCalibration
) -> tuple[dict[str, Tensor], OpacityCalibration]:
    """The mean of the weights in use and new ones, and of their calibrations.

    Raises:
        ConfigError: if those in use are of another network or have no calibration.
    """
    known = settings_of(before, LocalizationSettings).opacity
    if known is None or before.state.keys() != state.keys():
        raise ConfigError(f"{name_of(before)} is another network or not calibrated; set averaged: false")
    mean = opacity.model_copy(
        update={name: (getattr(known, name) + getattr(opacity, name)) / 2 for name in ("intercept", "slope")}
    )
    return averaged(before.state, state), mean


def _trained(
    work: Path, settings: OpacityStarterSettings, lungs: LungPictures, workers: Workers
) -> tuple[NDArray[np.float64], dict[str, Tensor]]:
    """Held-out logits [n] of all lungs, and the weights that have learnt all of them; what is there is taken up."""
    folds = folds_of(lungs.patients.tolist(), settings.tuning)
    jobs = [partial(_learn, work, settings, fold) for fold in (None, *range(settings.tuning.folds))]
    done = results_of(jobs, workers.pool(Calls(work), work, "cpu", threads=1))
    logits = np.zeros(len(lungs))
    for fold, path in enumerate(done[1:]):
        logits[folds == fold] = load_file(path)["logits"].numpy()
    return logits, load_file(done[0])


def _learn(work: Path, settings: OpacityStarterSettings, fold: int | None) -> Path:
    """The weights that have learnt all lungs, or the logits of a fold that others judged: a file of the work folder."""
    name = "all" if fold is None else f"fold-{fold}"
    # What is published of a training does not change what it learns.
    key = hashlib.sha256(settings.model_dump_json(exclude={"averaged"}).encode()).hexdigest()[:12]
    path = work / f"{name}-{key}.safetensors"
    if not path.is_file():
        parts = (FILMS, PHANTOMS) if settings.phantoms else (FILMS,)
        lungs = reduce(LungPictures.joined, (LungPictures.read(work / part) for part in parts))

        def say(line: str) -> None:
            print(f"{name}: {line}", flush=True)

        if fold is None:
            found = tuned(settings.network, lungs, settings, say).state()
        else:
            found = {"logits": torch.from_numpy(judged_by_others(settings.network, lungs, settings, fold, say))}
        replace_durably(path, save(found))
    return path


def leave_types_undecided(store: ModelStore) -> None:
    """Publish the class network anew, as one that was not shown on patients to tell types; nothing where it says so."""
    weights = store.load(discrimination.MODEL_NAME)
    if weights.card["network"].get("tells_types", True):
        kept = ("data", "seed", "command", "figures", "licence", "remark")
        card = {name: weights.card[name] for name in kept if name in weights.card}
        card["network"] = {**weights.card["network"], "tells_types": False}
        version = store.publish(discrimination.MODEL_NAME, weights.state, card)
        print("published", discrimination.MODEL_NAME, "version", version, flush=True)


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Make the weights that find opacities of lungs again.")
    parser.add_argument("--films", type=Path, required=True, help="folder of public films and their tables")
    parser.add_argument("--work", type=Path, required=True, help="folder for kept features")
    parser.add_argument("--config", type=Path, default=Path("configs/starter_opacity.yaml"))
    parser.add_argument("--model-dir", type=Path, help="model store to publish to; default: the project's own")
    parser.add_argument("--processes", type=int, default=2, help="trainings beside each other, one core each")
    parser.add_argument("--ray", metavar="auto|ADDRESS", help="so many actors of a Ray cluster instead")
    arguments = parser.parse_args()
    workers = Workers.of(arguments.processes, arguments.ray, device="cpu")
    settings = load_config(arguments.config, OpacityStarterSettings)
    store = ModelStore(arguments.model_dir)
    make_opacity_weights(arguments.films, arguments.work, settings, store, workers)
    leave_types_undecided(store)


if __name__ == "__main__":
    main()
