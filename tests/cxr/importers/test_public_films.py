"""The table of public X-rays: what teaches, what only measures, and that no patient does both."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscreen.cxr.importers.public_films import MEASURE, TRAIN, read_films, write_table
from pneumoscreen.errors import PneumoScreenError

TABLES = {
    "index.csv": """path,set,diagnosis,source,patient,brixia_left,brixia_right,opacity_left,opacity_right,mask
actualmed/a.jpg,actualmed,covid19,actualmed,act-1,,,,,
actualmed/b.jpg,actualmed,,actualmed,act-2,,,,,
hannover/h.jpg,hannover,covid19,hannover,han-1,,,,,
cohen/c.jpg,cohen,covid19,cohen,coh-1,0.0,4.5,0.2,0.1,masks/c.png
cohen/d.jpg,cohen,healthy,cohen,coh-2,,,,,
""",
    "nih_lungs.csv": """path,source,right_opacity,left_opacity,right_any,left_any
nih/00000001_000.jpg,RSNA 2018,0,1,,
nih/00000001_000.jpg,ChestX-Det,1,1,1,1
nih/00000002_000.jpg,RSNA 2018,0,0,0,0
nih/00000003_000.jpg,RSNA 2018,0,,,
nih/00000004_000.jpg,ChestX-Det,0,0,0,1
""",
    "nih_boxes.csv": """path,source,finding,present,x,y,w,h
nih/00000001_000.jpg,RSNA 2018,Lung opacity,1,10,20,30,40
nih/00000001_000.jpg,ChestX-Det,Effusion,1,1,2,3,4
nih/00000001_000.jpg,NIH BBox_List_2017,Atelectasis,1,5,6,7,8
nih/00000002_005.jpg,Google 2019 (val),Airspace opacity,1,,,,
""",
    "nih_labels.csv": """path,google2019_airspace_opacity
nih/00000009_000.jpg,NO
nih/00000008_000.jpg,
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    # Left lung, right lung, ground glass in the left, consolidation in the right.
    mask = np.array([[1, 2], [5, 10]], dtype=np.uint8)
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "c.png")
    return tmp_path


def test_a_patient_whose_films_were_read_again_teaches_nothing(folder: Path) -> None:
    films = {film.path: film for film in read_films(folder)}
    assert {path for path, film in films.items() if film.use == TRAIN} == {
        "nih/00000001_000.jpg",
        "nih/00000003_000.jpg",
        "nih/00000004_000.jpg",
    }
    assert films["nih/00000002_005.jpg"].group == "nih experts 2"
    assert (films["nih/00000009_000.jpg"].group, films["nih/00000009_000.jpg"].label) == ("nih experts", "other")
    assert "nih/00000008_000.jpg" not in films


def test_readers_who_differ_and_what_they_drew(folder: Path) -> None:
    first, third, fourth, *_ = read_films(folder)
    assert dict(first.lungs) == {"left": True, "right": True}
    assert first.disputed == ("right",)
    # Not the effusion, and not a list that is not exhaustive.
    assert first.opacities == ((10.0, 20.0, 30.0, 40.0),)
    assert dict(third.lungs) == {"right": False}
    # Only what a reader called free of every finding is clear for certain.
    assert (first.doubtful, third.doubtful, fourth.doubtful) == ((), ("right",), ("left",))


def test_other_collections_only_measure(folder: Path) -> None:
    others = [film for film in read_films(folder) if not film.group.startswith("nih")]
    assert [(film.path, film.group, film.use) for film in others] == [
        ("actualmed/a.jpg", "actualmed", MEASURE),
        ("cohen/c.jpg", "cohen", MEASURE),
        ("cohen/d.jpg", "cohen", MEASURE),
    ]
    assert dict(others[1].lungs) == {"left": False, "right": True}
    assert [dict(film.scores) for film in others] == [{}, {"left": 0.0, "right": 4.5}, {}]


def test_the_table_has_a_row_a_film(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "films.csv"
    target.parent.mkdir()
    write_table(read_films(folder), folder, target)
    rows = list(csv.DictReader(target.open(encoding="utf-8")))
    assert len(rows) == 8
    assert (rows[0]["path"], rows[0]["left"], rows[0]["class"], rows[0]["use"]) == (
        "../nih/00000001_000.jpg",
        "infected",
        "cap",
        "train",
    )
    assert (rows[1]["left"], rows[1]["right"], rows[1]["class"]) == ("", "clear", "other")
    (masked,) = [row for row in rows if row["opacity"]]
    assert masked["path"] == "../cohen/c.jpg"
    opacity = np.asarray(Image.open(target.parent / masked["opacity"]))
    assert (opacity > 0).tolist() == [[False, False], [True, True]]


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PneumoScreenError, match=r"index\.csv cannot be read"):
        read_films(tmp_path)


def test_the_real_films(shared_data: Path) -> None:
    films = read_films(shared_data / "cxr")
    patients = {use: {film.patient for film in films if film.use == use} for use in (TRAIN, MEASURE)}
    assert not patients[TRAIN] & patients[MEASURE]
    experts = [film for film in films if film.group == "nih experts"]
    assert [sum(film.label == label for film in experts) for label in ("cap", "other")] == [13, 26]
    assert {film.path.split("/")[0] for film in films if film.use == TRAIN} <= {"nih_lungs", "darkcovidnet"}
