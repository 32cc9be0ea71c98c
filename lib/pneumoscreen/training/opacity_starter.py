"""How the shipped localiser learns opacity from lungs that radiologists have read.

Ours. One command makes it again; every seed is fixed here and in its configuration:

    python -m pneumoscreen.training.opacity_starter --films DIR --work DIR

What may teach and what only measures is said in ``importers/public_films.py``. The calibration is fitted on the lungs
of the training films, each judged by a head that saw nothing of its patient; the measuring films enter nothing.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydantic import Field

from ..case import SIDES, Vector
from ..config import Settings, load_config
from ..cxr import discrimination, localization, lung_boxes
from ..cxr.localization import INFECTED, LocalizationModel, LocalizationSettings, OpacityCalibration
from ..cxr.lung_boxes import LungBoxModel, find_lung_boxes
from ..errors import PneumoScreenError
from ..evaluation.curves import draw_curves
from ..evaluation.infection_calibration import fit_calibration, probabilities, reliability_figures
from ..evidence import Calibration
from ..images.radiograph import Radiograph
from ..images.radiograph_reader import read_radiograph_file
from ..importers.public_films import TRAIN, Film, read_films
from ..models.store import ModelStore
from ..phantoms.radiograph import generate_radiograph
from .lung_heads import HeadSettings, JudgedFilms, KeptLungs, cross_validated, train_head
from .lung_variation import LungVariation, lung_copy

COMMAND = "python -m pneumoscreen.training.opacity_starter --films DIR --work DIR"
DATA = (
    "lungs of NIH chest X-rays (Wang et al. 2017; NIH Clinical Center) that radiologists of RSNA (Shih et al. 2019) "
    "and ChestX-Det (Lian et al. 2021) have read; a trunk learnt on ImageNet"
)
PHANTOM_SEEDS = 210_001
PHANTOM_PREFIX = "phantom-"


class OpacityStarterSettings(Settings):
    """The training, as ``configs/starter_opacity.yaml`` describes it.

    Attributes:
        network: of the localiser.
        copies: varied copies of each lung, beside the one that is not varied.
        variation: how far they are varied.
        phantoms: how many phantoms teach beside the films.
        head: how the head is trained.
    """

    network: LocalizationSettings = LocalizationSettings(
        trunk="efficientnet_lite0", size=(128, 256), equalised=True, margin=0.05
    )
    copies: int = Field(4, ge=0)
    variation: LungVariation = LungVariation()
    phantoms: int = Field(120, ge=0)
    head: HeadSettings = HeadSettings()


Cut = tuple[NDArray[np.float16], NDArray[np.float16], bool, bool, np.float32, str, str]
"""Feature maps, drawn opacities, whether it is infected and whether for certain, weight, film and patient of a lung."""


@dataclass(frozen=True)
class Cutter:
    """Makes what is kept of a lung.

    Attributes:
        settings: of the training.
        boxes: finds the lungs.
        model: whose trunk looks at them.
    """

    settings: OpacityStarterSettings
    boxes: LungBoxModel
    model: LocalizationModel

    def of_films(self, folder: Path) -> Iterator[Cut]:
        """The lungs of the films that teach."""
        films = [film for film in read_films(folder) if film.use == TRAIN]
        for number, film in enumerate(films):
            try:
                radiograph = read_radiograph_file(folder / film.path)
                drawn = _drawn(film, radiograph.pixels.shape)
                weights = dict.fromkeys(film.disputed, self.settings.head.disputed)
                yield from self._lungs(radiograph, drawn, film, weights, number)
            except PneumoScreenError as error:
                print(f"left out: {error}", flush=True)
            if number % 50 == 0:
                print(f"films: {number} of {len(films)}", flush=True)

    def of_phantoms(self) -> Iterator[Cut]:
        """The lungs of phantoms, each a patient of its own."""
        weights = dict.fromkeys(SIDES, self.settings.head.phantoms)
        for seed in range(PHANTOM_SEEDS, PHANTOM_SEEDS + self.settings.phantoms):
            phantom = generate_radiograph(seed)
            name, drawn = f"{PHANTOM_PREFIX}{seed}", phantom.lesions.astype(np.float32)
            film = Film(name, "phantoms", name, phantom.label, phantom.sides)
            yield from self._lungs(phantom.radiograph, drawn, film, weights, seed)

    def _lungs(
        self,
        radiograph: Radiograph,
        drawn: NDArray[np.float32],
        film: Film,
        weights: Mapping[str, float],
        seed: int,
    ) -> Iterator[Cut]:
        places = find_lung_boxes(radiograph, self.boxes).by_side()
        generator = np.random.default_rng([self.settings.head.seed, seed])
        for side in (side for side in SIDES if side in film.lungs):
            maps, opacity = self._features(radiograph.pixels, drawn, places[side], side, generator)
            weight = np.float32(weights.get(side, 1.0))
            yield maps, opacity, film.lungs[side], side not in film.doubtful, weight, film.path, film.patient

    def _features(
        self,
        pixels: NDArray[np.float32],
        drawn: NDArray[np.float32],
        box: Vector,
        side: str,
        generator: np.random.Generator,
    ) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Feature maps [copies, channels, h, w] and drawn opacities [copies, h, w] of a lung."""
        network, variation = self.settings.network, self.settings.variation
        copies = [lung_copy(pixels, drawn, box, side, network)]
        for _ in range(self.settings.copies):
            copies.append(lung_copy(pixels, drawn, box, side, network, variation, generator))
        seen = torch.from_numpy(np.stack([copy.lung for copy in copies]))[:, None]
        maps = self.model.network.photographs.maps(seen.contiguous(memory_format=torch.channels_last))
        where = torch.from_numpy(np.stack([copy.opacity for copy in copies]))[:, None]
        places = torch.nn.functional.adaptive_avg_pool2d(where, (maps.shape[2], maps.shape[3]))[:, 0]
        return maps.half().contiguous().numpy(), places.half().numpy()


