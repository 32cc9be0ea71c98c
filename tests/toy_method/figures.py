"""Synthetic lamps, and how many of those of a studies folder are named rightly."""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pneumoscreen.case import Case
from pneumoscreen.evaluation.request import ALL_SIDES, CohortRequest, Evaluation
from pneumoscreen.evaluation.sides import studies_of_side
from pneumoscreen.images.inputs import file_input
from pneumoscreen.phantoms.studies import PhantomRequest, Writer, write_all
from pneumoscreen.studies.cases import read_document
from pneumoscreen.studies.layout import FINAL_LABELS
from pneumoscreen.studies.split import Side

from .picture import read
from .screening import OFF, ON, LampScreener


def pixels_of(seed: int, label: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.6, 0.8) if label == ON else rng.uniform(0.2, 0.4)
    return (255 * np.clip(rng.normal(level, 0.1, (24, 32)), 0, 1)).astype(np.uint8)


def brightness_of(seed: int, label: str) -> float:
    return float(pixels_of(seed, label).mean()) / 255


def write_lamp(out: Path, seed: int, label: str) -> Path:
    """A noisy picture, brighter on average than 0.6 where the lamp is on and darker than 0.4 where it is off."""
    path = out / f"lamp-{seed:04d}.lamp.png"
    Image.fromarray(pixels_of(seed, label)).save(path)
    picture = read(file_input(path))
    document = Case(picture.case_id, "LAMP", picture.image_info(), diagnosis=label)
    (out / FINAL_LABELS / f"{picture.case_id}.json").write_text(document.to_json(), encoding="utf-8")
    return path


def writer_of(asked: PhantomRequest) -> Writer:
    asked.require_diagnosis((OFF, ON))

    def write(out: Path, done: int) -> Path:
        return write_lamp(out, asked.seed + done, asked.diagnosis or (OFF, ON)[done % 2])

    return lambda out, progress: write_all(out, asked.cases, partial(write, out), progress)


def evaluate(request: CohortRequest) -> Evaluation:
    screener = LampScreener.from_store(request.store)
    side = None if request.side == ALL_SIDES else Side(request.side)
    studies = studies_of_side(request.studies, side, request.say, "LAMP")
    tell = request.counting(len(studies), "")
    right = 0
    for done, study in enumerate(studies, start=1):
        case = screener.screen(read(study.scan)).case
        right += case.verdict.label == read_document(study.document).diagnosis
        tell(done, study.case_id)
    return Evaluation({"right": right, "cases": len(studies)}, f"{right} of {len(studies)} lamps named rightly\n")
