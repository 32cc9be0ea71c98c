"""Every training by the name of its task, as the store, the server and the command line know it."""

import pytest

from pneumoscreen.cxr.screening import NETWORKS as CXR_NETWORKS
from pneumoscreen.errors import ConfigError
from pneumoscreen.server.engine import NETWORKS as CT_NETWORKS
from pneumoscreen.server.train_parameters import PARAMETERS
from pneumoscreen.training.publishing import LOADERS
from pneumoscreen.training.recipe_book import RECIPES, recipe_for


def test_every_network_can_be_trained_published_and_asked_for() -> None:
    assert set(RECIPES) == {*CT_NETWORKS, *CXR_NETWORKS} == set(LOADERS) == set(PARAMETERS)


@pytest.mark.parametrize("task", sorted(RECIPES))
def test_a_recipe_knows_its_task_and_its_kind_of_image(task: str) -> None:
    recipe = recipe_for(task)
    assert recipe.task == task
    assert recipe.modality == ("CXR" if task.startswith("cxr_") else "CT")
    assert recipe.settings_type() == type(recipe.settings_type()).model_validate({})


def test_an_unknown_task_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"lungs cannot be trained; choose ct_candidates or .*cxr_localization"):
        recipe_for("lungs")
