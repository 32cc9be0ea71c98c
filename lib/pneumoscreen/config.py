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
    except OSError as error:
        raise ConfigError(f"{path}: the configuration cannot be read ({error.strerror}); name a YAML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the configuration cannot be read (not UTF-8 text); name a YAML file") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid YAML: nested too deeply; write `key: value`") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: (top level): not a list of `key: value`; write the settings as keys with values")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, with the key it is wrong in."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "(top level)"
    if first["type"] == "extra_forbidden":
        return f"key {key}: not a setting of this task; correct its name or give the task's own configuration"
    return f"key {key}: {first['msg']}"
