"""Whole trainings of the X-ray networks on radiograph phantoms beside a CT: prepared, trained, published, resumed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cxr.learning.radiographs import quiet
from tests.cxr.radiographs import phantom
from torch import Tensor

from pneumoscreen.case import SIDES
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.cxr.importers.document import FOUND_BOXES
from pneumoscreen.cxr.learning.lessons import (
    DiscriminationTrainingSettings,
    LocalizationTrainingSettings,
    LungBoxTrainingSettings,
)
from pneumoscreen.cxr.learning.run import RadiographTrainingSettings
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.cxr.screening import CxrScreener
from pneumoscreen.errors import Cancelled, ConfigError, PneumoScreenError
from pneumoscreen.methods import recipe_for
from pneumoscreen.models.store import ModelStore
from pneumoscreen.studies.layout import FINAL_LABELS
from pneumoscreen.studies.split import Side
from pneumoscreen.training.plan import TrainingPlan
from pneumoscreen.training.publishing import Publication
from pneumoscreen.training.runs import can_resume, run_training
from pneumoscreen.training.status import TrainStatus

CASES = 24
COMMON: dict[str, Any] = {"epochs": 2, "batch": 8, "split": {"validation": 0.3, "test": 0.1}}
SETTINGS: dict[str, RadiographTrainingSettings] = {
    "cxr_lung_boxes": LungBoxTrainingSettings.model_validate(
        {**COMMON, "network": {"size": 32, "stages": (8, 8), "features": 8}}
    ),
    "cxr_discrimination": DiscriminationTrainingSettings.model_validate(
        {**COMMON, "network": {"size": 32, "widths": (8, 8, 8, 8), "pyramid_channels": 8}}
    ),
    "cxr_localization": LocalizationTrainingSettings.model_validate({**COMMON, "network": {"widths": (8,)}}),
}
TASKS = tuple(SETTINGS)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled radiographs and one labelled CT; not to be changed."""
    folder = tmp_path_factory.mktemp("radiographs")
    write_radiograph_studies(folder, CASES, 1, RadiographSpec(size=96))
    write_studies(folder, 1, 1, PhantomSpec(matrix=64, slices=20))
    return folder


def train(task: str, studies: Path, root: Path, name: str = "run", **options: Any) -> Publication:
    options = {"device": "cpu", "say": quiet, **options}
    settings = options.pop("settings", SETTINGS[task])
    return run_training(
        recipe_for(task), studies, settings, root / name, ModelStore(root / f"{name}-models"), **options
    )


def weights(root: Path, name: str, task: str) -> dict[str, Tensor]:
    return ModelStore(root / f"{name}-models").load(task).state


def plan_of(root: Path, name: str = "run") -> TrainingPlan:
    plan = TrainingPlan.load(root / name)
    assert plan is not None
    return plan


