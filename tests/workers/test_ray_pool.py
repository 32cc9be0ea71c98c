"""What an actor sees to before it takes a job; whole runs stand in the tests of the commands."""

from pathlib import Path

import pytest

from pneumoscreen import __version__
from pneumoscreen.errors import ConfigError
from pneumoscreen.workers.ray_pool import Actor, Station
from pneumoscreen.workers.results import Calls


def test_a_node_that_does_not_see_the_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    station = Station(Calls(tmp_path), "cpu", 1, str(tmp_path), __version__, tmp_path / "mark")
    with pytest.raises(ConfigError, match=r"^node .* does not see .*; put it on storage that every node has"):
        Actor(station, None).begin()
