"""Public X-rays whose lungs or films radiologists have read, as one table: what teaches and what only measures (ours).

A folder holds ``index.csv`` (a row an image), ``nih_lungs.csv`` (a row a film and reader), ``nih_boxes.csv`` and
``nih_labels.csv``. Opacity of each lung of NIH films, read by the radiologists of RSNA (Shih et al. 2019) and of
ChestX-Det (Lian et al. 2021), teaches. All films of the patients whose films were read again by experts, and every
other collection, only measure.
"""

import argparse
import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ...case import SIDES, Vector
from ...errors import PneumoScreenError

TRAIN, MEASURE = "train", "measure"
NIH_LUNGS, EXPERTS, MORE_EXPERTS = "nih lungs", "nih experts", "nih experts 2"
COHEN, ACTUALMED, CHILDREN = "cohen", "actualmed", "children"
_SET_GROUPS = {"actualmed": ACTUALMED, "kermany_val": CHILDREN}
_OPACITIES = ("Lung opacity", "Consolidation", "Atelectasis")
"""Findings of ``nih_boxes.csv`` that are an opacity; its readers listed them exhaustively."""
_EXPERTS_SAY = "Google 2019"
_EXHAUSTIVE = ("RSNA 2018", "ChestX-Det")
_NIH_PATIENT = 8
"""Digits of an NIH file's name that are the patient."""
_OPEN_LICENCES = ("CC0", "CC BY 3.0", "CC BY 4.0")
COLUMNS = ("path", "group", "patient", "class", "left", "right", "score_left", "score_right", "opacity", "use")
_OPAQUE = 4 | 8
"""Bits of a mask: ground glass and consolidation."""


