"""The command that makes the shipped lung-box regressor, on a small folder of phantoms in place of films."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pneumoscreen.cxr.importers.public_films import MEASURE, TRAIN, read_boxed_films
from pneumoscreen.cxr.learning.lung_box_starter import FilmsAndPhantoms, LungBoxStarterSettings, make_lung_box_weights
from pneumoscreen.cxr.lung_boxes import LungBoxModel, LungBoxSettings
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.models.store import ModelStore

HEAD = "path,set,patient,licence,left_lung_box,right_lung_box,left_lung_box_2,right_lung_box_2"


def row(name: str, patient: str, licence: str, boxes: dict, second: bool = False) -> str:
    left, right = (" ".join(str(number) for number in boxes[side]) for side in ("left", "right"))
    return f"{name},set,{patient},{licence},{left},{right},{left if second else ''},{right if second else ''}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    rows = [HEAD]
    for number in range(8):
        phantom = generate_radiograph(number, "healthy", RadiographSpec(size=160))
        write_picture(phantom.radiograph, folder / f"{number}.png")
        licence = "CC BY 4.0" if number < 6 else "CC BY-NC-SA"
        rows.append(row(f"{number}.png", f"p{number}", licence, phantom.lung_boxes, second=number == 7))
    rows.append("8.png,set,p8,CC BY 4.0,1 2 3 4,,,")
    (folder / "index.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def test_only_films_that_may_be_handed_on_teach_and_no_patient_does_both(folder: Path, tmp_path: Path) -> None:
    films = read_boxed_films(folder)
    assert [film.use for film in films] == [TRAIN] * 6 + [MEASURE] * 2
    assert len(films[0].boxes["left"]) == 4
    text = (folder / "index.csv").read_text(encoding="utf-8").replace("p0,CC", "p7,CC")
    (tmp_path / "index.csv").write_text(text)
    assert read_boxed_films(tmp_path)[0].use == MEASURE


@pytest.mark.parametrize("wrong", ["1 2 3", "1 2 3 x", "1 2 3 4 5"])
def test_a_box_that_is_none_is_named(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "index.csv").write_text(f"{HEAD}\na.png,set,p,CC0,{wrong},1 2 3 4,,\n")
    with pytest.raises(PneumoScreenError, match="wrong box"):
        read_boxed_films(tmp_path)


def test_weights_are_published_with_figures_of_films_that_taught_nothing(folder: Path, tmp_path: Path) -> None:
    settings = LungBoxStarterSettings(
        network=LungBoxSettings(size=64, trunk="efficientnet_lite0", features=8), phantoms=2, epochs=1, least_steps=1
    )
    settings = settings.model_copy(update={"split": settings.split.model_copy(update={"validation": 0.5, "test": 0.0})})
    store = ModelStore(tmp_path / "models")
    make_lung_box_weights(folder, tmp_path / "work", settings, store)
    weights = store.load("cxr_lung_boxes")
    told = weights.card["figures"]["not_learnt_from"]
    assert (told["films"], told["overlap_of_two_readers"]) == (2, 1.0)
    assert set(told["overlap"]) <= {"all", "set"}
    assert "Hannover Medical School (Winther et al. 2020, CC BY 3.0)" in weights.card["data"]
    assert not any(name.startswith("trunk.") for name in weights.state)
    model = LungBoxModel.load(weights)
    pictures = np.random.default_rng(0).random((1, 64, 64), dtype=np.float32)
    assert model.boxes(pictures).shape == (1, 2, 4)


def test_films_and_phantoms_are_drawn_by_their_shares() -> None:
    settings = LungBoxStarterSettings(
        network=LungBoxSettings(size=64, trunk="efficientnet_lite0", features=8), films_share=0.25
    )
    lesson = FilmsAndPhantoms(settings, ["a", "a", "a", "a", "b", "phantom-1", "phantom-2"])
    weights = lesson.weights(torch.zeros(7, 2, 4))
    assert weights[:5].sum() == pytest.approx(0.25)
    assert weights[5:].sum() == pytest.approx(0.75)
    assert weights[:4].sum() == pytest.approx(2 * weights[4])
