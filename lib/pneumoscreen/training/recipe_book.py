"""All trainings that there are, by the name of their task."""

from collections.abc import Mapping

from ..errors import ConfigError
from .radiograph_recipes import DiscriminationRecipe, LocalizationRecipe, LungBoxRecipe
from .recipes import CandidatesRecipe, ClassifierRecipe, Recipe

_ALL: tuple[type[Recipe], ...] = (
    CandidatesRecipe,
    ClassifierRecipe,
    LungBoxRecipe,
    DiscriminationRecipe,
    LocalizationRecipe,
)
RECIPES: Mapping[str, type[Recipe]] = {recipe.task: recipe for recipe in _ALL}


def recipe_for(task: str) -> type[Recipe]:
    """The recipe of a task.

    Raises:
        ConfigError: if there is no such task.
    """
    if task not in RECIPES:
        raise ConfigError(f"{task} cannot be trained; choose {' or '.join(RECIPES)}")
    return RECIPES[task]
