"""The registry of methods, as the store, the server and the command line know it."""

from pathlib import Path

import pytest

from pneumoscreen.errors import ConfigError
from pneumoscreen.methods import METHODS, method_for, method_named, networks, recipe_for
from pneumoscreen.report.wording import MODEL_NAMES

CONFIGS = Path(__file__).parents[1] / "configs"


def test_every_network_has_a_title_and_a_configuration() -> None:
    assert set(networks()) == set(MODEL_NAMES)
    assert all((CONFIGS / f"{name}.yaml").is_file() for name in networks())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.modality)
def test_a_recipe_knows_its_network_and_its_kind_of_image(method) -> None:
    for network in method.networks:
        recipe = recipe_for(network.name)
        assert (recipe.task, recipe.modality) == (network.name, method.modality)
        assert recipe.settings_type() == type(recipe.settings_type()).model_validate({})


def test_an_unknown_task_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"lungs cannot be trained; choose ct_candidates or .*cxr_localization"):
        recipe_for("lungs")


def test_a_method_is_found_by_its_modality_and_by_its_option() -> None:
    assert [method_for(method.modality) for method in METHODS] == METHODS
    assert [method_named(method.name) for method in METHODS] == METHODS
    with pytest.raises(ConfigError, match="there is no method for LAMP; register it"):
        method_for("LAMP")
    with pytest.raises(ConfigError, match="'mr' is not one of 'ct', 'cxr'"):
        method_named("mr")
