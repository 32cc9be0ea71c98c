"""The tasks on the regions of a CT, which readers correct: where they are, and what they show."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..case import Case, ModelInfo, Region
from ..images.volume import Masks, Volume
from ..screener import Answer, Asked, Task
from .candidates.finding import find_candidates
from .candidates.infected import lung_infos, measured
from .lungs.segmentation import Lungs, segment_lungs
from .networks import CANDIDATES, CLASSIFIER
from .screening import LUNGS, Screener, Screening, infection_by


def mark_candidates(asked: Asked) -> Answer:
    """Candidate regions only: boxes, scores and label map, no labels and no verdict."""
    volume, screener = asked.image, asked.screener
    timings = {"read": asked.read_s}
    with _timed("lungs", timings):
        lungs = _lungs(asked)
    with _timed("candidates", timings):
        found = find_candidates(volume, lungs, screener.candidates, _share(asked, 0.75))
        asked.keep(_infection_name(screener), found.infection)
    regions = []
    for number, (box, score) in enumerate(zip(found.boxes, found.scores, strict=True), start=1):
        center, size = volume.box_to_mm(box)
        place = tuple(center.tolist()), tuple(size.tolist())
        regions.append(Region(f"r{number}", "model", *place, float(score), lungs.side_of(box)))
    case = replace(
        _case(asked, lungs, timings),
        lungs=lung_infos(volume, lungs),
        regions=measured(volume, lungs, found.infection, regions),
        models=_only(screener, CANDIDATES),
    )
    label_map = Screening(case, lungs, found.infection, found.boxes).label_map()
    return Answer(case, volume.to_sitk(label_map), Masks(volume, lungs.labels, found.infection))


def label_regions(asked: Asked) -> Answer:
    """Regions in, regions with patches, infected volumes, labels and the verdict out: for what a reader drew or moved.

    The infection mask is that of the scan's last screening, else the candidate network is asked.
    """
    volume, screener = asked.image, asked.screener
    timings = {"read": asked.read_s}
    with _timed("lungs", timings):
        lungs = _lungs(asked)
    with _timed("candidates", timings):
        infection = _infection(asked, lungs)
    with _timed("classify", timings):
        asked.progress("classify", 0.6)
        labelled = screener.screen_regions(volume, lungs, [_sided(region, volume, lungs) for region in asked.regions])
    case = replace(
        _case(asked, lungs, timings), regions=measured(volume, lungs, infection, labelled), models=screener.models
    )
    return Answer(case.with_verdict(screener.classes, screener.calibration))


TASKS = (
    Task(CANDIDATES, "Marks candidate regions of infection in a chest CT, without labelling them.", mark_candidates),
    Task(
        CLASSIFIER,
        "Labels given regions of a chest CT: three patches each, vote and verdict.",
        label_regions,
        lambda classes: classes.patch_labels,
        needs_regions=True,
    ),
)


def _lungs(asked: Asked) -> Lungs:
    """The lungs of a scan, kept with it.

    Raises:
        NoLungsError: if it shows none.
    """
    found = asked.kept(LUNGS)
    if found is None:
        asked.progress("lungs", 0.05)
        found = segment_lungs(asked.image)
        asked.keep(LUNGS, found)
    assert isinstance(found, Lungs)
    return found


def _infection(asked: Asked, lungs: Lungs) -> NDArray[np.bool_]:
    """The infection mask of a scan, bool [z, y, x]: that of its screening, else the candidate network's now."""
    name = _infection_name(asked.screener)
    found = asked.kept(name)
    if found is None:
        found = find_candidates(asked.image, lungs, asked.screener.candidates, _share(asked, 0.35)).infection
        asked.keep(name, found)
    assert isinstance(found, np.ndarray)
    return found


def _infection_name(screener: Screener) -> str:
    return infection_by(screener.models.get(CANDIDATES))


def _share(asked: Asked, share: float) -> Callable[[str, float], None]:
    """Tells of the candidates as a share of the whole, after the lungs."""
    return lambda stage, done: asked.progress("candidates", 0.25 + share * done)


def _case(asked: Asked, lungs: Lungs, timings: dict[str, float]) -> Case:
    """What every document says of a scan."""
    volume = asked.image
    return Case(
        case_id=volume.case_id,
        modality="CT",
        image=volume.image_info(),
        diagnosis=asked.diagnosis,
        timings_s={**timings, "total": sum(timings.values())},
        notes=(*volume.notes, *lungs.notes, *asked.screener.notes),
    )


@contextmanager
def _timed(stage: str, timings: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - start


def _only(screener: Screener, name: str) -> dict[str, ModelInfo]:
    return {key: info for key, info in screener.models.items() if key == name}


def _sided(region: Region, volume: Volume, lungs: Lungs) -> Region:
    box = volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
    return replace(region, side=lungs.side_of(box))
