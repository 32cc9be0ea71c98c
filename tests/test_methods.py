"""The registry of methods, as the store, the server and the command line know it."""

from pathlib import Path

import pytest

from pneumoscreen.cli import TrainTask
from pneumoscreen.errors import ConfigError
from pneumoscreen.methods import METHODS, networks, recipe_for
from pneumoscreen.report.wording import MODEL_NAMES
from pneumoscreen.server.train_parameters import PARAMETERS
from pneumoscreen.server.train_tasks import TASKS

CONFIGS = Path(__file__).parents[1] / "configs"


def test_every_network_is_named_trained_and_asked_for() -> None:
    found = set(networks())
    assert found == set(MODEL_NAMES) == set(PARAMETERS) == {task.name for task in TASKS}
    assert found == {task.value for task in TrainTask}
    assert all((CONFIGS / f"{name}.yaml").is_file() for name in found)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.modality)
def test_a_recipe_knows_its_network_and_its_kind_of_image(method) -> None:
    for network in method.networks:
        recipe = recipe_for(network.name)
        assert (recipe.task, recipe.modality) == (network.name, method.modality)
        assert recipe.settings_type() == type(recipe.settings_type()).model_validate({})


def test_an_unknown_task_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"lungs cannot be trained; choose ct_candidates or .*cxr_localization"):
        recipe_for("lungs")