@dataclass(frozen=True)
class Film:
    """An X-ray with what readers said.

    Attributes:
        path: below the folder.
        group: its source.
        patient: whose it is.
        label: covid19, cap, healthy or other.
        lungs: whether each lung has an opacity, by side; a side that nobody judged is left out.
        use: whether weights that are handed on may learn from it.
        disputed: sides on which two readers differ.
        doubtful: clear sides of films that are not normal: without an opacity, but no reader called them clear.
        opacities: x, y, w, h of the opacities in pixels.
        scores: Brixia score of each lung, from 0 to 9, the mean of two readers; a side without one is left out.
        mask: below the folder, a picture whose bits tell what a radiologist drew; None without one.
    """

    path: str
    group: str
    patient: str
    label: str
    lungs: Mapping[str, bool] = field(default_factory=dict)
    use: str = MEASURE
    disputed: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    opacities: tuple[Vector, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    mask: str | None = None


def read_films(folder: Path) -> list[Film]:
    """All films of a folder, those that teach first.

    Raises:
        PneumoScreenError: if a table is missing or lacks a column.
    """
    try:
        index, lungs, boxes, labels = (
            _rows(folder / name) for name in ("index.csv", "nih_lungs.csv", "nih_boxes.csv", "nih_labels.csv")
        )
        experts = _expert_films(labels, boxes)
        held_out = {film.patient for film in experts}
        teaching = [film for film in _nih_films(lungs, boxes) if film.patient not in held_out]
        return [*teaching, *experts, *_other_films(index)]
    except (KeyError, ValueError) as error:
        raise PneumoScreenError(f"{folder}: a table of films lacks {error}; see public_films.py") from None


@dataclass(frozen=True)
class BoxedFilm:
    """An X-ray with a box that a reader drew around each lung.

    Attributes:
        path: below the folder.
        group: its collection.
        patient: whose it is.
        boxes: x, y, w, h in pixels, by the patient's side.
        second: those of a second reader; empty where there is none.
        use: whether weights that are handed on may learn from it.
    """

    path: str
    group: str
    patient: str
    boxes: Mapping[str, Vector]
    second: Mapping[str, Vector]
    use: str


def read_boxed_films(folder: Path) -> list[BoxedFilm]:
    """The films of ``index.csv`` with a box around each lung.

    Those whose licence asks for no more than the author's name teach, if that holds for all films of their patient.

    Raises:
        PneumoScreenError: if the table is missing, lacks a column or has a box that is none.
    """
    try:
        found = [_boxed(row) for row in _rows(folder / "index.csv")]
    except (KeyError, ValueError) as error:
        raise PneumoScreenError(f"{folder / 'index.csv'} lacks a column or has a wrong box: {error}") from None
    closed = {film.patient for film in found if film.use == MEASURE}
    films = [film for film in found if len(film.boxes) == len(SIDES)]
    return [replace(film, use=MEASURE) if film.patient in closed else film for film in films]


def _boxed(row: Mapping[str, str]) -> BoxedFilm:
    first, second = (
        {side: _box(text) for side in SIDES if (text := row[f"{side}_lung_box{reader}"])} for reader in ("", "_2")
    )
    use = TRAIN if row["licence"] in _OPEN_LICENCES else MEASURE
    return BoxedFilm(row["path"], row["set"], row["patient"] or row["path"], first, second, use)


def _box(text: str) -> Vector:
    x, y, width, height = (float(number) for number in text.split())
    return (x, y, width, height)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise PneumoScreenError(
            f"{path} cannot be read ({error.strerror or error}); give the folder of films"
        ) from None


def _patient(path: str) -> str:
    return f"nih-{Path(path).name[:_NIH_PATIENT]}"


def _nih_films(lungs: Iterable[Mapping[str, str]], boxes: Iterable[Mapping[str, str]]) -> list[Film]:
    """A lung has an opacity if one of its readers saw one: they overlook more than they invent."""
    said: dict[str, dict[str, set[bool]]] = {}
    clear: dict[str, set[str]] = {}
    for row in lungs:
        for side in SIDES:
            if row[f"{side}_opacity"]:
                said.setdefault(row["path"], {}).setdefault(side, set()).add(float(row[f"{side}_opacity"]) > 0)
            if row[f"{side}_any"] and float(row[f"{side}_any"]) == 0:
                clear.setdefault(row["path"], set()).add(side)
    drawn: dict[str, list[Vector]] = {}
    for row in boxes:
        if row["x"] and row["finding"] in _OPACITIES and row["source"] in _EXHAUSTIVE:
            drawn.setdefault(row["path"], []).append(tuple(float(row[name]) for name in "xywh"))
    return [
        Film(
            path,
            NIH_LUNGS,
            _patient(path),
            "cap" if any(any(seen) for seen in sides.values()) else "other",
            {side: any(seen) for side, seen in sides.items()},
            TRAIN,
            tuple(side for side, seen in sides.items() if len(seen) > 1),
            tuple(side for side, seen in sides.items() if not any(seen) and side not in clear.get(path, ())),
            tuple(drawn.get(path, ())),
        )
        for path, sides in sorted(said.items())
    ]


def _expert_films(labels: Iterable[Mapping[str, str]], boxes: Iterable[Mapping[str, str]]) -> list[Film]:
    """Films whose opacity experts read again (Majkowska et al. 2019)."""
    first = {
        row["path"]: row["google2019_airspace_opacity"] == "YES" for row in labels if row["google2019_airspace_opacity"]
    }
    said = {
        row["path"]: row["present"] == "1"
        for row in boxes
        if row["source"].startswith(_EXPERTS_SAY) and row["finding"] == "Airspace opacity"
    }
    groups = ((EXPERTS, first), (MORE_EXPERTS, {path: said[path] for path in said.keys() - first.keys()}))
    return [
        Film(path, group, _patient(path), "cap" if is_there else "other")
        for group, films in groups
        for path, is_there in sorted(films.items())
    ]


def _other_films(index: Iterable[Mapping[str, str]]) -> list[Film]:
    return [
        Film(
            row["path"],
            group,
            row["patient"] or row["path"],
            row["diagnosis"],
            _cohen_lungs(row),
            scores={side: float(score) for side in SIDES if (score := row[f"brixia_{side}"])},
            mask=row["mask"] or None,
        )
        for row in index
        if (group := COHEN if row["source"] == "cohen" else _SET_GROUPS.get(row["set"])) and row["diagnosis"]
    ]


def _cohen_lungs(row: Mapping[str, str]) -> dict[str, bool]:
    """Infected where the Brixia score, else the share that the radiologist's mask covers, is above 0."""
    scores = {side: row[f"brixia_{side}"] or row[f"opacity_{side}"] for side in SIDES}
    return {side: float(score) > 0.0 for side, score in scores.items() if score}


def write_table(films: Iterable[Film], folder: Path, target: Path) -> None:
    """Write the films of a folder as a table for ``pneumoscreen evaluate --modality cxr --cases``.

    The opacities of masks are written as pictures into a folder beside the table that is named after it.
    """
    states = {True: "infected", False: "clear", None: ""}
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for film in films:
            sides = [states[film.lungs.get(side)] for side in SIDES]
            # A lung can be infected in a film that its collection calls healthy; a table may not say so.
            label = "cap" if film.label not in ("covid19", "cap") and "infected" in sides else film.label
            path = os.path.relpath(folder / film.path, target.parent)
            scores = [film.scores.get(side, "") for side in SIDES]
            opacity = _write_opacity(folder, film, target)
            writer.writerow((path, film.group, film.patient, label, *sides, *scores, opacity, film.use))


def _write_opacity(folder: Path, film: Film, table: Path) -> str:
    """Write what a mask shows as opaque; returns the path below the table's folder, empty without a mask."""
    if film.mask is None:
        return ""
    opaque = np.asarray(Image.open(folder / film.mask)) & _OPAQUE > 0
    path = Path(f"{table.stem}_opacity") / f"{Path(film.mask).stem}.png"
    (table.parent / path).parent.mkdir(exist_ok=True)
    Image.fromarray(opaque).save(table.parent / path)
    return path.as_posix()


def main() -> None:
    """Command line: write the table of a folder of films."""
    parser = argparse.ArgumentParser(description="Table of public X-rays for `pneumoscreen evaluate --cases`.")
    parser.add_argument("folder", type=Path, help="folder of the films and their tables")
    parser.add_argument("--table", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args()
    films = read_films(arguments.folder)
    write_table(films, arguments.folder, arguments.table)
    print(f"{arguments.table}: {len(films)} films")


if __name__ == "__main__":
    main()
