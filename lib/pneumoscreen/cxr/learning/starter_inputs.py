"""What the pictures are like that the shipped X-ray weights have learnt from, told by their cards.

Ours. One command tells it again, for ``pneumoscreen monitor``; no weights change:

    python -m pneumoscreen.cxr.learning.starter_inputs --films DIR

Only what the networks have learnt from is looked at, and of it every so manieth picture: phantoms, and films whose
licence lets them teach.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ...case import READER, Case, Cxr, placed
from ...errors import ModelError, PneumoScreenError
from ...images.radiograph_reader import read_radiograph_file
from ...metrics.inputs import CARD_INPUTS, kept_figures
from ...models.store import ModelStore
from ..figures.cases import labelled_phantom
from ..importers.public_films import TRAIN, read_boxed_films, read_films
from ..lung_boxes import LungBoxModel, find_lung_boxes
from ..networks import DISCRIMINATION, LOCALIZATION, LUNG_BOXES
from ..phantoms.radiograph import generate_radiograph
from ..truth import LabelledRadiograph
from . import lung_box_starter, opacity_starter, starter

ItemT = TypeVar("ItemT")

Pictures = Callable[[Path, ModelStore], Iterator[LabelledRadiograph]]
PICTURES = 60
"""Ours: of phantoms or films, at most."""


def class_pictures(films: Path, store: ModelStore) -> Iterator[LabelledRadiograph]:
    """What the class network has learnt from."""
    del films, store
    yield from _phantoms(starter.PHANTOMS, PICTURES)


def box_pictures(films: Path, store: ModelStore) -> Iterator[LabelledRadiograph]:
    """What the lung-box network has learnt from: films and phantoms alike."""
    del store
    for film in _some([film for film in read_boxed_films(films) if film.use == TRAIN], PICTURES):
        with suppress(PneumoScreenError):  # the training leaves such a film out as well
            yield LabelledRadiograph(read_radiograph_file(films / film.path), film.path, film.boxes, "", {})
    first, count = lung_box_starter.PHANTOM_SEEDS, lung_box_starter.LungBoxStarterSettings().phantoms
    yield from _phantoms(range(first, first + count), PICTURES)


def lung_pictures(films: Path, store: ModelStore) -> Iterator[LabelledRadiograph]:
    """What the side network has learnt from, cut by the lung boxes of the network in use; five films to a phantom."""
    boxes = LungBoxModel.load(store.load(LUNG_BOXES))
    for film in _some([film for film in read_films(films) if film.use == TRAIN], PICTURES):
        with suppress(PneumoScreenError):
            radiograph = read_radiograph_file(films / film.path)
            yield LabelledRadiograph(radiograph, film.path, find_lung_boxes(radiograph, boxes).by_side(), "", {})
    first, count = opacity_starter.PHANTOM_SEEDS, opacity_starter.OpacityStarterSettings().phantoms
    yield from _phantoms(range(first, first + count), PICTURES // 5)


RECIPES: dict[str, tuple[Pictures, str, str]] = {
    LUNG_BOXES: (box_pictures, lung_box_starter.COMMAND, "films with drawn boxes, and phantoms"),
    DISCRIMINATION: (class_pictures, starter.COMMAND, "phantoms"),
    LOCALIZATION: (lung_pictures, opacity_starter.COMMAND, "NIH films that radiologists read, and phantoms"),
}
"""By network: its pictures, the command that made it, and what the pictures are."""


def tell_inputs(films: Path, store: ModelStore, names: Sequence[str] = tuple(RECIPES)) -> None:
    """Tell the cards of the weights in use what their training pictures are like.

    Raises:
        ModelError: if weights in use are not of this recipe.
    """
    for name in names:
        pictures, command, what = RECIPES[name]
        weights = store.load(name)
        if weights.card["command"] != command:
            raise ModelError(f"{name} version {weights.version} was not made by {command}; its training told its card")
        found = [(labelled.patient, _document(labelled)) for labelled in pictures(films, store)]
        of = f"{len(found)} training pictures, at even distances of all: {what}"
        store.tell(name, weights.version, CARD_INPUTS, kept_figures(found, of))
        print("told the card of", name, "version", weights.version, flush=True)


def _some(items: Sequence[ItemT], most: int) -> Sequence[ItemT]:
    """At most so many, at even distances."""
    return items[:: max(1, -(-len(items) // most))]


def _phantoms(seeds: Sequence[int], most: int) -> Iterator[LabelledRadiograph]:
    return (labelled_phantom(generate_radiograph(seed)) for seed in _some(seeds, most))


def _document(labelled: LabelledRadiograph) -> Case:
    radiograph = labelled.radiograph
    cxr = Cxr(placed(dict(labelled.lung_boxes), READER), {}, {}, "none")
    return Case(radiograph.case_id, "CXR", radiograph.image_info(), cxr=cxr)


def main() -> None:
    """Command line of this recipe."""
    parser = argparse.ArgumentParser(description="Tell the cards what the training pictures are like.")
    parser.add_argument("--films", type=Path, required=True, help="folder of public films and their tables")
    parser.add_argument("--model-dir", type=Path, help="model store; default: the project's own")
    arguments = parser.parse_args()
    tell_inputs(arguments.films, ModelStore(arguments.model_dir))


if __name__ == "__main__":
    main()
