"""Settings from YAML, validated: an unknown key or a value out of range is an error that names it."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ConfigError


class Settings(BaseModel):
    """Base of every settings class: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


SettingsT = TypeVar("SettingsT", bound=Settings)


def load_config(path: Path, model: type[SettingsT]) -> SettingsT:
    """Read a YAML file into a settings class.

    Raises:
        ConfigError: if the file is absent, not YAML, or holds an unknown key or a bad value.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the configuration cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return model.model_validate(values or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ConfigError(f"{path}: key {key}: {first['msg']}") from None
