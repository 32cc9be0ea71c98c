"""Settings files: what is wrong is named, with file and key."""

from pathlib import Path

import pytest
from pydantic import Field

from pneumoscreen.config import Settings, load_config
from pneumoscreen.errors import ConfigError


class Inner(Settings):
    rate: float = Field(0.5, gt=0, le=1)


class Outer(Settings):
    epochs: int = Field(10, ge=1)
    inner: Inner = Inner()


def _write(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_are_read_and_the_others_keep_their_defaults(tmp_path: Path) -> None:
    assert load_config(_write(tmp_path, "inner:\n  rate: 0.25\n"), Outer) == Outer(epochs=10, inner=Inner(rate=0.25))


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_config(_write(tmp_path, "# nothing yet\n"), Outer) == Outer()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epoch: 3\n", "key epoch:"),
        ("inner:\n  speed: 3\n", "key inner.speed:"),
        ("epochs: 0\n", "key epochs:"),
        ("inner:\n  rate: fast\n", "key inner.rate:"),
        ("- 1\n- 2\n", "(top level)"),
        ("epochs: [1\n", "not valid YAML"),
        ("epochs: " + "[" * 20_000, "nested too deeply"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, Outer)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert named in message
    assert "\n" not in message


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: the configuration cannot be read"):
        load_config(tmp_path / "absent.yaml", Outer)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match=r"settings\.yaml"):
        load_config(path, Outer)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Outer().epochs = 3  # type: ignore[misc]