def kept(path: Path, cut: Callable[[], Iterator[Cut]]) -> KeptLungs:
    """The lungs that a file holds; they are cut and written where it is not there."""
    names = ("maps", "opacity", "infected", "certain", "weights", "films", "patients")
    if not path.is_file():
        found = list(cut())
        part = path.with_suffix(".part.npz")
        np.savez(part, **{name: np.array([each[i] for each in found]) for i, name in enumerate(names)})
        part.replace(path)
    with np.load(path) as held:
        return KeptLungs(**{name: held[name] for name in names})


def _drawn(film: Film, shape: tuple[int, ...]) -> NDArray[np.float32]:
    image = Image.new("F", (shape[1], shape[0]))
    for x, y, width, height in film.opacities:
        ImageDraw.Draw(image).rectangle((x, y, x + width, y + height), fill=1.0)
    return np.asarray(image)


def figures_of(logits: NDArray[np.float64], lungs: KeptLungs, calibration: Calibration) -> dict[str, Any]:
    """What the card tells of held-out patients: lungs, films and reliability.

    Certain: infected, or called clear of every finding by a reader. All: with those that have no opacity in a film
    that is not normal, too.
    """
    films = JudgedFilms.of(logits, lungs)
    sure, rows = films.only(films.certain), lungs.certain
    return {
        "population": "held out: five-fold by patient, each lung judged by a head that saw no film of the patient",
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
    auc = draw_curves("", logits, infected, owner).auc.to_dict()
    return {
        "infected": int(infected.sum()),
        "clear": int((~infected).sum()),
        "auc": {name: None if value is None else round(value, 4) for name, value in auc.items()},
        "found": round(float(said[infected].mean()), 4),
        "clear_called_infected": round(float(said[~infected].mean()), 4),
    }


def make_opacity_weights(films: Path, work: Path, settings: OpacityStarterSettings, store: ModelStore) -> None:
    """Keep the features, cross-validate, calibrate, train on all lungs, and publish the localiser."""
    work.mkdir(parents=True, exist_ok=True)
    boxes = LungBoxModel.load(store.load(lung_boxes.MODEL_NAME))
    cutter = Cutter(settings, boxes, LocalizationModel.untrained(settings.network))
    real = lungs = kept(work / "films.npz", lambda: cutter.of_films(films))
    if settings.phantoms:
        lungs = real.joined(kept(work / "phantoms.npz", cutter.of_phantoms))
    attention = settings.network.attention
    logits = cross_validated(lungs, settings.head, attention)
    judged = JudgedFilms.of(logits[: len(real)], real)
    sure = judged.only(judged.certain)
    told = (
        f"{len(sure.logits)} NIH films of {len(set(sure.patients.tolist()))} patients that radiologists read, held out"
    )
    calibration = fit_calibration(sure.logits.tolist(), sure.infected.tolist(), told)
    figures = figures_of(logits[: len(real)], real, calibration)
    if settings.phantoms:
        drawn = lungs.only(np.arange(len(real), len(lungs)))
        figures["phantom_lungs"] = _told(logits[len(real) :], drawn.infected, drawn.patients, calibration)
    opacity = OpacityCalibration(
        intercept=calibration.intercept, slope=calibration.slope, calibrated_on=calibration.calibrated_on
    )
    final = LocalizationModel.untrained(settings.network.model_copy(update={"opacity": opacity}))
    final.network.photographs.head = train_head(lungs, settings.head, attention)
    card = {
        "network": final.card_network(),
        "data": f"{DATA}; {settings.phantoms} radiograph phantoms" if settings.phantoms else DATA,
        "seed": settings.head.seed,
        "command": COMMAND,
        "figures": figures,
        "licence": "Apache-2.0",
    }
    version = store.publish(localization.MODEL_NAME, final.state(), card)
    print("published", localization.MODEL_NAME, "version", version, figures, flush=True)


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
    arguments = parser.parse_args()
    settings = load_config(arguments.config, OpacityStarterSettings)
    store = ModelStore(arguments.model_dir)
    make_opacity_weights(arguments.films, arguments.work, settings, store)
    leave_types_undecided(store)


if __name__ == "__main__":
    main()