@pytest.fixture(scope="module")
def trained(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three trained once, each from random weights, into one store; not to be changed."""
    root = tmp_path_factory.mktemp("trained")
    for task in TASKS:
        store = ModelStore(root / "models")
        publication = run_training(
            recipe_for(task), studies, SETTINGS[task], root / task, store, device="cpu", say=quiet
        )
        assert publication.published, publication.sentence
    return root


@pytest.mark.parametrize("task", TASKS)
def test_a_trained_network_is_published_with_its_card(task: str, trained: Path) -> None:
    card = ModelStore(trained / "models").card(task, 1)
    assert card["figures"]["epochs"] == 2
    assert card["figures"]["training_patients"] > card["figures"]["validation_patients"] > 0
    metric = {
        "cxr_lung_boxes": "validation_iou",
        "cxr_discrimination": "validation_accuracy",
        "cxr_localization": "validation_lung_accuracy",
    }[task]
    assert 0.0 <= card["figures"][metric] <= 1.0
    assert card["seed"] == 0


def test_the_three_screen_a_radiograph(trained: Path) -> None:
    """Also a check that the boxes' anchors are of lungs: two epochs suffice to find two of them."""
    case = CxrScreener.from_store(ModelStore(trained / "models"), "cpu").screen(phantom().radiograph).case
    assert {info.version for info in case.models.values()} == {1}
    assert case.cxr is not None
    assert set(case.cxr.lung_boxes) == set(SIDES)


@pytest.mark.parametrize("task", TASKS)
def test_test_patients_and_cts_are_in_no_plan(task: str, trained: Path) -> None:
    plan = plan_of(trained, task)
    assert all(case.case_id.startswith("xray-") for case in plan.cases)
    assert plan.test_cases > 0
    assert len(plan.cases) + plan.test_cases == CASES
    assert {case.side for case in plan.cases} == {Side.TRAINING, Side.VALIDATION}


def test_anchors_are_those_of_the_training_pictures(trained: Path) -> None:
    anchors = ModelStore(trained / "models").card("cxr_lung_boxes", 1)["network"]["anchors"]
    assert anchors != LungBoxTrainingSettings().network.model_dump(mode="json")["anchors"]
    assert 0.1 < anchors["right"][0] < 0.45 < 0.55 < anchors["left"][0] < 0.9


def test_the_localiser_learns_from_covid_19_alone(trained: Path) -> None:
    card = ModelStore(trained / "models").card("cxr_localization", 1)
    cases = {case.case_id: case for case in plan_of(trained, "cxr_localization").cases}
    covid = [name for name in cases if (int(name.removeprefix("xray-")) - 1) % 3 == 0]
    lungs = card["figures"]["training_pictures"] + card["figures"]["validation_pictures"]
    assert lungs == 2 * len(covid)


@pytest.mark.parametrize("task", TASKS)
def test_a_second_training_goes_on_from_the_weights_in_use(
    task: str, studies: Path, trained: Path, tmp_path: Path
) -> None:
    store = ModelStore(shutil.copytree(trained / "models", tmp_path / "models"))
    # So slow that the weights stay what they were; what is not said of the network follows the one in use.
    settings = type(SETTINGS[task]).model_validate({**COMMON, "epochs": 1, "learning_rate": 1e-9})
    publication = run_training(recipe_for(task), studies, settings, tmp_path / "run", store, device="cpu", say=quiet)
    found = store.load(task) if publication.published else store.load_candidate(task, publication.candidate_id)
    before = store.load(task, 1)
    for name, tensor in before.state.items():
        if name.endswith("weight"):
            torch.testing.assert_close(found.state[name], tensor, atol=2e-3, rtol=2e-3)
    plan = plan_of(tmp_path)
    assert plan.starts_from is not None
    assert plan.starts_from.version == 1
    assert "began with version 1" in found.card["data"]
    assert {k: v for k, v in found.card["network"].items() if k != "temperature"} == {
        k: v for k, v in before.card["network"].items() if k != "temperature"
    }
    assert publication.compared_with == 1


@pytest.mark.parametrize("task", TASKS)
def test_a_resumed_run_ends_like_an_uninterrupted_one(task: str, studies: Path, trained: Path, tmp_path: Path) -> None:
    def stop(status: TrainStatus) -> None:
        if status.metric is not None:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(task, studies, tmp_path, status=stop)
    assert can_resume(task, SETTINGS[task], tmp_path / "run")
    assert train(task, studies, tmp_path, resume=True).published
    whole = ModelStore(trained / "models").load(task, 1).state
    parts = weights(tmp_path, "run", task)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())


def test_another_view_cannot_be_compared(studies: Path, trained: Path, tmp_path: Path) -> None:
    store = ModelStore(shutil.copytree(trained / "models", tmp_path / "models"))
    task = "cxr_discrimination"
    settings = SETTINGS[task].model_validate(
        {**SETTINGS[task].model_dump(), "epochs": 1, "network": {"view": "whole", "superpixels": False}}
    )
    publication = run_training(recipe_for(task), studies, settings, tmp_path / "run", store, device="cpu", say=quiet)
    assert not publication.published
    assert "its superpixels and view are not those of the one in use" in publication.sentence


def test_a_radiograph_without_boxes_is_left_out_with_a_sentence(studies: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(studies, tmp_path / "studies")
    path = mine / FINAL_LABELS / "xray-000001.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["cxr"]["lung_boxes"].pop("left")
    path.write_text(json.dumps(document), encoding="utf-8")
    said: list[str] = []
    train("cxr_localization", mine, tmp_path, say=said.append)
    (line,) = [line for line in said if "left out" in line and "xray-000001" in line]
    assert "field cxr.lung_boxes lacks a lung; screen the X-ray and submit it again" in line


def test_boxes_that_a_network_found_are_not_learnt_from(studies: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(studies, tmp_path / "studies")
    for path in (mine / FINAL_LABELS).glob("xray-*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        document["cxr"]["reader"] = {**(document["cxr"].get("reader") or {}), FOUND_BOXES: "cxr_lung_boxes version 1"}
        path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ConfigError, match="cxr_lung_boxes: the training cases hold nothing to learn from"):
        train("cxr_lung_boxes", mine, tmp_path)


def test_where_there_is_nothing_to_learn_from_it_is_said(studies: Path, tmp_path: Path) -> None:
    mine = tmp_path / "studies"
    (mine / FINAL_LABELS).mkdir(parents=True)
    for number in range(1, CASES + 1):
        if (number - 1) % 3 != 0:  # no COVID-19
            name = f"xray-{number:06d}"
            shutil.copy(studies / f"{name}.png", mine)
            shutil.copy(studies / FINAL_LABELS / f"{name}.json", mine / FINAL_LABELS)
    with pytest.raises(ConfigError, match="cxr_localization: the training cases hold nothing to learn from; label"):
        train("cxr_localization", mine, tmp_path)


def test_a_folder_of_cts_holds_no_radiograph(tmp_path: Path) -> None:
    write_studies(tmp_path / "cts", 1, 1, PhantomSpec(matrix=64, slices=20))
    with pytest.raises(PneumoScreenError, match="holds no labelled X-ray"):
        train("cxr_lung_boxes", tmp_path / "cts", tmp_path)
